//! The signatures of a world. The bodies follow.
#![allow(clippy::unused_self, dead_code, unused_variables)]

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::unix::net::SocketAddr as UnixAddr;
use std::rc::Rc;
use std::time::Duration;

/// A host of the world. Numbers begin at 0, in the order of `add_host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostId(pub(crate) u32);

/// The independent streams of random numbers of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Network,
    Tasks,
    Program,
    Faults,
}

/// The distribution of the time that a packet takes, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Latency {
    Fixed(u64),
    /// Between the two, each as likely.
    Uniform(u64, u64),
    /// At least `min`; the rest has an exponential distribution with this mean.
    Exponential {
        min: u64,
        mean: u64,
    },
}

/// What holds for all links that have no settings of their own. `Default` is a calm network: 1 ms,
/// no loss, no short reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) latency: Latency,
    /// The chance that a packet is lost, 0.0 to 1.0. Under TCP a loss is a delay.
    pub(crate) loss: f64,
    /// The chance that a datagram arrives twice.
    pub(crate) duplicate: f64,
    /// The chance that a datagram is delayed once more, so that later ones overtake it.
    pub(crate) reorder: f64,
    /// Bytes a second of one direction of a link. `None`: no limit.
    pub(crate) bandwidth: Option<u64>,
    /// The chance that a read or write of a stream moves fewer bytes than it could.
    pub(crate) short_io: f64,
    /// Sizes of the buffers of a TCP socket, in bytes.
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

/// What `schedule` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Marks the host runnable, and hands the number to `take_calls`. Dropped if the host dies.
    Call(HostId, u64),
    /// Marks the host runnable.
    Turn(HostId),
}

/// The readiness of a socket since the last call of `take_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Always set: a short count is no sign of a drained or full buffer.
    pub(crate) special: bool,
}

/// A world.
pub(crate) struct World;

/// While it lives, its world is the current one of the thread.
pub(crate) struct Entered;

/// The current world of this thread.
pub(crate) fn current() -> Option<Rc<World>> {
    unimplemented!()
}

