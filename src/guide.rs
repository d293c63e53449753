//! Guides: to tests in a simulated world, and for programmers who know asyncio, gevent, threads,
//! trio, tokio or smol.
//!
//! | Guide | Contents |
//! |---|---|
//! | [`testing`] | virtual time, a simulated network, faults, seeds, traces |
//! | [`asyncio`] | asyncio's functions and classes, and the Rust that does the same |
//! | [`gevent`] | gevent's, those of Python's thread and process pools, and generators |
//! | [`trio`] | nurseries, cancel scopes and memory channels |
//! | [`tokio`] | tokio and tokio-util |
//! | [`smol`] | smol and its crates |
//! | [`other_crates`] | which async crates run on this loop, and how |
//!
//! Those for other runtimes end with what differs, and what has no counterpart. The tests compile
//! and run the Rust in them.

#[cfg_attr(feature = "sim", doc = include_str!("../docs/testing.md"))]
#[cfg_attr(not(feature = "sim"), doc = "Tests in a simulated world: see the feature `sim`.")]
pub mod testing {}

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
