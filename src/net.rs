//! L4: sockets.
//!
//! All operations take `&self`: one task may read while another writes, several may wait for the
//! same. Host names are looked up on a helper thread, never on the loop.

mod addrs;
mod connect;
mod futures_io;
#[cfg_attr(windows, path = "net/listen_windows.rs")]
mod listen;
#[cfg_attr(windows, path = "net/send_vectored_windows.rs")]
mod send_vectored;
mod split;
mod tcp_listener;
mod tcp_ops;
mod tcp_stream;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use self::addrs::{ToAddrs, lookup_host};
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use self::tcp_listener::{Incoming, ListenOptions, TcpListener};
pub use self::tcp_stream::TcpStream;