pub(crate) fn is_current() -> bool {
    unimplemented!()
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings) -> Rc<World> {
        unimplemented!()
    }
    /// # Panics
    /// If the thread has a current world.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        unimplemented!()
    }
    /// Whose code runs now.
    pub(crate) fn set_host(&self, host: Option<HostId>) {
        unimplemented!()
    }
    pub(crate) fn host(&self) -> Option<HostId> {
        unimplemented!()
    }
    /// The true virtual time.
    pub(crate) fn nanos(&self) -> u64 {
        unimplemented!()
    }
    /// The monotonic clock of the current host (with drift, without offset); true time if none.
    pub(crate) fn host_nanos(&self) -> u64 {
        unimplemented!()
    }
    /// The wall clock of the current host: `host_nanos` plus its offset.
    pub(crate) fn wall_nanos(&self) -> i128 {
        unimplemented!()
    }
    /// The first true time at which the monotonic clock of `host` has reached `host_nanos`.
    pub(crate) fn true_nanos(&self, host: HostId, host_nanos: u64) -> u64 {
        unimplemented!()
    }
    /// Lets the time pass without events, as for a turn that costs 1 us. Does not pass an event.
    pub(crate) fn pass(&self, nanos: u64) {
        unimplemented!()
    }

    /// Makes a host with one IPv4 and one IPv6 address. It is up.
    pub(crate) fn add_host(&self, name: &str) -> HostId {
        unimplemented!()
    }
    /// Gives the host one more IPv4 address, which its name has, too.
    pub(crate) fn add_addr(&self, host: HostId) -> IpAddr {
        unimplemented!()
    }
    /// Makes a name of any addresses, also of some that no host has: they do not answer.
    pub(crate) fn add_name(&self, name: &str, addrs: &[IpAddr]) {
        unimplemented!()
    }
    /// The addresses of a name: IPv6 first. `localhost` is that of the current host.
    pub(crate) fn addrs(&self, name: &str) -> Option<Vec<IpAddr>> {
        unimplemented!()
    }
    pub(crate) fn name(&self, host: HostId) -> Rc<str> {
        unimplemented!()
    }
    /// The host that has the address; loopback: the current host.
    pub(crate) fn host_of(&self, addr: IpAddr) -> Option<HostId> {
        unimplemented!()
    }

    pub(crate) fn mark_runnable(&self, host: HostId) {
        unimplemented!()
    }
    /// A seeded choice; removes the mark. Paused hosts and those that are down are not chosen.
    pub(crate) fn next_runnable(&self) -> Option<HostId> {
        unimplemented!()
    }
    /// When the host is turned next, in true nanoseconds.
    pub(crate) fn set_timer(&self, host: HostId, at: Option<u64>) {
        unimplemented!()
    }
    /// Handles the next event, and advances the time to it. `false`: nothing is left.
    pub(crate) fn advance(&self) -> bool {
        unimplemented!()
    }
    /// The time of the next event.
    pub(crate) fn next_event(&self) -> Option<u64> {
        unimplemented!()
    }
    pub(crate) fn take_events(&self, host: HostId, into: &mut Vec<Event>) {
        unimplemented!()
    }
    pub(crate) fn take_calls(&self, host: HostId, into: &mut Vec<u64>) {
        unimplemented!()
    }
    pub(crate) fn random(&self, stream: Stream) -> u64 {
        unimplemented!()
    }
    pub(crate) fn schedule(&self, after: u64, action: Action) {
        unimplemented!()
    }

    // Faults. Those of a link hold for packets from `from` to `to`: call twice for both ways.
    pub(crate) fn partition(&self, from: HostId, to: HostId) {
        unimplemented!()
    }
    pub(crate) fn heal(&self, from: HostId, to: HostId) {
        unimplemented!()
    }
    /// Packets wait until `release`.
    pub(crate) fn hold(&self, from: HostId, to: HostId) {
        unimplemented!()
    }
    pub(crate) fn release(&self, from: HostId, to: HostId) {
        unimplemented!()
    }
    pub(crate) fn set_latency(&self, from: HostId, to: HostId, latency: Option<Latency>) {
        unimplemented!()
    }
    pub(crate) fn set_loss(&self, from: HostId, to: HostId, loss: Option<f64>) {
        unimplemented!()
    }
    pub(crate) fn set_bandwidth(&self, from: HostId, to: HostId, bandwidth: Option<u64>) {
        unimplemented!()
    }
    /// Resets all TCP connections between the two, and returns how many.
    pub(crate) fn reset(&self, one: HostId, other: HostId) -> usize {
        unimplemented!()
    }
    /// Power failure: its sockets are gone, and no packet leaves. Call before its loop is dropped.
    pub(crate) fn crash(&self, host: HostId) {
        unimplemented!()
    }
    /// The system closes the sockets: FIN or RST. Call before its loop is dropped.
    pub(crate) fn kill(&self, host: HostId) {
        unimplemented!()
    }
    /// The host is up again, after `crash` or `kill`.
    pub(crate) fn start(&self, host: HostId) {
        unimplemented!()
    }
    pub(crate) fn is_up(&self, host: HostId) -> bool {
        unimplemented!()
    }
    /// The host does not run; its system still acknowledges.
    pub(crate) fn pause(&self, host: HostId) {
        unimplemented!()
    }
    pub(crate) fn resume(&self, host: HostId) {
        unimplemented!()
    }
    pub(crate) fn set_clock(&self, host: HostId, offset_nanos: i64, drift_ppm: i64) {
        unimplemented!()
    }
    /// The number of sockets of all kinds that exist, and of events that are scheduled.
    pub(crate) fn live(&self) -> (usize, usize) {
        unimplemented!()
    }
}

/// The options of a TCP socket. An accepted connection has those of its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpOptions {
    pub(crate) nodelay: bool,
    pub(crate) quickack: bool,
    pub(crate) keepalive: bool,
    pub(crate) linger: Option<Duration>,
    pub(crate) ttl: u32,
    pub(crate) tos: u8,
    pub(crate) tclass: u32,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    /// As getsockopt(2) returns it: the doubled size. `set_send_buffer` doubles.
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

impl TcpOptions {
    pub(crate) fn set_send_buffer(&mut self, size: usize) {
        unimplemented!()
    }
    pub(crate) fn set_receive_buffer(&mut self, size: usize) {
        unimplemented!()
    }
}

/// A TCP socket that is neither connected nor listening.
#[derive(Debug)]
pub(crate) struct TcpSocket;

