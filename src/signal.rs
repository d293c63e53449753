//! L4: signals, as something to await. Unix.
//!
//! The handler does nothing but write a byte to a socket pair; the loop reads it. Invariant: a
//! handler stays as long as its future, and the program's other handlers of the signal stay too.

use std::future::Future;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::{pipe, unregister};

use crate::context;
use crate::reactor::Socket;
use crate::source::{Direction, Done};

/// A signal's handler and the end of its pair that the loop reads.
struct Signal {
    socket: Socket<mio::net::UnixStream>,
    handler: SigId,
}

/// Waits for Ctrl-C (SIGINT).
///
/// From this call on, the signal does not end the process any more, also after the future has
/// completed. One that comes before the future is awaited counts.
///
/// # Errors
///
/// If the handler cannot be installed: no descriptor is left.
///
/// # Cancel safety
///
/// `&mut ctrl_c` may be awaited and given up at any time: a signal that has come stays.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```no_run
/// evloop::block_on(async {
///     println!("press Ctrl-C");
///     evloop::signal::ctrl_c().await?;
///     println!("goodbye");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[doc(alias = "add_signal_handler")]
#[doc(alias = "KeyboardInterrupt")]
#[track_caller]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> {
    let signal = Signal::new(SIGINT);
    async move { signal?.wait().await }
}

impl Signal {
    fn new(number: i32) -> io::Result<Signal> {
        let reactor = context::expect("signal::ctrl_c").reactor.clone();
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let socket = Socket::new(mio::net::UnixStream::from_std(read), reactor, true)?;
        let handler = pipe::register(number, write)?;
        Ok(Signal { socket, handler })
    }

    async fn wait(&self) -> io::Result<()> {
        let read = |mut io: &mio::net::UnixStream| {
            io.read(&mut [0; 16]).map(|_| Done { value: (), short: false })
        };
        self.socket.io(Direction::Read, read).await
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}
