//! The lookup of the host name of an address. Layer L4.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::blocking::{self, Kind};
use crate::io_error::explain;

/// The argument of [`lookup_addr`]: an [`IpAddr`] or a [`SocketAddr`]. Other crates cannot
/// implement it.
pub trait NamedAddr: Into<LookupTarget> {}

/// The address of a [`NamedAddr`].
#[derive(Debug)]
pub struct LookupTarget(SocketAddr);

/// Returns the host name of an address, or the address as text if the system knows no name.
///
/// The system's resolver looks up the name on the blocking pool (POSIX `getnameinfo`). This
/// function needs the feature `lookup-addr`, which is off by default.
///
/// # Errors
///
/// The resolver's error if the lookup fails.
///
/// # Cancel safety
///
/// Cancel safe. The thread completes the lookup in the background, and its result is dropped.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// evloop::block_on(async {
///     let name = evloop::net::lookup_addr(IpAddr::from(Ipv4Addr::LOCALHOST)).await?;
///     assert!(!name.is_empty());
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn lookup_addr(addr: impl NamedAddr) -> io::Result<String> {
    let LookupTarget(addr) = addr.into();
    let look_up = move || match dns_lookup::getnameinfo(&addr, 0) {
        Ok((name, _service)) => Ok(name),
        Err(error) => {
            let error = io::Error::from(error);
            let sentence = format!("the name of {} was not found: {error}", addr.ip());
            Err(explain(error, sentence))
        }
    };
    blocking::submit(Kind::Name, "net::lookup_addr", look_up).await
}

impl NamedAddr for IpAddr {}

impl NamedAddr for SocketAddr {}

impl From<IpAddr> for LookupTarget {
    fn from(ip: IpAddr) -> LookupTarget {
        LookupTarget((ip, 0).into())
    }
}

impl From<SocketAddr> for LookupTarget {
    fn from(addr: SocketAddr) -> LookupTarget {
        LookupTarget(addr)
    }
}
