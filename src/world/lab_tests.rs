//! Two hosts and what the tests of the protocols do with them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use super::handle::Entered;
use super::*;

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

/// A world with two hosts, `one` and `two`, at a distance of 1 ms.
pub(super) struct Lab {
    pub(super) world: Rc<World>,
    pub(super) one: HostId,
    pub(super) two: HostId,
    _entered: Entered,
}

impl Lab {
    pub(super) fn new() -> Lab {
        Lab::with(1, Settings::default())
    }

    pub(super) fn with(seed: u64, settings: Settings) -> Lab {
        let world = World::new(seed, settings);
        let (one, two) = (world.add_host("one"), world.add_host("two"));
        let entered = world.enter();
        Lab { world, one, two, _entered: entered }
    }

    /// Runs `f` as code of `host`.
    pub(super) fn on<R>(&self, host: HostId, f: impl FnOnce() -> R) -> R {
        self.world.set_host(Some(host));
        f()
    }

    /// Handles all events, at most those of a day.
    pub(super) fn settle(&self) {
        self.pass(86_400 * SECOND);
    }

    /// Handles the events of a time, and moves the clock by it if they last so long.
    pub(super) fn pass(&self, nanos: u64) {
        let end = self.world.nanos() + nanos;
        while self.world.next_event().is_some_and(|at| at <= end) {
            self.world.advance();
        }
        if self.world.next_event().is_some() {
            self.world.pass(end - self.world.nanos());
        }
    }

    pub(super) fn addr(&self, host: HostId, port: u16) -> SocketAddr {
        let addrs = self.world.addrs(&self.world.name(host)).unwrap();
        SocketAddr::new(addrs[1], port)
    }

    pub(super) fn listen(&self) -> TcpListener {
        self.on(self.two, || TcpListener::bind(self.addr(self.two, 80), 16, None)).unwrap()
    }

    pub(super) fn dial(&self) -> TcpStream {
        self.on(self.one, || TcpStream::connect(self.addr(self.two, 80))).unwrap()
    }

    /// Returns the two ends of a connection, the client's first.
    pub(super) fn pair(&self) -> (TcpStream, TcpStream) {
        let listener = self.listen();
        let client = self.dial();
        self.pass(10 * MS);
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(client.local_addr().unwrap(), peer);
        (client, server)
    }

    pub(super) fn events(&self, host: HostId) -> Vec<(usize, bool, bool)> {
        let mut events = Vec::new();
        self.world.take_events(host, &mut events);
        events.iter().map(|event| (event.token, event.readable, event.writable)).collect()
    }
}

impl World {
    /// Returns the number of sockets, and of events that are scheduled.
    pub(super) fn live(&self) -> (usize, usize) {
        let state = self.state.borrow();
        let network = state.flows.iter().count() + state.listeners.iter().count();
        let local = state.unix_listeners.iter().count() + state.unix_datagrams.iter().count();
        let sockets = network + state.udp.iter().count() + state.channels.iter().count() + local;
        (sockets, state.events.len())
    }

    /// Returns the host that has the address.
    pub(super) fn host_of(&self, addr: IpAddr) -> Option<HostId> {
        let state = self.state.borrow();
        let host = state.hosts.of_addr(addr, HostId::NOWHERE);
        state.hosts.get(host).map(|_| host)
    }
}

impl TcpListener {
    /// Listens on an address. The address may be used although connections of an earlier listener
    /// still exist, as mio does.
    pub(super) fn bind(
        addr: SocketAddr,
        backlog: u32,
        options: Option<SocketOptions>,
    ) -> io::Result<TcpListener> {
        let socket = if addr.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
        let options = options.unwrap_or(socket.options());
        socket.set_options(SocketOptions { reuse_address: true, ..options });
        socket.bind(addr)?;
        socket.listen(backlog)
    }
}

/// What a read returns: the bytes as text, or the error.
pub(super) fn read(stream: &TcpStream) -> String {
    let mut buf = [0; 64];
    say(stream.read(&mut buf).map(|n| String::from_utf8_lossy(&buf[..n]).into_owned()))
}

pub(super) fn write(stream: &TcpStream, text: &str) -> String {
    say(stream.write(text.as_bytes()).map(|n| n.to_string()))
}

/// Returns the value or the kind of the error.
pub(super) fn say<T: ToString>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("{:?}", error.kind()),
    }
}
