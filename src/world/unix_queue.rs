//! The names of Unix sockets, and their queues: connections of a listener, datagrams of a socket.

use std::collections::VecDeque;
use std::rc::Rc;

use super::failure::Failure;
use super::hosts::HostId;
use super::table::Id;
use super::watch::Watch;

/// The address of a Unix socket: no name, a path, or on Linux an abstract name after a NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnixName(Option<Rc<[u8]>>);

impl UnixName {
    /// Makes the name from its bytes. Empty: a path of no file, as the system has it.
    pub(crate) fn new(bytes: &[u8]) -> UnixName {
        UnixName(Some(bytes.into()))
    }

    /// Returns the bytes of the name, if the socket has one.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }

    /// Returns whether the name ends with its socket: it is no file.
    pub(super) fn is_abstract(&self) -> bool {
        self.bytes().is_some_and(|name| name.first() == Some(&0))
    }
}

/// net.unix.max_dgram_qlen of Linux: one more fits.
const DATAGRAMS_MAX: usize = 10;

/// What a name on a host belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnixBound {
    Listener(Id),
    Datagram(Id),
    /// The file of a socket that was closed.
    Stale,
}

/// A name on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnixFile {
    /// The number of the file, as of an inode: another file of the same name has another number.
    pub(super) number: u64,
    pub(super) to: UnixBound,
}

/// A listener.
#[derive(Debug)]
pub(super) struct UnixBacklog {
    pub(super) host: HostId,
    pub(super) name: UnixName,
    /// The channels that wait for `accept`.
    pub(super) queue: VecDeque<Id>,
    pub(super) limit: usize,
    pub(super) watch: Watch,
}

impl UnixBacklog {
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() > self.limit
    }
}

/// A datagram socket.
#[derive(Debug)]
pub(super) struct UnixQueue {
    pub(super) host: HostId,
    pub(super) name: UnixName,
    pub(super) peer: Option<(Id, UnixName)>,
    pub(super) is_read_shut: bool,
    pub(super) is_write_shut: bool,
    pub(super) error: Option<Failure>,
    pub(super) datagrams: VecDeque<(UnixName, Box<[u8]>)>,
    /// The connected senders that wait until a datagram is received.
    pub(super) blocked: Vec<Id>,
    pub(super) watch: Watch,
}

impl UnixQueue {
    pub(super) fn new(host: HostId, name: UnixName) -> UnixQueue {
        UnixQueue {
            host,
            name,
            peer: None,
            is_read_shut: false,
            is_write_shut: false,
            error: None,
            datagrams: VecDeque::new(),
            blocked: Vec::new(),
            watch: Watch::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.datagrams.len() > DATAGRAMS_MAX
    }
}
