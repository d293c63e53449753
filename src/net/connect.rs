//! Connecting to one of several addresses: RFC 8305, "Happy Eyeballs". Layer L4.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::addrs::{ToAddrs, resolve};
use super::system;
#[cfg(unix)]
use super::system::TcpFd;
use super::tcp_stream::TcpStream;
use super::transport::{StreamIo, done};
use crate::context;
use crate::current::budget;
use crate::reactor::{Direction, Reactor, Socket, WaiterKey};
use crate::time::{Sleep, sleep};

/// The options of [`TcpStream::connect_with`].
///
/// ```
/// use evloop::net::{ConnectOptions, TcpListener, TcpStream};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let local_addr = Some(([127, 0, 0, 1], 0).into());
///     let options = ConnectOptions { local_addr, ..ConnectOptions::default() };
///     TcpStream::connect_with(listener.local_addr()?, &options).await?;
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The time after which the next attempt starts beside one that has not completed. Default:
    /// 250 ms, the value that RFC 8305 recommends (section 5).
    #[doc(alias = "happy_eyeballs_delay")]
    pub attempt_delay: Duration,
    /// The local address of the connection. With port 0 the system chooses the port. Only addresses
    /// of its family are tried. Default: `None`, the system's choice. On Windows any other value is
    /// an error of kind `Unsupported`.
    pub local_addr: Option<SocketAddr>,
}

/// The failure of all attempts of a connect, in the order in which they failed.
///
/// It is inside an [`io::Error`] that has the kind of the first failure.
///
/// ```
/// use evloop::net::{ConnectError, TcpListener, TcpStream};
///
/// evloop::block_on(async {
///     let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
///     let error = TcpStream::connect(closed).await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
///     assert_eq!(ConnectError::of(&error).unwrap().failures[0].0, closed);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectError {
    /// The addresses, each with its error.
    pub failures: Vec<(SocketAddr, io::Error)>,
}

/// The state of one connect: the running attempts, and the addresses not tried yet.
struct Race<'a> {
    options: &'a ConnectOptions,
    reactor: &'a Rc<Reactor>,
    untried: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    /// The timer of the next attempt. `None` if no attempt is left to start.
    delay: Option<Sleep>,
    failures: Vec<(SocketAddr, io::Error)>,
}

/// A socket that is connecting.
struct Attempt {
    addr: SocketAddr,
    socket: Socket<system::TcpStream>,
    waiter: WaiterKey,
}

impl TcpStream {
    /// Connects to the first address that answers.
    ///
    /// A host name is looked up on the blocking pool. Several addresses are tried as RFC 8305,
    /// Happy Eyeballs, describes. The address families alternate. The next attempt starts after
    /// 250 ms, or as soon as an attempt fails. The first connection is returned, and the other
    /// attempts are closed.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is not an address. The resolver's error if the name is not
    /// found. [`ConnectError`] if no address answers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all attempts.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_connection")]
    #[doc(alias = "sock_connect")]
    #[doc(alias = "open_tcp_stream")]
    pub async fn connect(addr: impl ToAddrs) -> io::Result<TcpStream> {
        TcpStream::connect_with(addr, &ConnectOptions::default()).await
    }

    /// Connects with the given options, as [`connect`](TcpStream::connect) does.
    ///
    /// # Errors
    ///
    /// As [`connect`](TcpStream::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all attempts.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn connect_with(
        addr: impl ToAddrs,
        options: &ConnectOptions,
    ) -> io::Result<TcpStream> {
        let context = context::expect("TcpStream::connect");
        budget::unit().await;
        let addrs = resolve(addr.target()?).await?;
        race(interleave(addrs), options, &context.reactor).await
    }
}

/// Connects to the first of the addresses that answers.
async fn race(
    untried: VecDeque<SocketAddr>,
    options: &ConnectOptions,
    reactor: &Rc<Reactor>,
) -> io::Result<TcpStream> {
    let (attempts, failures) = (Vec::new(), Vec::new());
    let mut race = Race { options, reactor, untried, attempts, delay: None, failures };
    race.start_next();
    poll_fn(|cx| race.poll(cx)).await
}

