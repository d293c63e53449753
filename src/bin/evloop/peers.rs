//! The peers of the sockets of a process, as Linux lists them in `/proc`. Elsewhere nothing
//! is known. The program itself need not be asked.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening TCP socket.
const LISTENS: &str = "0A";

/// Returns a text for each descriptor that is a socket with an address: its peer, or where it
/// listens.
pub(crate) fn peers(pid: u32) -> BTreeMap<u64, String> {
    let mut sockets = HashMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        let descriptor = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let inode = target.to_str().and_then(|target| target.strip_prefix("socket:["));
        let inode = inode.and_then(|inode| inode.strip_suffix(']')?.parse::<u64>().ok());
        sockets.extend(inode.zip(descriptor));
    }
    let mut peers = BTreeMap::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for (inode, peer) in text.lines().skip(1).filter_map(row) {
            peers.extend(sockets.get(&inode).map(|&descriptor| (descriptor, peer)));
        }
    }
    peers
}

/// Reads a row of such a table: the inode of the socket, and the text about it.
fn row(line: &str) -> Option<(u64, String)> {
    let words: Vec<_> = line.split_whitespace().take(10).collect();
    let &[_, local, peer, state, .., inode] = &words[..] else { return None };
    let (local, peer) = (address(local)?, address(peer)?);
    let text = match peer.port() {
        0 if state == LISTENS => format!("listens at {local}"),
        0 => format!("at {local}"),
        _ => peer.to_string(),
    };
    Some((inode.parse().ok()?, text))
}

/// Reads an address: words of 32 bits in the byte order of the machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words = ip.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
        u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(bytes) => IpAddr::V4(Ipv4Addr::from(bytes)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    // Of a socket for both, `::ffff:1.2.3.4` is an address of IPv4.
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_system_are_read() {
        let text = |line: &str| row(line).map(|(inode, text)| format!("{inode} {text}"));
        let rest = "00000000:00000000 00:00000000 00000000 0 0";
        let line = format!("0: 0100007F:1F90 00000000:0000 0A {rest} 4711 1");
        assert_eq!(text(&line).unwrap(), "4711 listens at 127.0.0.1:8080");
        let line = format!("1: 0100007F:1F90 04030201:0005 01 {rest} 17 1");
        assert_eq!(text(&line).unwrap(), "17 1.2.3.4:5");
        let six = "0000000000000000FFFF000004030201:0005";
        let line = format!("1: {six} {six} 01 {rest} 17 1");
        assert_eq!(text(&line).unwrap(), "17 1.2.3.4:5");
        let line = format!("1: 00000000000000000000000001000000:0050 {six} 01 {rest} 17 1");
        assert!(text(&line).is_some());
        for rubbish in
            ["", "1: x y z", &format!("1: 01:1 02:2 01 {rest} 17"), "1: :1 é:2 0 0 0 0 0 0 0"]
        {
            assert_eq!(text(rubbish), None, "{rubbish}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn sockets_of_this_process_are_found() {
        use std::os::fd::AsRawFd;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        let peers = peers(std::process::id());
        let of = |descriptor: i32| peers.get(&(descriptor as u64)).cloned().unwrap();
        assert_eq!(of(listener.as_raw_fd()), format!("listens at {address}"));
        assert_eq!(of(client.as_raw_fd()), address.to_string());
    }
}
