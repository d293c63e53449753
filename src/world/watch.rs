//! The readiness of sockets, as a host's loop takes it.
//!
//! As with edge-triggered epoll, a socket is reported when its state changes, and once when it is
//! registered. Invariant: the list has at most two entries of a socket between two takes.

/// The readiness of a socket since the last call of `take_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Always set: a short count is no sign of a drained or full buffer.
    pub(crate) special: bool,
}

/// What has become ready on a host.
#[derive(Debug, Default)]
pub(super) struct ReadyList {
    events: Vec<Event>,
    /// How many times the list was taken: what a socket noted before is gone.
    round: u32,
}

/// The registration of one socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    token: Option<usize>,
    /// What the list of `round` has of this socket.
    round: u32,
    readable: bool,
    writable: bool,
}

impl ReadyList {
    /// Adds the events since the last call to `into`.
    pub(super) fn take(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
        self.round = self.round.wrapping_add(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Forgets all events: the host died.
    pub(super) fn clear(&mut self) {
        *self = ReadyList { events: Vec::new(), round: self.round.wrapping_add(1) };
    }
}

impl Watch {
    /// Notes that the socket is ready. Returns whether the host has to run for it.
    pub(super) fn note(&mut self, list: &mut ReadyList, readable: bool, writable: bool) -> bool {
        let Some(token) = self.token else { return false };
        if self.round != list.round {
            (self.round, self.readable, self.writable) = (list.round, false, false);
        }
        let is_new = readable && !self.readable || writable && !self.writable;
        if is_new {
            self.readable |= readable;
            self.writable |= writable;
            list.events.push(Event { token, readable, writable, special: true });
        }
        is_new
    }

    pub(super) fn register(&mut self, list: &ReadyList, token: usize) {
        // A round that the list left behind: nothing is noted.
        *self = Watch { token: Some(token), round: list.round.wrapping_sub(1), ..*self };
    }

    /// Ends the registration. Its token may be used again at once, so its events go with it.
    pub(super) fn deregister(&mut self, list: &mut ReadyList) {
        let token = self.token.take();
        if self.round == list.round && (self.readable || self.writable) {
            list.events.retain(|event| Some(event.token) != token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(list: &mut ReadyList) -> Vec<(usize, bool, bool)> {
        let mut events = Vec::new();
        list.take(&mut events);
        events.iter().map(|event| (event.token, event.readable, event.writable)).collect()
    }

    #[test]
    fn a_socket_is_noted_once_between_two_takes() {
        let (mut list, mut watch) = (ReadyList::default(), Watch::default());
        assert!(!watch.note(&mut list, true, true), "it is not registered");
        watch.register(&list, 3);
        assert!(watch.note(&mut list, true, false));
        assert!(!watch.note(&mut list, true, false));
        assert!(watch.note(&mut list, true, true));
        assert_eq!(taken(&mut list), [(3, true, false), (3, true, true)]);
        assert!(watch.note(&mut list, true, false));
        assert_eq!(taken(&mut list), [(3, true, false)]);
    }

    #[test]
    fn events_end_with_the_registration() {
        let (mut list, mut watch, mut other) = Default::default();
        let (watch, other): (&mut Watch, &mut Watch) = (&mut watch, &mut other);
        watch.register(&list, 1);
        other.register(&list, 2);
        watch.note(&mut list, true, true);
        other.note(&mut list, false, true);
        watch.deregister(&mut list);
        assert!(!watch.note(&mut list, true, true));
        assert_eq!(taken(&mut list), [(2, false, true)]);
        watch.register(&list, 1);
        assert!(watch.note(&mut list, true, false), "the noted states are forgotten");
    }
}
