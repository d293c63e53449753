//! Pipes and FIFOs. Unix only.
//!
//! | Item | Use |
//! |---|---|
//! | [`pair`] | makes a pipe |
//! | [`Receiver`] | the read end |
//! | [`Sender`] | the write end |
//! | [`OpenOptions`] | opens a FIFO by its path |
//!
//! ```
//! evloop::block_on(async {
//!     let (sender, receiver) = evloop::net::pipe::pair()?;
//!     sender.write_all(b"hello").await?;
//!     drop(sender);
//!     let mut buf = [0; 10];
//!     assert_eq!(receiver.read(&mut buf).await?, 5);
//!     assert_eq!(receiver.read(&mut buf).await?, 0);
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```

// Layer L4.

use std::io;

use super::endpoint::Endpoint;
#[doc(alias = "FdStream")]
pub use super::pipe_ends::{Receiver, Sender};
#[doc(alias = "mkfifo")]
pub use super::pipe_open::OpenOptions;
use super::system;
use crate::context;

/// Makes a pipe, registered with the running loop. The [module](self) has an example.
///
/// # Errors
///
/// The system's error if no descriptor is left.
///
/// # Panics
///
/// Outside of a running loop.
#[doc(alias = "pipe")]
#[track_caller]
pub fn pair() -> io::Result<(Sender, Receiver)> {
    let reactor = &context::expect("pipe::pair").reactor;
    let (sender, receiver) = system::pipe()?;
    let (sender, receiver) =
        (Endpoint::register(sender, reactor)?, Endpoint::register(receiver, reactor)?);
    Ok((Sender { end: sender }, Receiver { end: receiver }))
}
