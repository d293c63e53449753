//! Parses a URL: `http://host[:port][/path][?query][#fragment]` (RFC 3986, the part of http).

use std::fmt;
use std::net::Ipv6Addr;

const HTTP_PORT: u16 = 80;

pub(crate) struct Url {
    /// A name or an address. An IPv6 address is stored without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, as the request contains them: ASCII without spaces.
    pub(crate) target: String,
}

impl Url {
    /// Parses a URL. The error is a sentence for the user.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("this is no URL: write http://host/path".to_owned());
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("only http is supported, not {scheme}"));
        }
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a user name in a URL is not supported".to_owned());
        }
        let (host, port) = split_port(authority)?;
        Ok(Url { host: check_host(host)?, port: parse_port(port)?, target: encode(target) })
    }
}

/// Writes the host, and the port if it is not 80, as in a URL and in the request.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(f, "[{host}]")?,
            host => f.write_str(host)?,
        }
        if self.port != HTTP_PORT {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// Splits off the port of `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. The brackets stay.
fn split_port(authority: &str) -> Result<(&str, &str), String> {
    let host_len = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None if authority.starts_with('[') => authority.len(),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_len);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if port.is_empty() => Ok((host, "")),
        None => Err(format!("between the host {host} and the port stands a colon, not {port:?}")),
    }
}

/// Checks that the host is valid in a request. Removes the brackets of an IPv6 address.
fn check_host(host: &str) -> Result<String, String> {
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let is_address = inner.parse::<Ipv6Addr>().is_ok();
        return match is_address {
            true => Ok(inner.to_owned()),
            false => Err(format!("the brackets hold no IPv6 address: {inner:?}")),
        };
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match host {
        "" => Err("the host is missing: write http://host/path".to_owned()),
        _ if host.chars().all(is_part) => Ok(host.to_owned()),
        _ => Err(format!("this is no host name: {host:?}")),
    }
}

fn parse_port(port: &str) -> Result<u16, String> {
    if port.is_empty() {
        return Ok(HTTP_PORT);
    }
    // Digits only: `parse` would also accept a sign.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit()).then_some(port);
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("the port is no number from 0 to 65535: {port:?}"))
}

/// Writes bytes as %XX that are not allowed in the first line of a request.
fn encode(target: &str) -> String {
    let mut encoded = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        encoded.push('/');
    }
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
