//! L4: sockets.
//!
//! All operations take `&self`: one task may read while another writes, several may wait for the
//! same. Host names are looked up on a helper thread, never on the loop.

mod addrs;
mod connect;
mod connection;
mod datagram_socket;
mod endpoint;
#[cfg(unix)]
mod fd;
mod futures_io;
#[cfg(windows)]
mod handle;
mod listener;
#[cfg(feature = "lookup-addr")]
mod lookup_addr;
mod messages;
#[cfg(unix)]
pub mod pipe;
#[cfg(unix)]
mod pipe_io;
mod sendfile;
mod split;
mod tcp_listener;
mod tcp_stream;
mod transport;
mod udp_socket;
#[cfg(unix)]
mod unix_datagram;
#[cfg(unix)]
mod unix_listener;
#[cfg(unix)]
mod unix_path;
#[cfg(unix)]
mod unix_stream;

pub use self::addrs::{ToAddrs, lookup_host};
pub use self::connect::{ConnectError, ConnectOptions};
pub use self::connection::Connection;
pub use self::datagram_socket::DatagramSocket;
pub use self::listener::{Incoming, Listener};
#[cfg(feature = "lookup-addr")]
pub use self::lookup_addr::{NamedAddr, lookup_addr};
pub use self::messages::{Protocol, Truncated};
pub use self::sendfile::sendfile;
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use self::tcp_listener::{ListenOptions, TcpListener};
pub use self::tcp_stream::{Tcp, TcpStream};
pub use self::transport::Transport;
pub use self::udp_socket::{Udp, UdpSocket};
#[cfg(unix)]
pub use self::unix_datagram::UnixDatagram;
#[cfg(unix)]
pub use self::unix_listener::UnixListener;
#[cfg(unix)]
pub use self::unix_stream::{PeerCred, Unix, UnixStream};
