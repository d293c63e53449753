//! Guides for programmers who know asyncio, gevent, threads, trio, tokio or smol.
//!
//! | Guide | Contents |
//! |---|---|
//! | [`asyncio`] | asyncio's functions and classes, and the Rust that does the same |
//! | [`gevent`] | gevent's, those of Python's thread and process pools, and generators |
//! | [`trio`] | nurseries, cancel scopes and memory channels |
//! | [`tokio`] | tokio, tokio-util, smol and its crates |
//!
//! Each ends with what differs, and what has no counterpart. The tests compile and run the Rust in
//! them.

#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("../docs/gevent.md")]
pub mod gevent {}

#[doc = include_str!("../docs/trio.md")]
pub mod trio {}

#[doc = include_str!("../docs/tokio.md")]
pub mod tokio {}
