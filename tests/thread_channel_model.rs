//! `sync::thread_channel` on one thread against the model of `sync::mpsc`: it does the same.

use evloop::sync::thread_channel as channel;

/// The model, for whichever channel it is.
mod channel_model;
