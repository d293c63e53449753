//! The senders of `sync::mpsc`.

use evloop::sync::mpsc as channel;

/// The tests, for the channel above.
mod channel_senders;
/// Wakers that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;
