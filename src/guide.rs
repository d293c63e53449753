//! A book about event loops, and guides for programmers who know asyncio, gevent, threads, trio,
//! tokio or smol.
//!
//! | Chapter | Contents |
//! |---|---|
//! | [`introduction`] | what the book contains, and how to run its programs |
//! | [`five_ways_to_wait`] | blocking, non-blocking, select, poll, epoll, signals, completion |
//! | [`coroutines`] | generators, pipelines, event dispatch; in threads and processes |
//! | [`build_your_own_loop`] | futures, wakers, tasks, timers, sockets, in 250 lines |
//! | [`chat_server`] | a tutorial: lines, rooms, limits, a graceful shutdown, tests |
//! | [`from_threads`] | the programs of courses on gevent, threads and processes |
//!
//! | Topic | Contents |
//! |---|---|
//! | [`cancellation`] | what a drop does, scopes, shields, clean-up that awaits, time limits |
//! | [`waiting`] | `join!`, `select!`, `race`; loops that lose nothing |
//! | [`sharing`] | state without locks, channels, backpressure, limits |
//! | [`shutdown`] | where errors go, retries, a graceful end |
//! | [`threads_and_cores`] | blocking code, other threads, fairness, several cores |
//! | [`performance`] | how to measure, what costs what, a loop inside a loop |
//!
//! | Guide | Contents |
//! |---|---|
//! | [`asyncio`] | asyncio's functions and classes, and the Rust that does the same |
//! | [`gevent`] | gevent's, those of Python's thread and process pools, and generators |
//! | [`trio`] | nurseries, cancel scopes and memory channels |
//! | [`tokio`] | tokio and tokio-util |
//! | [`smol`] | smol and its crates |
//! | [`other_crates`] | which async crates run on this loop, and how |
//! | [`testing`] | virtual time, a simulated network, faults, seeds, traces |
//! | [`debugging`] | a program hangs, is slow, loses errors, grows: what to look at |
//!
//! | To look up | Contents |
//! |---|---|
//! | [`faq`] | questions about the model, compiler errors, messages of programs |
//! | [`glossary`] | the terms, beside those of asyncio, tokio, POSIX and Erlang |
//! | [`examples`] | every example, and its counterpart in Python's courses |
//!
//! The guides for other runtimes end with what differs, and what has no counterpart. The tests
//! compile and run the Rust in all texts. `docs/book/build.py` makes a site of them.

#[doc = include_str!("../docs/book/introduction.md")]
pub mod introduction {}

#[doc = include_str!("../docs/book/five-ways-to-wait.md")]
pub mod five_ways_to_wait {}

#[doc = include_str!("../docs/book/coroutines.md")]
pub mod coroutines {}

#[doc = include_str!("../docs/book/build-your-own-loop.md")]
pub mod build_your_own_loop {}

#[doc = include_str!("../docs/book/chat-server.md")]
pub mod chat_server {}

#[doc = include_str!("../docs/book/from-threads.md")]
pub mod from_threads {}

#[doc = include_str!("../docs/book/cancellation.md")]
pub mod cancellation {}

#[doc = include_str!("../docs/book/waiting.md")]
pub mod waiting {}

#[doc = include_str!("../docs/book/sharing.md")]
pub mod sharing {}

#[doc = include_str!("../docs/book/shutdown.md")]
pub mod shutdown {}

#[doc = include_str!("../docs/book/threads-and-cores.md")]
pub mod threads_and_cores {}

#[doc = include_str!("../docs/book/performance.md")]
pub mod performance {}

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

#[cfg_attr(feature = "sim", doc = include_str!("../docs/testing.md"))]
#[cfg_attr(not(feature = "sim"), doc = "Tests in a simulated world: see the feature `sim`.")]
pub mod testing {}

#[cfg_attr(feature = "inspect", doc = include_str!("../docs/debugging.md"))]
#[cfg_attr(not(feature = "inspect"), doc = "Debugging: see the feature `inspect`.")]
pub mod debugging {}

#[doc = include_str!("../docs/book/faq.md")]
pub mod faq {}

#[doc = include_str!("../docs/book/glossary.md")]
pub mod glossary {}

#[doc = include_str!("../docs/book/examples.md")]
pub mod examples {}
