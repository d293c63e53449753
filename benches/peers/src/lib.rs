//! The workloads, written once and run on every peer.
//!
//! `peer` says what a runtime has to offer; `tasks`, `timers`, `wakers` and `channels` are the
//! workloads over it. `net` says the same of its connections; `redis` is a server over them, and
//! `plaintext` one over hyper's traits. `src/bin` has one adaptor for each runtime. `raw` is the
//! connection that the hand-written loops share, and `load` the generator's view of the server it
//! measures.

pub mod channels;
pub mod gate;
#[path = "../../../tests/heap/mod.rs"]
pub mod heap;
pub mod job;
pub mod load;
pub mod measure;
pub mod net;
pub mod peer;
#[cfg(feature = "hyper")]
pub mod plaintext;
pub mod raw;
pub mod redis;
pub mod rng;
pub mod tasks;
pub mod timers;
pub mod wakers;
