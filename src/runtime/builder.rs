//! How a loop is made that is not at its default.

use std::env;
use std::time::Duration;

use crate::context::Parts;
use crate::executor::{Hooks, JoinError};

/// Polls between two looks at the selector: as many tasks as are ready run for the price of one
/// system call, and a socket waits no longer for its turn than these polls take.
const BATCH_MAX: usize = 256;

/// Events that one wait takes in; more wait for the next turn.
const EVENTS_CAPACITY: usize = 1024;

/// A poll that takes longer is felt by whoever waits for the others; asyncio's figure.
const SLOW_POLL: Duration = Duration::from_millis(100);

/// Set to 1, it turns debug mode on.
const DEBUG_VARIABLE: &str = "EVLOOP_DEBUG";

/// Helper threads of each kind: they wait for names and disks, not for a core.
const BLOCKING_THREADS_MAX: usize = 64;

/// Makes a [`Runtime`](crate::Runtime).
///
/// ```
/// let mut runtime = evloop::Runtime::builder().name("gateway").batch_max(64).build()?;
/// assert_eq!(runtime.block_on(async { 1 }), 1);
/// # std::io::Result::Ok(())
/// ```
#[must_use = "a builder makes a loop when `build` is called"]
pub struct Builder {
    pub(super) batch_max: usize,
    pub(super) spin: Duration,
    pub(super) parts: Parts,
    is_debug: bool,
    slow_poll_threshold: Duration,
}

impl Builder {
    /// Everything at its default.
    pub fn new() -> Builder {
        let parts = Parts {
            name: "evloop".into(),
            events_capacity: EVENTS_CAPACITY,
            blocking_threads_max: BLOCKING_THREADS_MAX,
            hooks: Hooks {
                on_task_error: Box::new(|error| eprintln!("evloop: {error}")),
                slow_poll: None,
            },
        };
        let is_debug = env::var_os(DEBUG_VARIABLE).is_some_and(|value| value == "1");
        Builder {
            batch_max: BATCH_MAX,
            spin: Duration::ZERO,
            parts,
            is_debug,
            slow_poll_threshold: SLOW_POLL,
        }
    }

    /// The loop's name, which its helper threads bear. Default: `evloop`.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.parts.name = name.into();
        self
    }

    /// How many polls a turn makes at most before it looks for events. At least 1; default: 256.
    pub fn batch_max(mut self, polls: usize) -> Builder {
        self.batch_max = polls.max(1);
        self
    }

    /// How many events a turn takes in at most. At least 1; default: 1024.
    pub fn events_capacity(mut self, events: usize) -> Builder {
        self.parts.events_capacity = events.max(1);
        self
    }

    /// How many helper threads work at most on each kind of what would block the loop. At least 1;
    /// default: 64.
    ///
    /// There are three kinds, so the loop starts at most three times as many threads: questions to
    /// the system's resolver, operations on files (stdin too, if it is a file), and
    /// [`spawn_blocking`](crate::task::spawn_blocking). Work beyond the limit waits until work of
    /// its kind ends. So files that hang, as a FIFO that is opened and has no other end, hold up
    /// files only. A FIFO that may wait for long is best read by an
    /// [`AsyncFd`](crate::io::AsyncFd), which takes no thread.
    pub fn blocking_threads_max(mut self, threads: usize) -> Builder {
        self.parts.blocking_threads_max = threads.max(1);
        self
    }

    /// For how long the loop looks for events, again and again, before it sleeps. Default: not at
    /// all.
    ///
    /// What comes meanwhile is answered sooner, by what it takes to put a thread to sleep and to
    /// wake it; the price is a core that is busy while the loop is not. Some 50 µs serve a
    /// conversation with a peer on the same machine. Where no core is to spare it gains nothing,
    /// and makes the slowest answers slower. Timers are as exact as ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let spin = Duration::from_micros(50);
    /// let mut runtime = evloop::Runtime::builder().spin(spin).build()?;
    /// runtime.block_on(evloop::time::sleep(Duration::from_millis(1)));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn spin(mut self, time: Duration) -> Builder {
        self.spin = time;
        self
    }

    /// What to do with the panic of a task whose handle was dropped before. Default: a line on
    /// stderr.
    ///
    /// A panic of `handler` itself goes through the loop to whoever runs it.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let panics = Rc::new(RefCell::new(Vec::new()));
    /// let seen = panics.clone();
    /// let mut runtime = evloop::Runtime::builder()
    ///     .on_task_error(move |error| seen.borrow_mut().push(error.to_string()))
    ///     .build()?;
    /// runtime.block_on(async {
    ///     drop(evloop::spawn(async { panic!("out of paper") }));
    ///     evloop::task::yield_now().await;
    /// });
    /// assert!(panics.borrow()[0].ends_with("panicked: out of paper"));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "set_exception_handler")]
    pub fn on_task_error(mut self, handler: impl Fn(JoinError) + 'static) -> Builder {
        self.parts.hooks.on_task_error = Box::new(handler);
        self
    }

    /// Whether the loop tells of what is likely a mistake: asyncio's debug mode. Default: whether
    /// the environment has `EVLOOP_DEBUG=1`.
    ///
    /// A line on stderr says with a task's name and the line that spawned it
    /// - that one of its polls took longer than the
    ///   [`slow_poll_threshold`](Builder::slow_poll_threshold);
    /// - that it has ended while a lock that it had locked still is;
    /// - that bytes it wrote to a stream were not sent before the loop ended.
    ///
    /// And [`on_task_error`](Builder::on_task_error) hears of an error that a task without a handle
    /// gave: an `Err` of a `Result<(), E>` in which `E` is `io::Error`, `String`, or a boxed
    /// `Error`.
    #[doc(alias = "set_debug")]
    pub fn debug(mut self, is_on: bool) -> Builder {
        self.is_debug = is_on;
        self
    }

    /// How long a poll may take before [debug mode](Builder::debug) tells of it. Default: 100 ms.
    #[doc(alias = "slow_callback_duration")]
    pub fn slow_poll_threshold(mut self, limit: Duration) -> Builder {
        self.slow_poll_threshold = limit;
        self
    }

    /// The parts, with debug mode as it was asked for.
    pub(super) fn into_parts(mut self) -> Parts {
        self.parts.hooks.slow_poll = self.is_debug.then_some(self.slow_poll_threshold);
        self.parts
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("batch_max", &self.batch_max).finish_non_exhaustive()
    }
}
