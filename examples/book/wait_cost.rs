//! What one call of select, poll and epoll costs, with one ready descriptor among many.
//!
//! ```sh
//! cargo run --release --package evloop-book --example wait_cost
//! ```
//!
//! prints, with other times on another machine:
//!
//! ```text
//! descriptors      select        poll       epoll
//!          10      1.8 us      1.5 us      0.3 us
//!        1000    248.3 us    139.0 us      0.3 us
//!       10000           -   1685.4 us      0.3 us
//! ```
//!
//! select cannot wait for a descriptor of 1,024 or more.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use nix::sys::select::{FD_SETSIZE, FdSet, select};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ROUNDS: u32 = 500;

fn main() -> io::Result<()> {
    let limit = raise_limit()?;
    println!("descriptors{:>12}{:>12}{:>12}", "select", "poll", "epoll");
    for count in [10, 1_000, 10_000] {
        if count + 100 > limit {
            println!("{count:>11}: this process may open {limit} descriptors only");
            continue;
        }
        let fds = descriptors(count)?;
        let fits = fds.iter().all(|fd| (fd.as_raw_fd() as usize) < FD_SETSIZE);
        let by_select = if fits { time_of(select_once(&fds))? } else { "-".to_string() };
        let (by_poll, by_epoll) = (time_of(poll_once(&fds))?, time_of(epoll_once(&fds)?)?);
        println!("{count:>11}{by_select:>12}{by_poll:>12}{by_epoll:>12}");
    }
    Ok(())
}

/// Returns `count` descriptors. Only the last one is readable: its counter is not zero.
fn descriptors(count: usize) -> io::Result<Vec<OwnedFd>> {
    let initial = |index| u32::from(index + 1 == count);
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    (0..count).map(|index| Ok(eventfd(initial(index), flags)?)).collect()
}

/// Returns the mean time of a call.
fn time_of(mut wait: impl FnMut() -> io::Result<()>) -> io::Result<String> {
    wait()?;
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        wait()?;
    }
    let micros = begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    Ok(format!("{micros:.1} us"))
}

fn select_once(fds: &[OwnedFd]) -> impl FnMut() -> io::Result<()> + '_ {
    // The program keeps a full set and copies it for each call.
    let mut all = FdSet::new();
    fds.iter().for_each(|fd| all.insert(fd.as_fd()));
    let end = fds.iter().map(|fd| fd.as_raw_fd() + 1).max().unwrap_or(0);
    move || {
        let mut readable = all;
        assert_eq!(select(end, &mut readable, None, None, None)?, 1);
        assert!(fds.iter().any(|fd| readable.contains(fd.as_fd())));
        Ok(())
    }
}

fn poll_once(fds: &[OwnedFd]) -> impl FnMut() -> io::Result<()> + '_ {
    let mut list: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    move || {
        assert_eq!(poll(&mut list, None)?, 1);
        assert!(list.iter().any(|entry| entry.revents().contains(PollFlags::IN)));
        Ok(())
    }
}

fn epoll_once(fds: &[OwnedFd]) -> io::Result<impl FnMut() -> io::Result<()>> {
    let selector = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, fd) in fds.iter().enumerate() {
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&selector, fd, data, epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(64);
    Ok(move || {
        events.clear();
        assert_eq!(epoll::wait(&selector, spare_capacity(&mut events), None)?, 1);
        Ok(())
    })
}

/// Raises the limit of open descriptors as far as this process may, and returns it.
fn raise_limit() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |limit| limit as usize))
}
