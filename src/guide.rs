//! Guides for programmers who know asyncio, gevent or threads.
//!
//! | Guide | Contents |
//! |---|---|
//! | [`asyncio`] | asyncio's functions and classes, and the Rust that does the same |
//! | [`gevent`] | gevent's, and those of Python's `threading`, `queue` and `socket` |
//!
//! The Rust in them is compiled and run by the tests.

#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("../docs/gevent.md")]
pub mod gevent {}
