//! Runs programs in a simulated world: virtual time, a simulated network, an order of events that a
//! seed decides and repeats.
//!
//! | item | purpose |
//! |---|---|
//! | [`check`](check()), [`check_in_turn`] | run a test once for each seed of a range |
//! | [`run`] | runs one world |
//! | [`Sim`] | the options of a world, and [`Sim::run`] |
//! | [`World`] | makes hosts and faults; what the script of a test uses |
//! | [`Host`], [`HostClock`] | crashes, restarts and pauses a host; sets its clock |
//! | [`Client`] | awaits the output of a client's program |
//! | [`Trace`], [`note`] | the record of a run: text, charts, a hash; adds a note to it |
//! | [`Latency`], [`Order`] | the times that packets take; the order of ready tasks |
//!
//! A program that is written against this crate runs in a world without a change: its sockets,
//! timers, names and random numbers are those of the world. Each host is a loop of its own. All
//! hosts run on one thread. The time stands still while a task is ready, and then jumps to the next
//! event: an hour of waiting takes no time.
//!
//! ```
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! use evloop::{sim, time};
//!
//! sim::check(0..100, |sim| {
//!     let ticks = Cell::new(0); // of this seed: hosts may borrow it, and it outlives the world
//!     sim.run(async |world| {
//!         world.host("clock", async || {
//!             loop {
//!                 time::sleep(Duration::from_secs(1)).await;
//!                 ticks.set(ticks.get() + 1);
//!             }
//!         });
//!         time::sleep(Duration::from_millis(3500)).await;
//!     });
//!     assert_eq!(ticks.get(), 3);
//! });
//! ```
//!
//! # Failures
//!
//! A panic of the script, of a host, of a task that nothing awaits, or of an
//! [invariant](World::invariant) fails the run. So does a host whose program returns an error, a
//! world in which nothing can happen any more, and a limit that is reached. The message names the
//! host, the virtual time, the seed and the options. `EVLOOP_SIM_SEED=17` makes [`check`](check())
//! run that seed alone, `EVLOOP_SIM_SEEDS=0..5000` another range. `EVLOOP_SIM_TRACE=run.json` has a
//! run that fails write its record to that file: as [trace events](Trace::to_trace_events) if the
//! name ends in `.json`, as a [Mermaid chart](Trace::to_mermaid) if it ends in `.mmd`, otherwise as
//! text.
//!
//! An error that a detached task returns does not fail the run, since it is often that of a network
//! with faults. It is written to stderr, as outside of a world, and is a note in the record.
//!
//! # What a world cannot simulate
//!
//! Files, processes, signals, [`AsyncFd`](crate::io::AsyncFd), descriptors and
//! [`shards`](fn@crate::shards) return errors of kind `Unsupported`. Blocking work runs on the one
//! thread, at a later virtual time: it must not wait for another thread. The loop of a host
//! has the default configuration: no function that a [`Builder`](crate::runtime::Builder) takes is
//! called, also not those for the threads of the blocking pool. What a program takes from elsewhere
//! (`Instant::now`, the order of a `HashMap`, threads) differs from run to run.

// Layer L4, the last one. The world itself is the leaf `world`; the loops of the hosts are
// `Runtime`s. Invariant: a host's code runs only while the host is current in the world.

mod check;
mod client;
mod driver;
mod failure;
mod host;
mod lifecycle;
mod machine;
mod options;
mod record;
mod slot;
mod watchdog;
mod world;

#[doc(alias = "start_paused")]
pub use self::check::check;
pub use self::check::check_in_turn;
#[doc(alias = "MockClock")]
#[doc(alias = "virtual_time")]
pub use self::check::run;
pub use self::client::Client;
pub use self::host::{Host, HostClock};
pub use self::options::{Latency, Order, Sim};
pub use self::record::note;
pub use self::world::World;
pub use crate::world::Trace;
