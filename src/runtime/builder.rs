//! The builder of a loop: its limits, names and handlers.

use std::env;
use std::time::Duration;

use crate::context::Settings;
use crate::executor::{Hooks, Instrument, JoinError, Observers};
use crate::threads::{PoolSettings, Watch};

/// The most polls between two calls of the selector. One system call serves up to this many polls,
/// and a ready socket waits for no more than this many polls.
const BATCH_MAX: usize = 256;

/// The most events that one wait returns; more are left to the next turn.
const EVENTS_CAPACITY: usize = 1024;

/// A longer poll delays all other tasks noticeably. asyncio's default.
const SLOW_POLL: Duration = Duration::from_millis(100);

/// The environment variable that turns debug mode on if it is 1.
const DEBUG_VARIABLE: &str = "EVLOOP_DEBUG";

/// The most threads for each kind of blocking work: they wait for names and disks, not for a core.
const BLOCKING_THREADS_MAX: usize = 64;

/// Configures and creates a [`Runtime`](crate::Runtime).
///
/// ```
/// let mut runtime = evloop::Runtime::builder().name("gateway").batch_max(64).build()?;
/// assert_eq!(runtime.block_on(async { 1 }), 1);
/// # std::io::Result::Ok(())
/// ```
#[must_use = "a builder creates a loop only when `build` is called"]
pub struct Builder {
    pub(super) batch_max: usize,
    pub(super) spin: Duration,
    pub(super) parts: Settings,
    is_debug: bool,
    slow_poll_threshold: Duration,
    instruments: Vec<Box<dyn Instrument>>,
    pub(super) watch: Watch,
}

impl Builder {
    /// Creates a builder with the default configuration.
    pub fn new() -> Builder {
        let parts = Settings {
            name: "evloop".into(),
            events_capacity: EVENTS_CAPACITY,
            pool: PoolSettings::new(
                "evloop-blocking".into(),
                "the event loop",
                BLOCKING_THREADS_MAX,
            ),
            hooks: Hooks {
                on_task_error: Box::new(|error| eprintln!("evloop: {error}")),
                records_locks: false,
                observers: None,
            },
        };
        Builder {
            batch_max: BATCH_MAX,
            spin: Duration::ZERO,
            parts,
            is_debug: env::var_os(DEBUG_VARIABLE).is_some_and(|value| value == "1"),
            slow_poll_threshold: SLOW_POLL,
            instruments: Vec::new(),
            watch: Watch::of_environment(),
        }
    }

