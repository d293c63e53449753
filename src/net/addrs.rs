//! The targets of connecting and listening, and the lookup of host names. Layer L4.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};
use std::vec;

pub(super) use private::Sealed;

use super::system;
use crate::blocking::{self, Kind};
use crate::context;
use crate::current::budget;
use crate::io_error::explain;

/// The target of connecting or listening: one address, several addresses, or a host name.
///
/// It is implemented for [`SocketAddr`] and a reference to one, [`SocketAddrV4`], [`SocketAddrV6`],
/// `&[SocketAddr]`, `(IpAddr, u16)` and the same with an [`Ipv4Addr`] or [`Ipv6Addr`],
/// `(&str, u16)`, `(String, u16)`, and for `&str` and `String` as `"host:port"`. The host is a name
/// or an address: `localhost:80`, `127.0.0.1:80`, `[::1]:80`, with a zone `[fe80::1%eth0]:80`.
/// Other crates cannot implement it.
///
/// ```
/// evloop::block_on(async {
///     for host in ["127.0.0.1:80", "[::1]:80"] {
///         assert_eq!(evloop::net::lookup_host(host).await?.next().unwrap().port(), 80);
///     }
///     let addrs = evloop::net::lookup_host(("127.0.0.1", 443)).await?;
///     assert_eq!(addrs.as_slice(), [([127, 0, 0, 1], 443).into()]);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub trait ToAddrs: private::Sealed {}

/// The content of a [`ToAddrs`].
#[derive(Debug)]
pub enum Target {
    /// One address.
    Addr(SocketAddr),
    /// Several addresses.
    Addrs(Vec<SocketAddr>),
    /// A host name to look up, and a port.
    Name(String, u16),
}

mod private {
    pub trait Sealed {
        /// Returns the addresses or the name. An error of kind `InvalidInput` if it is neither.
        fn target(self) -> std::io::Result<super::Target>;
    }
}

/// Returns the addresses of a host, in the system's order of preference (RFC 6724).
///
/// The system's resolver looks up a name on the blocking pool (POSIX `getaddrinfo`). An address
/// needs no lookup.
///
/// # Errors
///
/// Kind `InvalidInput` if `host` is neither an address nor `host:port`. The resolver's error if
/// there is no such host.
///
/// # Cancel safety
///
/// Cancel safe. The thread completes the lookup in the background, and its result is dropped.
///
/// # Panics
///
/// Outside of a running loop, if `host` is a name.
///
/// ```
/// evloop::block_on(async {
///     let mut addrs = evloop::net::lookup_host("127.0.0.1:80").await?;
///     assert_eq!(addrs.next(), Some(([127, 0, 0, 1], 80).into()));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn lookup_host(host: impl ToAddrs) -> io::Result<vec::IntoIter<SocketAddr>> {
    let target = host.target()?;
    if let Target::Name(..) = target {
        drop(context::expect("lookup_host"));
    }
    budget::unit().await;
    Ok(resolve(target).await?.into_iter())
}

/// Returns the addresses of `target`: at least one.
pub(super) async fn resolve(target: Target) -> io::Result<Vec<SocketAddr>> {
    let (name, port) = match target {
        Target::Addr(addr) => return Ok(vec![addr]),
        Target::Addrs(addrs) => return not_empty(addrs, "the list of addresses is empty"),
        Target::Name(name, port) => (name, port),
    };
    if let Some(addrs) = system::look_up(&name, port) {
        return addrs;
    }
    let look_up = move || match (name.as_str(), port).to_socket_addrs() {
        Ok(addrs) => Ok(addrs.collect()),
        Err(error) => {
            let sentence = format!("the host name {name:?} was not found: {error}");
            Err(explain(error, sentence))
        }
    };
    let addrs = blocking::submit(Kind::Name, "lookup_host", look_up).await?;
    not_empty(addrs, "the host name has no address")
}

/// An error with `message` if there is no address.
fn not_empty(addrs: Vec<SocketAddr>, message: &str) -> io::Result<Vec<SocketAddr>> {
    if addrs.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message));
    }
    Ok(addrs)
}

