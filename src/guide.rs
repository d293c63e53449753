//! Guides for programmers who know asyncio, gevent, threads, trio, tokio or smol; how to debug.
//!
//! | Guide | Contents |
//! |---|---|
//! | [`asyncio`] | asyncio's functions and classes, and the Rust that does the same |
//! | [`gevent`] | gevent's, those of Python's thread and process pools, and generators |
//! | [`trio`] | nurseries, cancel scopes and memory channels |
//! | [`tokio`] | tokio and tokio-util |
//! | [`smol`] | smol and its crates |
//! | [`other_crates`] | which async crates run on this loop, and how |
//! | [`debugging`] | a program hangs, is slow, loses errors, grows: what to look at |
//!
//! All but the last two end with what differs, and what has no counterpart. The tests compile and run
//! the Rust in them.

#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("../docs/gevent.md")]
pub mod gevent {}

#[doc = include_str!("../docs/trio.md")]
pub mod trio {}

#[doc = include_str!("../docs/tokio.md")]
pub mod tokio {}

#[doc = include_str!("../docs/smol.md")]
pub mod smol {}

#[doc = include_str!("../docs/other-crates.md")]
pub mod other_crates {}

#[doc = include_str!("../docs/debugging.md")]
pub mod debugging {}
