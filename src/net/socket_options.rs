//! The options of sockets that mio lacks. Unix only. Layer L4.
//!
//! With the feature `sim`, `world_options.rs` takes the place of this file: it also sets the
//! options of a socket of a simulated world. So an option is named twice, once for each.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::world::SocketOptions;

/// Reads or sets an option: `system` by the descriptor.
pub(super) fn option<T>(
    io: &impl AsFd,
    system: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    _world: impl FnOnce(&mut SocketOptions) -> T,
) -> io::Result<T> {
    system(io.as_fd()).map_err(io::Error::from)
}