/// Adds to an error of bind(2) or listen(2) the operation, the address, and what to do.
pub(super) fn bind_error(operation: &str, addr: SocketAddr, error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another socket uses the port: choose another port, or 0 for any that is free)"
        }
        io::ErrorKind::AddrNotAvailable => {
            " (this machine does not have the address: all of its own are 0.0.0.0 or [::])"
        }
        io::ErrorKind::PermissionDenied if addr.port() < 1024 => {
            " (a port below 1024 may need a privilege: choose a higher one)"
        }
        _ => "",
    };
    let sentence = format!("could not {operation} {addr}: {error}{hint}");
    explain(error, sentence)
}

/// Parses a host: an address, or else a name.
fn parse_host(host: &str, port: u16) -> Target {
    match host.parse::<IpAddr>() {
        Ok(ip) => Target::Addr(SocketAddr::new(ip, port)),
        Err(_) => Target::Name(host.to_owned(), port),
    }
}

/// Parses `"host:port"`. An IPv6 address is in brackets.
fn parse_host_and_port(text: &str) -> io::Result<Target> {
    if let Ok(addr) = text.parse() {
        return Ok(Target::Addr(addr));
    }
    let parts = text.rsplit_once(':').and_then(|(host, port)| {
        let is_name = !host.is_empty() && !has(host, b':') && !has(host, b'[');
        let host = if is_name { Some(host) } else { zoned_ipv6(host) };
        Some((host?, port.parse().ok()?))
    });
    let (name, port) = parts.ok_or_else(|| not_an_address(text))?;
    Ok(parse_host(name, port))
}

fn has(text: &str, byte: u8) -> bool {
    text.as_bytes().contains(&byte)
}

/// Returns the error of a text that is not `"host:port"`. It says which part is wrong.
#[cold]
fn not_an_address(text: &str) -> io::Error {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let has_bare_ipv6 = has(host, b':') && !has(host, b'[');
    let fault = if has(text, b'/') {
        "it looks like a URL or a path"
    } else if text.parse::<Ipv6Addr>().is_ok() || has_bare_ipv6 {
        "an IPv6 address needs brackets, and a port after them"
    } else if port.is_empty() || text.ends_with(']') {
        "the port is missing"
    } else if host.is_empty() {
        "the host is missing (all addresses of this machine are 0.0.0.0 or [::])"
    } else if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        "the port is not a number"
    } else if port.parse::<u16>().is_err() {
        "the largest port is 65535"
    } else {
        "the brackets hold no IPv6 address"
    };
    let sentence = format!(
        "{text:?} is not an address: {fault}: write host:port, as in localhost:8080 or [::1]:8080"
    );
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

/// Returns the text between the brackets of an IPv6 address with a named zone, as in
/// `[fe80::1%eth0]`. std does not parse such a zone; the system's resolver does.
fn zoned_ipv6(host: &str) -> Option<&str> {
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
    (&str, u16): |pair| Ok(parse_host(pair.0, pair.1));
    (String, u16): |pair| Ok(parse_host(&pair.0, pair.1));
    &str: |text| parse_host_and_port(text);
    &String: |text| parse_host_and_port(text);
    String: |text| parse_host_and_port(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_which_part_of_a_text_is_wrong() {
        for (text, fault) in [
            ("localhost", "the port is missing"),
            ("localhost:", "the port is missing"),
            ("", "the port is missing"),
            ("[::1]", "the port is missing"),
            ("localhost:99999", "the largest port is 65535"),
            ("127.0.0.1:65536", "the largest port is 65535"),
            ("localhost:http", "the port is not a number"),
            (":80", "the host is missing"),
            ("::1", "an IPv6 address needs brackets"),
            ("::1:80", "an IPv6 address needs brackets"),
            ("fe80::1%eth0:80", "an IPv6 address needs brackets"),
            ("[localhost]:80", "the brackets hold no IPv6 address"),
            ("http://localhost:80", "it looks like a URL"),
        ] {
            let error = parse_host_and_port(text).unwrap_err().to_string();
            let expected = format!("{text:?} is not an address: {fault}");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    fn show(text: &str) -> String {
        match parse_host_and_port(text) {
            Ok(Target::Addr(addr)) => format!("[{addr}]"),
            Ok(Target::Addrs(addrs)) => format!("{addrs:?}"),
            Ok(Target::Name(name, port)) => format!("{name} {port}"),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    #[test]
    fn texts_are_parsed_into_targets() {
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
