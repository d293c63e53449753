//! `sync::mpsc` against a plain sequential model.

use evloop::sync::mpsc as channel;

/// The model, for the channel above.
mod channel_model;
