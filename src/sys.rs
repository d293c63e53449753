//! L0: the code that differs between operating systems.
//!
//! There is one file per platform. The files of a row define the same names, so that the rest of
//! the crate uses a name and does not check for a system.
//!
//! | files | differ by |
//! |---|---|
//! | `unix`, `windows` | the family: handles, server sockets, datagrams, reading files |
//! | `linux`, `not_linux` | the kernel: the clock, sendfile(2), abstract names of Unix sockets |
//! | `epoll`, `no_epoll` | the selector: a timer finer than a millisecond, the meaning of edges |
//! | `pidfd`, `no_pidfd` | processes: a descriptor that becomes readable when one ends |
//! | `pipe_write`, `no_pipe_write` | pipes: a write that raises no SIGPIPE, one that never waits |
//! | `send_many`, `no_send_many` | UDP: several datagrams in one system call |
//!
//! All of them use `accept_failure`. With mio's poll(2) selector on Linux
//! (`--cfg mio_unsupported_force_poll_poll`), the portable files of the last four rows are
//! compiled, so that tests on Linux cover them.

mod accept_failure;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(mio_unsupported_force_poll_poll)))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
)))]
mod no_epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod not_linux;
#[cfg(all(unix, feature = "process"))]
#[cfg_attr(
    not(all(target_os = "linux", not(mio_unsupported_force_poll_poll))),
    path = "sys/no_pidfd.rs"
)]
mod pidfd;
#[cfg(unix)]
#[cfg_attr(
    not(all(target_os = "linux", not(mio_unsupported_force_poll_poll))),
    path = "sys/no_pipe_write.rs"
)]
mod pipe_write;
#[cfg_attr(
    not(all(target_os = "linux", not(mio_unsupported_force_poll_poll))),
    path = "sys/no_send_many.rs"
)]
mod send_many;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use self::accept_failure::AcceptFailure;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
))]
pub(crate) use self::epoll::{Alarm, IS_EMULATED, SHORT_IS_DRAINED, is_forgotten};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::linux::{
    Monotonic, abstract_address, abstract_of_raw, abstract_to_raw, coarse_nanos, sendfile,
    thread_number,
};
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(mio_unsupported_force_poll_poll)
)))]
pub(crate) use self::no_epoll::{Alarm, IS_EMULATED, SHORT_IS_DRAINED, is_forgotten};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::not_linux::{Monotonic, coarse_nanos, sendfile, thread_number};
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) use self::not_linux::{abstract_address, abstract_of_raw, abstract_to_raw};
#[cfg(all(unix, feature = "process"))]
pub(crate) use self::pidfd::Pidfd;
#[cfg(unix)]
pub(crate) use self::pipe_write::{write_now, write_pipe};
pub(crate) use self::send_many::send_many;
#[cfg(unix)]
pub(crate) use self::unix::{
    AsDescriptor, AsFile, CLOSE_ON_EXEC, Descriptor, NO_SIGNAL, Owned, accept_failure, bind_udp,
    descriptor, duplicate, is_nonblocking, is_unconnected, listen, open, peek_bytes, read_at,
    receive, receive_anonymous, receive_bytes, receive_into, receive_udp, receive_udp_anonymous,
    receive_vectored, send_bytes, send_udp, send_udp_connected, send_vectored, start_connect,
    with_close_on_exec, with_nonblocking,
};
#[cfg(windows)]
pub(crate) use self::windows::{
    AsDescriptor, AsFile, Descriptor, Owned, accept_failure, bind_udp, descriptor, duplicate,
    is_nonblocking, is_unconnected, listen, peek_bytes, read_at, receive_bytes, receive_into,
    receive_udp, receive_udp_anonymous, receive_vectored, send_bytes, send_udp, send_udp_connected,
    send_vectored, with_nonblocking,
};
