//! L0: a simulated world: virtual time, hosts, a network, and the sockets in it.
//!
//! It is a data structure. It calls no user code and no waker, and has no thread. The driver makes
//! a host current, runs its loop, and advances the time when no host is runnable. One world a
//! thread.

// Parts that know nothing of a world.
mod byte_queue;
mod event_queue;
mod failure;
mod host_clock;
mod ports;
mod random;
mod settings;
mod socket_options;
mod table;
mod watch;

// What a world consists of.
mod channel;
mod hosts;
mod links;
mod state;
mod tcp_backlog;
mod tcp_flow;
mod udp_queue;
mod unix_queue;

// The rules.
mod channel_calls;
mod faults;
mod tcp_calls;
mod tcp_handshake;
mod tcp_receive;
mod tcp_send;
mod time;
mod udp_calls;
mod unix_calls;

// What the driver and the sockets of a loop use.
mod alone;
mod channel_io;
mod handle;
mod here;
#[cfg(unix)]
mod pipe;
mod tcp_socket;
mod tcp_stream;
mod udp_socket;
#[cfg(unix)]
mod unix_datagram;
#[cfg(unix)]
mod unix_stream;

// The record of a run.
mod trace;
mod trace_calls;
mod trace_difference;
mod trace_entry;
mod trace_events;
mod trace_hash;
mod trace_mermaid;
mod trace_record;
#[cfg(test)]
mod trace_tests;
mod trace_text;

pub(crate) use alone::{OnHost, OwnHost};
pub(crate) use handle::{World, current};
pub(crate) use here::{
    Here, INTRUSION, check_outside, driven, here, note_registration, ordinal, reset,
    take_intrusion, unsupported,
};
pub(crate) use hosts::HostId;
#[cfg(unix)]
pub(crate) use pipe::{PipeReceiver, PipeSender, pipe};
pub(crate) use random::Stream;
pub(crate) use settings::{Latency, Settings};
pub(crate) use socket_options::SocketOptions;
pub(crate) use tcp_socket::{TcpListener, TcpSocket};
pub(crate) use tcp_stream::TcpStream;
pub(crate) use time::TURNS_WITHOUT_EVENT;
pub use trace::Trace;
pub(crate) use trace_entry::Kind;
pub(crate) use trace_record::Record;
pub(crate) use udp_socket::UdpSocket;
#[cfg(unix)]
pub(crate) use unix_datagram::UnixDatagram;
#[cfg(unix)]
pub(crate) use unix_queue::UnixName;
#[cfg(unix)]
pub(crate) use unix_stream::{UnixListener, UnixStream};
pub(crate) use watch::Event;

#[cfg(test)]
mod address_tests;
#[cfg(all(test, target_os = "linux"))]
mod facts_tests;
#[cfg(test)]
mod lab_tests;
#[cfg(all(test, unix))]
mod local_tests;
#[cfg(test)]
mod tcp_flow_tests;
#[cfg(test)]
mod tcp_tests;
#[cfg(test)]
mod udp_tests;
#[cfg(test)]
mod world_tests;
