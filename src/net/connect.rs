//! Connecting to one of several addresses: RFC 8305, "Happy Eyeballs".

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::addrs::{ToAddrs, resolve};
use super::tcp_stream::TcpStream;
use super::transport::whole;
use crate::context;
use crate::current::budget;
use crate::reactor::{Direction, Socket, WaiterKey};
use crate::sys::connect_from;
use crate::time::{Sleep, sleep};

/// How a [`TcpStream`] connects.
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
    /// How long an attempt is given before the next begins beside it. Default: 250 ms, as RFC 8305
    /// has it (section 5).
    #[doc(alias = "happy_eyeballs_delay")]
    pub attempt_delay: Duration,
    /// The address to connect from; its port may be 0, for the system to choose. Only addresses of
    /// its family are tried. Default: `None`, the system's choice. An error of kind `Unsupported`
    /// on Windows.
    pub local_addr: Option<SocketAddr>,
}

/// No address answered: what became of each attempt, the first to fail first. Inside of an
/// [`io::Error`] of the first one's kind.
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
#[doc(alias = "all_errors")]
#[non_exhaustive]
pub struct ConnectError {
    /// The addresses, and why each is not connected to.
    pub failures: Vec<(SocketAddr, io::Error)>,
}

/// Connections being attempted, and addresses not tried yet.
struct Race<'a> {
    options: &'a ConnectOptions,
    untried: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    /// Until the next attempt begins, while there is one to begin.
    delay: Option<Sleep>,
    failures: Vec<(SocketAddr, io::Error)>,
}

/// A socket that is connecting.
struct Attempt {
    addr: SocketAddr,
    socket: Socket<mio::net::TcpStream>,
    waiter: WaiterKey,
}

impl TcpStream {
    /// Connects to the first address that answers.
    ///
    /// A name is looked up on a helper thread. Several addresses are tried by RFC 8305, Happy
    /// Eyeballs: families in turn, the next attempt after 250 ms or as soon as the one before
    /// failed; the first connection wins, and the other attempts are closed.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is no address; what the resolver says if the name is not
    /// found; [`ConnectError`] if no address answers.
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
    pub async fn connect(addr: impl ToAddrs) -> io::Result<TcpStream> {
        TcpStream::connect_with(addr, &ConnectOptions::default()).await
    }

    /// Connects as `options` say.
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
        budget::unit().await;
        let addrs = resolve(addr.target()?).await?;
        race(interleave(addrs), options).await
    }
}

/// Connects to the first of `addrs` that answers.
async fn race(addrs: Vec<SocketAddr>, options: &ConnectOptions) -> io::Result<TcpStream> {
    let (untried, attempts, failures) = (addrs.into(), Vec::new(), Vec::new());
    let mut race = Race { options, untried, attempts, delay: None, failures };
    race.begin_next();
    poll_fn(|cx| race.poll(cx)).await
}

/// The families in turn, beginning with the first one's, each in its own order (RFC 8305,
/// section 4).
fn interleave(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addrs.into_iter().partition(|addr| addr.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    for addr in first {
        mixed.push(addr);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Some(winner) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(winner));
            }
            if self.attempts.is_empty() {
                // An attempt that fails makes way for the next without delay.
                if !self.begin_next() {
                    return Poll::Ready(Err(self.failure()));
                }
                continue;
            }
            let Some(delay) = &mut self.delay else { return Poll::Pending };
            if Pin::new(delay).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.begin_next();
        }
    }

    /// The first attempt that has succeeded. Those that failed are closed and noted.
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
                    // Do not wait for the delay: an attempt has failed.
                    self.begin_next();
                }
            }
        }
        None
    }

    /// Begins the next attempt. `false` if no address is left.
    fn begin_next(&mut self) -> bool {
        self.delay = None;
        while let Some(addr) = self.untried.pop_front() {
            match Attempt::begin(addr, self.options) {
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

    /// One error of all.
    fn failure(&mut self) -> io::Error {
        let failures = std::mem::take(&mut self.failures);
        io::Error::new(failures[0].1.kind(), ConnectError { failures })
    }
}

impl Attempt {
    fn begin(addr: SocketAddr, options: &ConnectOptions) -> io::Result<Attempt> {
        let reactor = context::expect("TcpStream::connect").reactor.clone();
        let stream = match options.local_addr {
            None => mio::net::TcpStream::connect(addr)?,
            Some(local) => mio::net::TcpStream::from_std(connect_from(local, addr)?),
        };
        // The event that ends connecting always comes: there is no use in looking before it.
        let socket = Socket::new(stream, reactor, false)?;
        Ok(Attempt { addr, socket, waiter: WaiterKey::default() })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self
            .socket
            .poll_io(Direction::Write, cx, &mut self.waiter, |io| whole(io.try_io(|| look(io))));
        if polled.is_ready() {
            self.socket.leave(Direction::Write, &mut self.waiter);
        }
        polled
    }
}

/// Whether a socket has connected.
fn look(io: &mio::net::TcpStream) -> io::Result<()> {
    if let Some(error) = io.take_error()? {
        return Err(error);
    }
    match io.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        peer => peer.map(drop),
    }
}

impl ConnectError {
    /// What `error` is about, if it is this.
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

impl Error for ConnectError {
    /// The first failure, whose `raw_os_error` is the system's.
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
    fn families_take_turns() {
        let addrs = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>();
        let mixed = interleave(addrs(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(mixed, addrs(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        let mixed = interleave(addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(mixed, addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
    }
}
