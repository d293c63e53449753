//! Signal-driven I/O: the kernel sends SIGIO when a descriptor becomes readable.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_signal
//! ```
//!
//! prints
//!
//! ```text
//! before the peer writes: SIGIO has not arrived
//! after the peer writes: SIGIO has arrived
//! read: "hello\n"
//! ```
//!
//! The descriptor is a terminal. The process that sets O_ASYNC on a terminal becomes its owner, and
//! the owner receives the signal. For a socket a program also calls fcntl with F_SETOWN.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use signal_hook::consts::SIGIO;

fn main() -> io::Result<()> {
    let (mut peer, mut terminal) = terminal()?;
    // Installed before O_ASYNC is set: the default action of SIGIO ends the process.
    let has_arrived = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGIO, has_arrived.clone())?;
    fcntl_setfl(&terminal, fcntl_getfl(&terminal)? | OFlags::ASYNC | OFlags::NONBLOCK)?;

    println!("before the peer writes: SIGIO {}", state(&has_arrived));
    peer.write_all(b"hello\n")?;
    // The program may compute here. A signal can arrive between any two instructions.
    while !has_arrived.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    println!("after the peer writes: SIGIO {}", state(&has_arrived));

    // The signal does not say which descriptor is readable, nor how many bytes there are.
    let mut buf = [0; 16];
    let count = terminal.read(&mut buf)?;
    println!("read: {:?}", String::from_utf8_lossy(&buf[..count]));
    Ok(())
}

fn state(has_arrived: &AtomicBool) -> &'static str {
    if has_arrived.load(Ordering::SeqCst) { "has arrived" } else { "has not arrived" }
}

/// Returns the two ends of a pseudoterminal: the end of a terminal program, and the terminal.
fn terminal() -> io::Result<(File, File)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let controller = openpt(flags)?;
    grantpt(&controller)?;
    unlockpt(&controller)?;
    let terminal = ioctl_tiocgptpeer(&controller, flags)?;
    Ok((controller.into(), terminal.into()))
}