/// Alternates the address families, starting with the family of the first address. The order
/// within a family stays (RFC 8305, section 4).
fn interleave(addrs: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for addr in addrs {
        let family = if addr.is_ipv6() == first_is_v6 { &mut first } else { &mut second };
        family.push_back(addr);
    }
    let mut mixed = VecDeque::new();
    while let Some(addr) = first.pop_front().or_else(|| second.pop_front()) {
        mixed.push_back(addr);
        if let Some(addr) = second.pop_front() {
            mixed.push_back(addr);
        }
    }
    mixed
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Some(winner) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(winner));
            }
            if self.attempts.is_empty() {
                // The last attempt failed: the next one starts without a delay.
                if !self.start_next() {
                    return Poll::Ready(Err(self.failure()));
                }
                continue;
            }
            let Some(delay) = &mut self.delay else { return Poll::Pending };
            if Pin::new(delay).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.start_next();
        }
    }

    /// Returns the first attempt that has connected. Closes failed attempts and stores their
    /// errors.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<TcpStream> {
        let mut i = 0;
        while let Some(attempt) = self.attempts.get_mut(i) {
            match attempt.poll(cx) {
                Poll::Pending => i += 1,
                Poll::Ready(result) => {
                    let Attempt { addr, socket, .. } = self.attempts.remove(i);
                    match result {
                        Ok(()) => return Some(TcpStream::new(socket)),
                        Err(error) => self.failures.push((addr, error)),
                    }
                    // After a failure the next attempt starts without a delay.
                    self.start_next();
                }
            }
        }
        None
    }

    /// Starts the next attempt. Returns `false` if no address is left.
    fn start_next(&mut self) -> bool {
        self.delay = None;
        while let Some(addr) = self.untried.pop_front() {
            match Attempt::start(addr, self.options, self.reactor) {
                Ok(attempt) => {
                    self.attempts.push(attempt);
                    self.delay =
                        (!self.untried.is_empty()).then(|| sleep(self.options.attempt_delay));
                    return true;
                }
                Err(error) => self.failures.push((addr, error)),
            }
        }
        false
    }

    /// Returns one error that holds all failures.
    fn failure(&mut self) -> io::Error {
        ConnectError { failures: std::mem::take(&mut self.failures) }.into()
    }
}

impl Attempt {
    fn start(
        addr: SocketAddr,
        options: &ConnectOptions,
        reactor: &Rc<Reactor>,
    ) -> io::Result<Attempt> {
        Attempt::started(addr, system::connect(addr, options.local_addr)?, reactor)
    }

    fn started(
        addr: SocketAddr,
        stream: system::TcpStream,
        reactor: &Rc<Reactor>,
    ) -> io::Result<Attempt> {
        // Connecting always ends with an event: a check before that event is a wasted system call.
        let socket = Socket::new(stream, reactor.clone(), false)?;
        Ok(Attempt { addr, socket, waiter: WaiterKey::default() })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.socket.poll_io(Direction::Write, cx, &mut self.waiter, |io| {
            done(io.try_io(|| connected(io)))
        });
        if polled.is_ready() {
            self.socket.deregister(Direction::Write, &mut self.waiter);
        }
        polled
    }
}

/// Connects a socket that the caller made.
#[cfg(unix)]
pub(super) async fn connect_socket(
    fd: TcpFd,
    addr: SocketAddr,
    reactor: &Rc<Reactor>,
) -> io::Result<TcpStream> {
    budget::unit().await;
    let connected = async {
        let mut attempt = Attempt::started(addr, system::connect_tcp(fd, addr)?, reactor)?;
        poll_fn(|cx| attempt.poll(cx)).await?;
        Ok(TcpStream::new(attempt.socket))
    };
    connected.await.map_err(|error| ConnectError { failures: vec![(addr, error)] }.into())
}

/// Returns the result of a connect. `WouldBlock` while it is still running.
fn connected(io: &system::TcpStream) -> io::Result<()> {
    // SO_ERROR is read first: a failed connect has no peer either, and would look unfinished.
    if let Some(error) = StreamIo::take_error(io)? {
        return Err(error);
    }
    match StreamIo::peer_addr(io) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        peer => peer.map(drop),
    }
}

impl ConnectError {
    /// Returns the `ConnectError` inside `error`, if there is one.
    pub fn of(error: &io::Error) -> Option<&ConnectError> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not connect to ")?;
        for (i, (addr, error)) in self.failures.iter().enumerate() {
            write!(f, "{}{addr}: {error}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl From<ConnectError> for io::Error {
    /// Returns an error of the kind of the first failure.
    fn from(error: ConnectError) -> io::Error {
        let first = error.failures.first();
        io::Error::new(first.map_or(io::ErrorKind::Other, |(_, error)| error.kind()), error)
    }
}

impl Error for ConnectError {
    /// Returns the first failure. Its `raw_os_error` is the system's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (_, error) = self.failures.first()?;
        Some(error)
    }
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions { attempt_delay: Duration::from_millis(250), local_addr: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_families_alternate() {
        let addrs = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>();
        let mixed = interleave(addrs(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(mixed, addrs(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        let mixed = interleave(addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(mixed, addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
    }
}
