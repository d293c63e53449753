//! TCP, UDP and Unix sockets, pipes, and name lookup.
//!
//! | Item | Use |
//! |---|---|
//! | [`TcpStream`] | a TCP connection: `connect`, `read`, `write_all` |
//! | [`TcpListener`] | accepts TCP connections: `bind`, `accept` |
//! | [`ConnectOptions`], [`ListenOptions`] | the options of connecting and of listening |
//! | [`TcpSocket`] | a TCP socket with options, before it connects or listens |
//! | [`ConnectError`] | the failure of each address that was tried |
//! | [`UdpSocket`], [`BindOptions`] | sends and receives UDP datagrams |
//! | [`UnixStream`], [`UnixListener`] | connections between the processes of one machine |
//! | [`UnixDatagram`] | datagrams between the processes of one machine |
//! | [`UnixSocket`] | a Unix socket before it connects or listens |
//! | [`PeerCred`] | the user, group and process at the other end of a `UnixStream` |
//! | [`pipe`] | the two ends of a pipe or FIFO |
//! | [`OwnedReadHalf`], [`OwnedWriteHalf`] | a connection split between two tasks |
//! | [`ReuniteError`] | two halves of different connections |
//! | [`sendfile()`] | sends a part of a file over TCP |
//! | [`lookup_host`], [`ToAddrs`] | the addresses of a host name |
#![cfg_attr(
    feature = "lookup-addr",
    doc = "| [`lookup_addr()`], [`NamedAddr`] | the host name of an address |"
)]
//! | [`Connection`], [`Transport`], [`Tcp`], [`Unix`] | the generic type of the streams |
//! | [`Listener`] | the generic type of the listeners |
//! | [`Incoming`], [`IntoIncoming`] | the connections of a listener, as a `Stream` |
//! | [`DatagramSocket`], [`Protocol`], [`Udp`] | the generic type of the datagram sockets |
//! | [`Truncated`] | a datagram that was longer than the buffer |
//!
//! All operations take `&self`. One task may read while another task writes, and several tasks may
//! wait for the same direction. Host names are looked up on the blocking pool, never on the event
//! loop.
//!
//! ```
//! use evloop::net::{TcpListener, TcpStream};
//!
//! evloop::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let addr = listener.local_addr()?;
//!     let server = evloop::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let mut buf = [0; 5];
//!         stream.read_exact(&mut buf).await?;
//!         stream.write_all(&buf).await
//!     });
//!     let stream = TcpStream::connect(addr).await?;
//!     stream.write_all(b"hello").await?;
//!     let mut buf = [0; 5];
//!     stream.read_exact(&mut buf).await?;
//!     assert_eq!(&buf, b"hello");
//!     server.await.unwrap()
//! }).unwrap();
//! ```

// Layer L4.

mod acceptor;
mod addrs;
#[cfg(unix)]
mod ancillary;
mod connect;
mod connection;
mod connection_ready;
mod connections;
mod datagram_ready;
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
mod pipe_ends;
#[cfg(unix)]
mod pipe_io;
#[cfg(unix)]
mod pipe_open;
#[cfg(unix)]
mod pipe_ready;
#[cfg(unix)]
mod pipe_transfer;
mod sendfile;
#[cfg_attr(feature = "sim", path = "net/world_options.rs")]
#[cfg(any(unix, feature = "sim"))]
mod socket_options;
mod split;
#[cfg_attr(feature = "sim", path = "net/system_or_world.rs")]
mod system;
mod system_calls;
mod tcp_listener;
#[cfg(unix)]
mod tcp_socket;
mod tcp_stream;
mod transport;
mod udp_many;
mod udp_socket;
#[cfg(unix)]
mod unix_datagram;
#[cfg(unix)]
mod unix_path;
#[cfg(unix)]
mod unix_socket;
#[cfg(unix)]
mod unix_stream;
#[cfg(feature = "sim")]
mod world_io;
#[cfg(feature = "sim")]
mod world_names;
#[cfg(feature = "sim")]
mod world_socket;
mod write_all;

pub(crate) use self::acceptor::{Acceptor, report_connection_error, spawn_server_task};
#[doc(alias = "ToSocketAddrs")]
#[doc(alias = "HostnameResolver")]
#[doc(alias = "AsyncToSocketAddrs")]
pub use self::addrs::ToAddrs;
#[doc(alias = "getaddrinfo")]
#[doc(alias = "gethostbyname")]
pub use self::addrs::lookup_host;
#[doc(alias = "all_errors")]
pub use self::connect::ConnectError;
pub use self::connect::ConnectOptions;
#[doc(alias = "SocketStream")]
pub use self::connection::Connection;
pub(crate) use self::connections::{Connections, Entry};
pub use self::datagram_socket::DatagramSocket;
#[doc(alias = "SocketListener")]
pub use self::listener::Listener;
pub use self::listener::{Incoming, IntoIncoming};
#[cfg(feature = "lookup-addr")]
pub use self::lookup_addr::NamedAddr;
#[cfg(feature = "lookup-addr")]
#[doc(alias = "getnameinfo")]
#[doc(alias = "gethostbyaddr")]
#[doc(alias = "getfqdn")]
pub use self::lookup_addr::lookup_addr;
pub use self::messages::Protocol;
#[doc(alias = "MSG_TRUNC")]
pub use self::messages::Truncated;
#[doc(alias = "sock_sendfile")]
pub use self::sendfile::sendfile;
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use self::tcp_listener::{ListenOptions, TcpListener};
#[cfg(unix)]
#[doc(alias("socket", "from_std_stream"))]
#[doc(alias = "getsockopt")]
pub use self::tcp_socket::TcpSocket;
pub use self::tcp_stream::Tcp;
pub use self::tcp_stream::TcpStream;
pub use self::transport::Transport;
pub use self::udp_socket::BindOptions;
pub use self::udp_socket::Udp;
#[doc(alias = "create_datagram_endpoint")]
#[doc(alias = "DatagramTransport")]
pub use self::udp_socket::UdpSocket;
#[cfg(unix)]
pub use self::unix_datagram::UnixDatagram;
#[cfg(unix)]
pub use self::unix_socket::UnixSocket;
#[cfg(unix)]
#[doc(alias = "UCred")]
pub use self::unix_stream::PeerCred;
#[cfg(unix)]
pub use self::unix_stream::UnixListener;
#[cfg(unix)]
pub use self::unix_stream::{Unix, UnixStream};
