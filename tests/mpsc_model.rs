//! `sync::mpsc` against a plain sequential model.

use evloop::sync::mpsc as channel;

/// The model, for whichever channel it is.
mod channel_model;