impl TcpSocket {
    pub(crate) fn new_v4() -> io::Result<TcpSocket> {
        unimplemented!()
    }
    pub(crate) fn new_v6() -> io::Result<TcpSocket> {
        unimplemented!()
    }
    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        unimplemented!()
    }
    /// Starts to connect. The stream becomes writable when it has connected or failed.
    pub(crate) fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn options(&self) -> TcpOptions {
        unimplemented!()
    }
    pub(crate) fn set_options(&self, options: TcpOptions) {
        unimplemented!()
    }
}

#[derive(Debug)]
pub(crate) struct TcpStream;

impl TcpStream {
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
        unimplemented!()
    }
    pub(crate) fn connect_from(local: SocketAddr, addr: SocketAddr) -> io::Result<TcpStream> {
        unimplemented!()
    }
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    /// Reads into the spare capacity.
    pub(crate) fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn options(&self) -> TcpOptions {
        unimplemented!()
    }
    pub(crate) fn set_options(&self, options: TcpOptions) {
        unimplemented!()
    }
    /// From now on `take_events` reports the readiness with this token; first the present one.
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[derive(Debug)]
pub(crate) struct TcpListener;

impl TcpListener {
    pub(crate) fn bind(
        addr: SocketAddr,
        backlog: u32,
        options: Option<TcpOptions>,
    ) -> io::Result<TcpListener> {
        unimplemented!()
    }
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn options(&self) -> TcpOptions {
        unimplemented!()
    }
    pub(crate) fn set_options(&self, options: TcpOptions) {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

/// The options of a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UdpOptions {
    pub(crate) broadcast: bool,
    pub(crate) ttl: u32,
    pub(crate) tos: u8,
    pub(crate) tclass: u32,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

#[derive(Debug)]
pub(crate) struct UdpSocket;

impl UdpSocket {
    pub(crate) fn bind(addr: SocketAddr, options: Option<UdpOptions>) -> io::Result<UdpSocket> {
        unimplemented!()
    }
    pub(crate) fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        unimplemented!()
    }
    /// Copies the beginning of the datagram into `buf`, and returns its whole length, which may be
    /// longer than `buf`, and its sender.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        unimplemented!()
    }
    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn options(&self) -> UdpOptions {
        unimplemented!()
    }
    pub(crate) fn set_options(&self, options: UdpOptions) {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixStream;

#[cfg(unix)]
impl UnixStream {
    /// Connects at once. `WouldBlock` if the queue of the listener is full.
    pub(crate) fn connect(addr: &UnixAddr) -> io::Result<UnixStream> {
        unimplemented!()
    }
    pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
        unimplemented!()
    }
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixListener;

#[cfg(unix)]
impl UnixListener {
    pub(crate) fn bind(addr: &UnixAddr, backlog: u32) -> io::Result<UnixListener> {
        unimplemented!()
    }
    pub(crate) fn accept(&self) -> io::Result<(UnixStream, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixDatagram;

#[cfg(unix)]
impl UnixDatagram {
    pub(crate) fn bind(addr: &UnixAddr) -> io::Result<UnixDatagram> {
        unimplemented!()
    }
    pub(crate) fn unbound() -> io::Result<UnixDatagram> {
        unimplemented!()
    }
    pub(crate) fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        unimplemented!()
    }
    pub(crate) fn connect(&self, addr: &UnixAddr) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn send_to(&self, buf: &[u8], addr: &UnixAddr) -> io::Result<usize> {
        unimplemented!()
    }
    /// As that of `UdpSocket`.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

/// Removes the name of a Unix socket, as unlink(2) does. Returns whether it existed.
#[cfg(unix)]
pub(crate) fn unlink(path: &std::path::Path) -> bool {
    unimplemented!()
}

/// Makes a pipe of the current host.
pub(crate) fn pipe() -> io::Result<(PipeSender, PipeReceiver)> {
    unimplemented!()
}

#[derive(Debug)]
pub(crate) struct PipeSender;

impl PipeSender {
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[derive(Debug)]
pub(crate) struct PipeReceiver;

impl PipeReceiver {
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            latency: Latency::Fixed(1_000_000),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            bandwidth: None,
            short_io: 0.0,
            send_buffer: 256 * 1024,
            receive_buffer: 128 * 1024,
        }
    }
}
