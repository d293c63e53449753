//! L4: sockets.
//!
//! All operations take `&self`: one task may read while another writes, several may wait for the
//! same. Host names are looked up on a helper thread, never on the loop.

#[cfg(unix)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "net/no_abstract_name.rs")]
mod abstract_name;
mod accept_failure;
mod addrs;
mod connect;
#[cfg_attr(windows, path = "net/connect_from_windows.rs")]
mod connect_from;
mod connection;
mod counted;
mod datagram_socket;
mod endpoint;
#[cfg(unix)]
mod fd;
#[cfg_attr(windows, path = "net/file_at_windows.rs")]
mod file_at;
mod futures_io;
#[cfg(windows)]
mod handle;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "net/no_kernel_sendfile.rs"
)]
mod kernel_sendfile;
#[cfg_attr(windows, path = "net/listen_windows.rs")]
mod listen;
mod listener;
#[cfg(feature = "lookup-addr")]
mod lookup_addr;
mod messages;
#[cfg_attr(windows, path = "net/owned_windows.rs")]
mod owned;
#[cfg(unix)]
pub mod pipe;
#[cfg(unix)]
mod pipe_io;
#[cfg(unix)]
#[cfg_attr(
    not(all(target_os = "linux", not(mio_unsupported_force_poll_poll))),
    path = "net/no_pipe_write.rs"
)]
mod pipe_write;
#[cfg_attr(windows, path = "net/receive_windows.rs")]
mod receive;
#[cfg_attr(windows, path = "net/send_vectored_windows.rs")]
mod send_vectored;
mod sendfile;
mod split;
mod tcp_listener;
mod tcp_stream;
mod transport;
mod truncated;
mod udp_socket;
#[cfg(unix)]
mod unix_datagram;
#[cfg(unix)]
mod unix_listener;
#[cfg(unix)]
mod unix_path;
#[cfg(unix)]
mod unix_stream;
#[cfg(unix)]
mod until_room;

pub(crate) use self::accept_failure::AcceptFailure;
pub use self::addrs::{ToAddrs, lookup_host};
pub use self::connect::{ConnectError, ConnectOptions};
pub use self::connection::Connection;
pub use self::datagram_socket::DatagramSocket;
pub(crate) use self::listen::accept_failure;
pub use self::listener::{Incoming, Listener};
#[cfg(feature = "lookup-addr")]
pub use self::lookup_addr::{NamedAddr, lookup_addr};
pub use self::messages::Protocol;
pub use self::sendfile::sendfile;
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use self::tcp_listener::{ListenOptions, TcpListener};
pub use self::tcp_stream::{Tcp, TcpStream};
pub use self::transport::Transport;
pub use self::truncated::Truncated;
pub use self::udp_socket::{Udp, UdpSocket};
#[cfg(unix)]
pub use self::unix_datagram::UnixDatagram;
#[cfg(unix)]
pub use self::unix_listener::UnixListener;
#[cfg(unix)]
pub use self::unix_stream::{PeerCred, Unix, UnixStream};
