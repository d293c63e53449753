//! Asynchronous I/O in the sense of POSIX: the kernel or the C library reads into a buffer of the
//! program, and reports when that is done.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_completion
//! ```
//!
//! prints
//!
//! ```text
//! submitted
//! completed: 14 bytes
//! "from the disk\n"
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::process;

use nix::errno::Errno;
use nix::sys::aio::{Aio, AioRead, aio_suspend};
use nix::sys::signal::SigevNotify;

fn main() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("wait_completion-{}", process::id()));
    fs::write(&path, "from the disk\n")?;
    let file = File::open(&path)?;
    fs::remove_file(&path)?;

    let mut buf = [0; 64];
    // The operation borrows the buffer until it is complete. The program cannot touch it meanwhile:
    // the compiler rejects that.
    let mut read = Box::pin(AioRead::new(file.as_fd(), 0, &mut buf, 0, SigevNotify::SigevNone));
    // aio_read(3) returns at once.
    read.as_mut().submit()?;
    println!("submitted");

    // The program may compute here. Then it waits for the completion.
    while read.as_mut().error() == Err(Errno::EINPROGRESS) {
        aio_suspend(&[&*read], None)?;
    }
    let count = read.as_mut().aio_return()?;
    drop(read);
    println!("completed: {count} bytes");
    println!("{:?}", String::from_utf8_lossy(&buf[..count]));
    Ok(())
}
