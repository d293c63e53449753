//! An event loop for one thread: the programming model of Python's asyncio with Rust's safety.
//!
//! Tasks, timers, sockets, streams, files, child processes and signals all run on one thread, on
//! the operating system's selector ([mio](https://docs.rs/mio)). Three things follow:
//!
//! - A future need not be `Send`. Tasks share data by `Rc`, `Cell` and `RefCell`.
//! - Between two awaits a task has the thread to itself.
//! - A wake on the loop's own thread takes no atomic operation, no lock and no allocation.
//!
//! # A first program
//!
//! A server that returns a line in capitals, and a client with a time limit:
//!
#![cfg_attr(feature = "streams", doc = "```")]
#![cfg_attr(not(feature = "streams"), doc = "```ignore")]
//! use std::io;
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! async fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
//!     let (mut reader, writer) = evloop::open_connection(address).await?;
//!     writer.write("hello\n");
//!     reader.read_line().await
//! }
//!
//! fn main() -> io::Result<()> {
//!     evloop::block_on(async {
//!         let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
//!             let line = reader.read_line().await?;
//!             writer.write(line.to_ascii_uppercase());
//!             writer.drain().await // its error is reported, as that of a detached task
//!         })
//!         .await?;
//!         let client = evloop::spawn(ask(server.local_addrs()[0]));
//!         let answer = evloop::time::timeout(Duration::from_secs(20), client).await??;
//!         assert_eq!(answer?, b"HELLO\n");
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`block_on`] makes a loop, runs the future on it, and ends the loop. A spawned task runs beside
//! the others. Awaiting its [`JoinHandle`] returns its output; dropping the handle detaches the
//! task. [`JoinHandle::detach`] says so, and an error that the task returns is reported.
//!
//! # What is where
//!
//! | I want to … | Use |
//! |---|---|
//! | run a future to its end | [`block_on`] |
//! | keep a loop, or drive it from another one | [`Runtime`] |
//! | run a task beside others | [`spawn`], [`task::Builder`] |
//! | run tasks that borrow, and wait for all | [`task::scope`], [`task::try_scope`] |
//! | await several futures | [`join!`], [`select!`], [`task::gather`], [`task::race`] |
//! | run many, at most so many at a time | [`task::gather_limit`], [`task::buffered`] |
//! | await tasks as they end, or by key | [`task::JoinSet`], [`task::JoinMap`], [`task::wait`] |
//! | stop tasks, and wait until they have | [`sync::CancellationToken`], [`task::TaskTracker`] |
//! | wait, or limit a time | [`time::sleep`], [`time::timeout`], [`time::timeout_scope`] |
//! | do something later or repeatedly | [`call_later`], [`time::interval`], [`time::DelayQueue`] |
//! | send values to other tasks | [`sync::oneshot`], [`sync::mpsc`], [`sync::broadcast`] |
//! | hand out work, and wait until it is done | [`queue`] |
//! | give one result to many tasks | [`sync::Shared`], [`sync::OnceCell`] |
//! | lock a value | [`sync::Mutex`], [`sync::RwLock`] |
//! | limit concurrency | [`sync::Semaphore`], [`sync::CapacityLimiter`] |
//! | wait for a condition | [`sync::Event`], [`sync::Condvar`], [`sync::Notify`] |
//! | share the latest value of something | [`sync::watch`] |
//! | read and write lines and messages | [`open_connection`], [`start_server`], [`streams`] |
//! | do so over TLS | the feature `rustls`; [`streams::from_io`] with other crates |
//! | serve HTTP, by hyper or axum | the feature `hyper` |
//! | use sockets and pipes | [`net`] |
//! | wait for a descriptor | [`io::AsyncFd`] |
//! | use standard input and output; copy | [`io::stdin`], [`io::stdout`], [`io::copy()`] |
//! | use files and directories | [`fs`] |
//! | run a program; compute in processes | [`process::Command`], [`process::Pool`] |
//! | handle Ctrl-C and other signals | [`signal::ctrl_c`], [`signal::unix`](signal::unix()) |
//! | call a function that blocks or computes | [`task::spawn_blocking`] |
//! | reach the loop from other threads | [`Handle`], [`sync::thread_channel`] |
//! | keep a value for each task | [`task_local!`] |
//! | give a crate that requires `Send` a value that is not | [`task::Local`] |
//! | use several cores | [`shards`](mod@shards): a loop on each thread |
//! | write a generator, also one that awaits | [`coroutine`], [`coroutine::stream`] |
//! | run crates that need tokio: reqwest, sqlx | the module `tokio`, a feature |
//! | see what the tasks do | [`task::all`], [`runtime::Instrument`], [`runtime::Builder::debug`] |
//! | take random numbers | [`random`] |
//! | test on virtual time and a simulated network | the module `sim`, a feature |
//! | test that all tasks wait | [`task::until_idle`], [`Runtime::run_until_empty`] |
//!
//! The search finds an item by its name in asyncio, gevent, trio and tokio, too: `wait_for`,
//! `joinall`, `open_nursery`, `spawn_local`.
//!
//! # The guide
//!
//! [The book](guide::introduction) teaches the subject from a blocking read to an event loop, with
//! programs that run. Its topics: [cancellation](guide::cancellation), [waiting](guide::waiting),
//! [sharing](guide::sharing), [shutdown](guide::shutdown), [threads and
//! cores](guide::threads_and_cores), [performance](guide::performance). There are
//! [questions](guide::faq), a [glossary](guide::glossary) and an [index of the
//! examples](guide::examples).
//!
//! [Coming from asyncio](guide::asyncio), [from gevent or threads](guide::gevent),
//! [from trio](guide::trio), [from tokio](guide::tokio), [from smol](guide::smol): what is written
//! there, and the Rust that does the same here. [Other crates](guide::other_crates): which run on
//! this loop, and how. [Testing](guide::testing): virtual time, a simulated network, faults.
//! [Debugging](guide::debugging): a program hangs, is slow, or grows.
//!
//! # Cancellation
//!
//! Cancelling is dropping: a future may be dropped at any await, and its destructors run. Where
//! something would be lost by that, the documentation says "not cancel safe" and names what to use
//! instead; [`io`] has a table of all operations.
//!
//! # Features
//!
//! | Feature | Adds | Default |
//! |---|---|---|
//! | `fs` | [`fs`]: files and directories | yes |
//! | `inspect` | [`runtime::Builder::inspect`], [`watchdog`](runtime::Builder::watchdog) | yes |
//! | `streams` | [`streams`]: buffered lines and messages, servers | yes |
//! | `process` | [`process`]: child processes, on Unix; enables `signal` | yes |
//! | `signal` | [`signal`]: Ctrl-C and other signals, on Unix | yes |
//! | `macros` | `#[evloop::main]` and `#[evloop::test]` | no |
//! | `cli` | the program `evloop`, which shows the tasks of a running program | no |
//! | `hyper` | `evloop::hyper`: HTTP/1 and HTTP/2 by hyper | no |
//! | `lookup-addr` | `net::lookup_addr`: the name of an address | no |
//! | `rustls` | `rustls`: TLS on [`streams`], by the crate rustls | no |
//! | `sim` | `sim`: runs programs on virtual time and a simulated network, for tests | no |
//! | `tokio-io` | tokio's `AsyncRead` and `AsyncWrite`, on all connections and streams | no |
//! | `tracing` | tasks as spans of the crate `tracing`: [debugging](guide::debugging) | no |
//! | `tokio` | `tokio`: tokio's runtime beside this loop, for crates that need it | no |
//!
//! Without the default features, building takes about four fifths of the time.
//!
//! # Limits
//!
//! - A task never moves to another thread, and a poll that computes for long delays all others.
//! - A `block_on` of another crate inside of a task blocks the loop: await the future instead.
//! - Crates that need tokio's reactor, timers or `spawn` do not run on this loop alone: they need
//!   the feature `tokio`.
//! - Tests run on Linux. macOS, the BSDs and Windows are compiled only.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
// The inner layers have items that only these modules use.
#![cfg_attr(
    not(all(feature = "fs", feature = "inspect", feature = "streams")),
    allow(dead_code, unused_imports)
)]
// Off Unix no other process looks at a loop.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

