//! The name of an address.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::blocking::{self, Kind};
use crate::io_error::explain;

/// What a name can be asked of: an [`IpAddr`] or a [`SocketAddr`]. It cannot be implemented
/// elsewhere.
pub trait NamedAddr: Into<Asked> {}

/// What a [`NamedAddr`] says.
#[derive(Debug)]
pub struct Asked(SocketAddr);

/// The name of the host that has an address; the address as text, if the system knows no name.
///
/// The system's resolver is asked (POSIX `getnameinfo`), on a helper thread. This function needs
/// the feature `lookup-addr`, which is off by default.
///
/// # Errors
///
/// What the resolver says if it cannot tell.
///
/// # Cancel safety
///
/// Nothing is lost. The thread finishes its work in the background.
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
#[doc(alias = "getnameinfo")]
pub async fn lookup_addr(addr: impl NamedAddr) -> io::Result<String> {
    let Asked(addr) = addr.into();
    let look_up = move || match dns_lookup::getnameinfo(&addr, 0) {
        Ok((name, _service)) => Ok(name),
        Err(error) => {
            let error = io::Error::from(error);
            let sentence = format!("the name of {} was not found: {error}", addr.ip());
            Err(explain(error, sentence))
        }
    };
    blocking::submit(Kind::Name, look_up).await
}

impl NamedAddr for IpAddr {}

impl NamedAddr for SocketAddr {}

impl From<IpAddr> for Asked {
    fn from(ip: IpAddr) -> Asked {
        Asked((ip, 0).into())
    }
}

impl From<SocketAddr> for Asked {
    fn from(addr: SocketAddr) -> Asked {
        Asked(addr)
    }
}
