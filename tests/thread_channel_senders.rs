//! The senders of `sync::thread_channel`.

use evloop::sync::thread_channel as channel;

/// The tests, for the channel above.
mod channel_senders;
/// Wakers that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;
