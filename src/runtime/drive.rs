//! Running the loop without a main future: `run`, `run_until_empty`, `turn`.

use std::io;
use std::time::{Duration, Instant};

use super::event_loop::{Runtime, assert_not_running};
use super::wait::has_work;

/// The result of [`Runtime::turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// The number of futures that were polled.
    pub polled: usize,
    /// The number of tasks that are ready to run in the next turn.
    pub ready_left: usize,
}

impl Runtime {
    /// Runs until [`Handle::stop`](super::Handle::stop) is called. The turn in which that happens
    /// is completed.
    ///
    /// # Panics
    ///
    /// If a loop is already running on this thread.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    #[doc(alias = "run_forever")]
    #[track_caller]
    pub fn run(&mut self) -> io::Result<()> {
        assert_not_running("run");
        self.run_while(&|_| true)
    }

    /// Runs until no task is left and no call waits, or until [`Handle::stop`](super::Handle::stop)
    /// is called: gevent's `hub.join()`. Blocking work does not count, unless a task waits for it.
    ///
    /// Tasks of the library count: a task that reaps a process, a connection that is closed in the
    /// background.
    ///
    /// # Panics
    ///
    /// If a loop is already running on this thread.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// for ms in [2, 1] {
    ///     drop(runtime.spawn(evloop::time::sleep(Duration::from_millis(ms))));
    /// }
    /// runtime.run_until_empty()?;
    /// assert!(runtime.is_empty());
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "join")]
    #[doc(alias = "wait")]
    #[track_caller]
    pub fn run_until_empty(&mut self) -> io::Result<()> {
        assert_not_running("run_until_empty");
        self.run_while(&|runtime| !runtime.is_empty())
    }

    /// Returns whether no task is left and no call from another thread waits.
    pub fn is_empty(&self) -> bool {
        self.context.executor.is_empty() && !self.context.inbox.is_pending()
    }

    fn run_while(&mut self, is_wanted: &dyn Fn(&Runtime) -> bool) -> io::Result<()> {
        self.with_entered(|runtime| {
            let inbox = &runtime.context.inbox.clone();
            while is_wanted(runtime) {
                let limit = inbox.is_stopping().then_some(Duration::ZERO);
                runtime.iterate(None, limit)?;
                if inbox.is_stopping() {
                    inbox.clear_stop();
                    break;
                }
            }
            Ok(())
        })
    }

    /// Runs one turn of the loop. Waits for events for up to `limit` (`None`: without a limit), but
    /// does not wait if tasks are ready. Then runs the ready tasks, at most `batch_max` polls.
    ///
    /// Another event loop drives this one by this method. A turn of this runtime is allowed in a
    /// task of another runtime.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let task = runtime.spawn(async { evloop::task::yield_now().await });
    /// let turn = runtime.turn(Some(Duration::ZERO))?;
    /// assert_eq!((turn.polled, turn.ready_left), (2, 0));
    /// assert!(task.is_finished());
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "run_once")]
    #[doc(alias = "tick")]
    #[doc(alias = "try_tick")]
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<Turn> {
        self.with_entered(|runtime| {
            let batch = runtime.iterate(None, limit)?;
            Ok(Turn { polled: batch.polled(), ready_left: runtime.context.executor.ready() })
        })
    }

    /// Runs turns without waiting until no task is ready. Returns the number of polled futures.
    ///
    /// # Errors
    ///
    /// If the selector fails.
    pub fn run_until_stalled(&mut self) -> io::Result<usize> {
        self.with_entered(|runtime| {
            let mut polled = 0;
            loop {
                let batch = runtime.iterate(None, Some(Duration::ZERO))?;
                polled += batch.polled();
                if batch.polled() == 0 && !has_work(&runtime.context) {
                    return Ok(polled);
                }
            }
        })
    }

    /// Returns when [`turn`](Runtime::turn) is to be called next if no event comes: now if tasks
    /// are ready, else at the next deadline of a timer; `None` if there is none.
    pub fn next_deadline(&self) -> Option<Instant> {
        let reactor = &self.context.reactor;
        if has_work(&self.context) { Some(reactor.clock.now()) } else { reactor.next_deadline() }
    }
}