// L0: the state of this thread, the clock, the differences between operating systems.
mod caught;
mod clock;
mod current;
mod io_error;
mod order;
mod poll_with;
mod sys;
#[cfg_attr(not(feature = "sim"), path = "no_world.rs")]
mod world;

// L1: state shared with other threads; wait queues; I/O traits by forwarding.
mod io_traits;
mod threads;
mod wait;

// L2: tasks; sources and timers.
mod executor;
mod reactor;

// L3: the loop of this thread.
mod context;

// L4: the public modules.
mod blocking;
pub mod coroutine;
pub mod debug;
#[cfg(feature = "fs")]
pub mod fs;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "inspect")]
mod inspect;
pub mod io;
#[cfg(feature = "macros")]
mod macros;
pub mod net;
#[cfg(all(unix, feature = "process"))]
pub mod process;
pub mod queue;
pub mod random;
pub mod runtime;
#[cfg(feature = "rustls")]
pub mod rustls;
pub mod shards;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "streams")]
pub mod streams;
pub mod sync;
pub mod task;
pub mod time;
#[cfg(feature = "tokio")]
pub mod tokio;

// Documentation only.
pub mod guide;

#[cfg(feature = "macros")]
pub use macros::main;
#[cfg(feature = "macros")]
#[doc(alias = "IsolatedAsyncioTestCase")]
#[doc(alias = "trio_test")]
pub use macros::test;
pub use runtime::{Handle, Runtime, block_on, call_at, call_later, call_soon};
pub use shards::shards;
#[cfg(feature = "streams")]
pub use streams::{Server, StreamReader, StreamWriter, open_connection, start_server};
#[cfg(all(unix, feature = "streams"))]
pub use streams::{open_unix_connection, start_unix_server};
pub use task::{JoinHandle, spawn};

/// Has the examples of the README compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
