//! What can be connected to, and finding the addresses of a name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};
use std::vec;

pub(super) use private::Sealed;

use crate::blocking::{self, Kind};
use crate::current::budget;
use crate::io_error::explain;

/// Where to connect or listen: addresses, or a name that has some.
///
/// Implemented for [`SocketAddr`] and a reference to one, [`SocketAddrV4`], [`SocketAddrV6`],
/// `&[SocketAddr]`, `(IpAddr, u16)` and the same with an [`Ipv4Addr`] or [`Ipv6Addr`],
/// `(&str, u16)`, `(String, u16)`, and for `&str` and `String` as `"host:port"`, the host a name or
/// an address: `127.0.0.1:80`, `[::1]:80`, with a zone `[fe80::1%eth0]:80`.
/// It cannot be implemented elsewhere.
pub trait ToAddrs: private::Sealed {}

/// What a [`ToAddrs`] says.
#[derive(Debug)]
pub enum Target {
    /// One that is known already.
    Addr(SocketAddr),
    /// Several that are.
    Addrs(Vec<SocketAddr>),
    /// To be looked up.
    Name(String, u16),
}

mod private {
    pub trait Sealed {
        /// The addresses or the name. An error of kind `InvalidInput` if it is neither.
        fn target(self) -> std::io::Result<super::Target>;
    }
}

/// The addresses of a host, in the order in which the system prefers them (RFC 6724).
///
/// A name is looked up by the system's resolver on a helper thread; what is an address already
/// costs nothing.
///
/// # Errors
///
/// Kind `InvalidInput` if it is no address and no `host:port`; what the resolver says if there is
/// no such host.
///
/// # Cancel safety
///
/// Nothing is lost. The thread finishes its work in the background.
///
/// ```
/// evloop::block_on(async {
///     let mut addrs = evloop::net::lookup_host("127.0.0.1:80").await?;
///     assert_eq!(addrs.next(), Some(([127, 0, 0, 1], 80).into()));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[doc(alias = "getaddrinfo")]
pub async fn lookup_host(host: impl ToAddrs) -> io::Result<vec::IntoIter<SocketAddr>> {
    budget::unit().await;
    Ok(resolve(host.target()?).await?.into_iter())
}

/// The addresses that `target` says; at least one.
pub(super) async fn resolve(target: Target) -> io::Result<Vec<SocketAddr>> {
    let (name, port) = match target {
        Target::Addr(addr) => return Ok(vec![addr]),
        Target::Addrs(addrs) => return at_least_one(addrs, "the list of addresses is empty"),
        Target::Name(name, port) => (name, port),
    };
    let look_up = move || match (name.as_str(), port).to_socket_addrs() {
        Ok(addrs) => Ok(addrs.collect()),
        Err(error) => {
            let sentence = format!("the host name {name:?} was not found: {error}");
            Err(explain(error, sentence))
        }
    };
    let addrs = blocking::submit(Kind::Name, look_up).await?;
    at_least_one(addrs, "the host name has no address")
}

fn at_least_one(addrs: Vec<SocketAddr>, otherwise: &str) -> io::Result<Vec<SocketAddr>> {
    if addrs.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, otherwise));
    }
    Ok(addrs)
}

/// A host that is an address, or a name.
fn host(host: &str, port: u16) -> Target {
    match host.parse::<IpAddr>() {
        Ok(ip) => Target::Addr(SocketAddr::new(ip, port)),
        Err(_) => Target::Name(host.to_owned(), port),
    }
}

/// `"host:port"`, the host with an IPv6 address in brackets.
fn host_and_port(text: &str) -> io::Result<Target> {
    if let Ok(addr) = text.parse() {
        return Ok(Target::Addr(addr));
    }
    let parts = text.rsplit_once(':').and_then(|(host, port)| {
        let is_name = !host.is_empty() && !host.contains([':', '[']);
        let host = if is_name { Some(host) } else { zoned(host) };
        Some((host?, port.parse().ok()?))
    });
    let Some((name, port)) = parts else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{text:?} is no address: write host:port, as in localhost:8080 or [::1]:8080"),
        ));
    };
    Ok(host(name, port))
}

/// What is in the brackets of an IPv6 address whose zone is a name, as in `[fe80::1%eth0]`: the
/// system's resolver knows the zones.
fn zoned(host: &str) -> Option<&str> {
    let inside = host.strip_prefix('[')?.strip_suffix(']')?;
    let (ip, zone) = inside.split_once('%')?;
    (ip.parse::<Ipv6Addr>().is_ok() && !zone.is_empty()).then_some(inside)
}

macro_rules! to_addrs {
    ($($type:ty: |$value:ident| $target:expr;)*) => {$(
        impl ToAddrs for $type {}
        impl Sealed for $type {
            fn target(self) -> io::Result<Target> {
                let $value = self;
                $target
            }
        }
    )*};
}

to_addrs! {
    SocketAddr: |addr| Ok(Target::Addr(addr));
    SocketAddrV4: |addr| Ok(Target::Addr(addr.into()));
    SocketAddrV6: |addr| Ok(Target::Addr(addr.into()));
    &SocketAddr: |addr| Ok(Target::Addr(*addr));
    (IpAddr, u16): |addr| Ok(Target::Addr(addr.into()));
    (Ipv4Addr, u16): |addr| Ok(Target::Addr(addr.into()));
    (Ipv6Addr, u16): |addr| Ok(Target::Addr(addr.into()));
    &[SocketAddr]: |addrs| Ok(Target::Addrs(addrs.to_vec()));
    (&str, u16): |pair| Ok(host(pair.0, pair.1));
    (String, u16): |pair| Ok(host(&pair.0, pair.1));
    &str: |text| host_and_port(text);
    &String: |text| host_and_port(text);
    String: |text| host_and_port(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match host_and_port(text) {
            Ok(Target::Addr(addr)) => format!("[{addr}]"),
            Ok(Target::Addrs(addrs)) => format!("{addrs:?}"),
            Ok(Target::Name(name, port)) => format!("{name} {port}"),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    #[test]
    fn texts() {
        for (text, target) in [
            ("127.0.0.1:80", "[127.0.0.1:80]"),
            ("[::1]:80", "[[::1]:80]"),
            ("localhost:80", "localhost 80"),
            ("a.b.example:65535", "a.b.example 65535"),
            ("localhost", "InvalidInput"),
            ("localhost:", "InvalidInput"),
            ("localhost:65536", "InvalidInput"),
            (":80", "InvalidInput"),
            ("::1:80", "InvalidInput"),
            ("", "InvalidInput"),
            ("[fe80::1%3]:80", "[[fe80::1%3]:80]"),
            ("[fe80::1%eth0]:80", "fe80::1%eth0 80"),
            ("[fe80::1%]:80", "InvalidInput"),
            ("[localhost%eth0]:80", "InvalidInput"),
            ("[localhost]:80", "InvalidInput"),
            ("fe80::1%eth0:80", "InvalidInput"),
        ] {
            assert_eq!(show(text), target, "{text:?}");
        }
    }
}
