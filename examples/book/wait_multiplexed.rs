//! I/O multiplexing: one call waits for many descriptors, by select, by poll and by epoll.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_multiplexed
//! ```
//!
//! prints
//!
//! ```text
//! select: descriptor 1 of 3 is readable
//! poll:   descriptor 1 of 3 is readable
//! epoll:  descriptor 1 of 3 is readable
//! poll:   descriptor 1024 is readable
//! epoll:  descriptor 1024 is readable
//! select: panics, since a set has 1024 bits
//! ```
//!
//! None of the three reads. They report which descriptor can be read without waiting.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic;

use nix::sys::select::{FD_SETSIZE, FdSet, select};
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> io::Result<()> {
    let (mut sockets, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (socket, peer) = UnixStream::pair()?;
        sockets.push(OwnedFd::from(socket));
        peers.push(peer);
    }
    peers[1].write_all(b"hello")?;

    println!("select: descriptor {} of 3 is readable", by_select(&sockets)?);
    println!("poll:   descriptor {} of 3 is readable", by_poll(&sockets)?);
    println!("epoll:  descriptor {} of 3 is readable", by_epoll(&sockets)?);
    beyond_the_limit(&sockets[1])
}

/// Waits for a descriptor whose number is 1,024.
fn beyond_the_limit(socket: &OwnedFd) -> io::Result<()> {
    // A process may open 1,024 descriptors by default, so the highest number is 1,023.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let high = [fcntl_dupfd_cloexec(socket, FD_SETSIZE as i32)?];
    by_poll(&high)?;
    println!("poll:   descriptor {} is readable", high[0].as_raw_fd());
    by_epoll(&high)?;
    println!("epoll:  descriptor {} is readable", high[0].as_raw_fd());
    panic::set_hook(Box::new(|_| ())); // prints no message
    if panic::catch_unwind(|| by_select(&high)).is_err() {
        println!("select: panics, since a set has {FD_SETSIZE} bits");
    }
    Ok(())
}

/// The set is a bitmap of 1,024 bits. The caller fills it before each call: the call overwrites it
/// with the result. The kernel checks each bit up to the highest descriptor.
fn by_select(sockets: &[OwnedFd]) -> io::Result<usize> {
    let mut readable = FdSet::new();
    for socket in sockets {
        // Panics for a descriptor of 1,024 or more. In C, FD_SET writes beyond the end of the set.
        readable.insert(socket.as_fd());
    }
    let highest = sockets.iter().map(AsRawFd::as_raw_fd).max().expect("there are sockets");
    select(highest + 1, &mut readable, None, None, None)?;
    Ok(position(sockets, |socket| readable.contains(socket.as_fd())))
}

/// The list has one entry for each descriptor, and a field for the result. The program passes the
/// whole list in each call, and the kernel checks each entry.
fn by_poll(sockets: &[OwnedFd]) -> io::Result<usize> {
    let mut list: Vec<_> = sockets.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    poll(&mut list, None)?;
    let found = list.iter().position(|entry| entry.revents().contains(PollFlags::IN));
    Ok(found.expect("poll returned, so an entry is ready"))
}

/// The kernel keeps the list. `add` registers a descriptor once. `wait` returns those that are
/// ready, and no others.
fn by_epoll(sockets: &[OwnedFd]) -> io::Result<usize> {
    let selector = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, socket) in sockets.iter().enumerate() {
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&selector, socket, data, epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(8);
    epoll::wait(&selector, rustix::buffer::spare_capacity(&mut events), None)?;
    Ok(events[0].data.u64() as usize)
}

fn position(sockets: &[OwnedFd], is_readable: impl Fn(&OwnedFd) -> bool) -> usize {
    sockets.iter().position(is_readable).expect("select returned, so a descriptor is ready")
}
