//! `sync::thread_channel` on one thread against the model of `sync::mpsc`: both behave alike.

use evloop::sync::thread_channel as channel;

/// The model, for the channel above.
mod channel_model;