    /// Sets the loop's name. [`Handle::name`](crate::Handle::name) returns it, and the threads of
    /// the blocking pool carry it. Default: `evloop`.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL byte.
    #[doc(alias = "thread_name")]
    #[track_caller]
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.parts.name = name.into();
        self.parts.pool.set_name(format!("{}-blocking", self.parts.name));
        self
    }

    /// Sets how many polls a turn makes at most before it waits for events. At least 1; default:
    /// 256.
    #[doc(alias = "event_interval")]
    pub fn batch_max(mut self, polls: usize) -> Builder {
        self.batch_max = polls.max(1);
        self
    }

    /// Sets how many events a turn receives at most. At least 1; default: 1024.
    #[doc(alias = "max_io_events_per_tick")]
    pub fn events_capacity(mut self, events: usize) -> Builder {
        self.parts.events_capacity = events.max(1);
        self
    }

    /// Sets how many threads of the blocking pool work at most on each kind of blocking work. At
    /// least 1; default: 64.
    ///
    /// There are three kinds, so the loop starts at most three times as many threads: name lookups
    /// by the system's resolver, operations on files (stdin too, if it is a file), and
    /// [`spawn_blocking`](crate::task::spawn_blocking). Work beyond the limit waits until other
    /// work of its kind ends. So files that hang, such as a FIFO that is opened and has no other
    /// end, delay only operations on files. A FIFO that may wait for long is best read by an
    /// [`AsyncFd`](crate::io::AsyncFd), which uses no thread.
    #[doc(alias = "max_blocking_threads")]
    #[doc(alias = "set_default_executor")]
    #[doc(alias = "ThreadPoolExecutor")]
    #[doc(alias = "current_default_thread_limiter")]
    #[doc(alias = "threadpool_size")]
    pub fn blocking_threads_max(mut self, threads: usize) -> Builder {
        self.parts.pool.kind_max = threads.max(1);
        self
    }

    /// Sets for how long the loop polls for events without sleeping before it sleeps (busy
    /// polling). Default: zero.
    ///
    /// An event that comes meanwhile is handled sooner: the thread need not be put to sleep and
    /// woken. The cost is a core that is busy while the loop is idle. About 50 µs suit a dialogue
    /// with a peer on the same machine. Without a spare core busy polling gains nothing, and makes
    /// the slowest answers slower. The precision of timers stays the same.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let spin = Duration::from_micros(50);
    /// let mut runtime = evloop::Runtime::builder().spin(spin).build()?;
    /// runtime.block_on(evloop::time::sleep(Duration::from_millis(1)));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "busy_poll")]
    pub fn spin(mut self, time: Duration) -> Builder {
        self.spin = time;
        self
    }

    /// Sets the handler of panics and errors of detached tasks, which no caller will receive.
    /// Default: the loop prints a line to stderr, with the task's name and where it was spawned.
    ///
    /// The handler receives
    /// - the panic of a task whose handle was dropped, before or after the panic;
    /// - an error that such a task returned ([`JoinError::is_failed`]): the `Err` of a
    ///   `Result<T, E>` in which `E` is `io::Error` or a boxed `Error` and `T` is `()`, `usize`,
    ///   `u64`, `String` or `Vec<u8>`; or in which `T` is `()` and `E` is `String`, `&'static str`
    ///   or `JoinError`; or any other `Result` if
    ///   [`JoinHandle::detach`](crate::JoinHandle::detach) was called;
    /// - an error of a server's handler;
    /// - what [`task::report_error`](crate::task::report_error) reports.
    ///
    /// The abort of a task is not an error.
    ///
    /// If `handler` itself panics, the panic propagates through the loop to the caller that runs
    /// it.
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
    ///     evloop::spawn(async { panic!("out of paper") }).detach();
    ///     evloop::task::yield_now().await;
    /// });
    /// assert!(panics.borrow()[0].ends_with("panicked: out of paper"));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "set_exception_handler")]
    #[doc(alias = "handle_error")]
    #[doc(alias = "excepthook")]
    #[doc(alias = "print_exception")]
    pub fn on_task_error(mut self, handler: impl Fn(JoinError) + 'static) -> Builder {
        self.parts.hooks.on_task_error = Box::new(handler);
        self
    }

    /// Sets whether the loop reports likely mistakes, as asyncio's debug mode does. Default: on if
    /// the environment has `EVLOOP_DEBUG=1`.
    ///
    /// The loop prints a line to stderr, with the task's name and the line that spawned it, if
    /// - one of the task's polls took longer than the
    ///   [`slow_poll_threshold`](Builder::slow_poll_threshold);
    /// - the task has ended while a lock that it had locked is still locked;
    /// - bytes that the task wrote to a stream were not sent before the loop ended.
    ///
    /// Errors and panics of detached tasks are reported in any mode; see
    /// [`on_task_error`](Builder::on_task_error).
    #[doc(alias = "set_debug")]
    pub fn debug(mut self, is_on: bool) -> Builder {
        self.is_debug = is_on;
        self
    }

    /// Sets how long a poll may take before [debug mode](Builder::debug) reports it. Default: 100
    /// ms.
    #[doc(alias = "slow_callback_duration")]
    #[doc(alias = "EventLoopBlocked")]
    pub fn slow_poll_threshold(mut self, limit: Duration) -> Builder {
        self.slow_poll_threshold = limit;
        self
    }

    /// Adds an instrument, which observes the tasks and the waits of the loop; see [`Instrument`].
    /// Several instruments are called in the order in which they were added.
    #[doc(alias = "add_instrument")]
    #[doc(alias = "on_before_task_poll")]
    #[doc(alias = "on_task_spawn")]
    #[doc(alias = "on_task_terminate")]
    #[doc(alias = "on_thread_park")]
    pub fn instrument(mut self, instrument: impl Instrument + 'static) -> Builder {
        self.instruments.push(Box::new(instrument));
        self
    }

    /// Returns the parts of the loop, with debug mode and the instruments applied.
    pub(super) fn into_settings(mut self) -> Settings {
        let slow_poll = self.is_debug.then_some(self.slow_poll_threshold);
        self.parts.hooks.records_locks = self.watch.records_locks();
        self.parts.hooks.observers = Observers::new(self.instruments, slow_poll, self.watch);
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
