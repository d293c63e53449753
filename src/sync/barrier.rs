//! A point that a number of tasks pass together.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;

use super::notify_list::NotifyList;
use crate::current::budget;

/// Lets a number of tasks continue once all of them have arrived.
///
/// The barrier fills until the last task arrives. Then it drains until every task has left, and can
/// be used again. A task that arrives while the barrier drains waits until it fills again. This is
/// asyncio's `Barrier`. threading's `action` is what the [leader](BarrierWaitResult::is_leader)
/// does after its wait; the others do not wait for it, unless all wait a second time.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::Barrier;
///
/// evloop::block_on(async {
///     let barrier = Rc::new(Barrier::new(3));
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let barrier = barrier.clone();
///             evloop::spawn(async move { barrier.wait().await.unwrap().is_leader() })
///         })
///         .collect();
///     let mut leaders = 0;
///     for task in tasks {
///         leaders += usize::from(task.await.unwrap());
///     }
///     assert_eq!(leaders, 1);
/// });
/// ```
pub struct Barrier {
    parties: usize,
    state: Cell<State>,
    /// Futures that have entered and not left. They wait, or they are released and not polled yet.
    inside: Cell<usize>,
    /// Released futures that have left since the barrier drains, without the last to arrive.
    passed: Cell<usize>,
    /// Wakes the futures inside when the barrier stops filling.
    full: NotifyList,
    /// Wakes the futures outside when the barrier fills again or breaks.
    open: NotifyList,
}

/// The phase of the barrier. `Draining` and `Resetting` end when the last future leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Filling,
    Draining,
    /// The futures inside return an error.
    Resetting,
    /// The futures inside, and those that arrive, return an error.
    Broken,
}

/// A future that entered the barrier. It leaves when this is dropped.
struct Inside<'a>(&'a Barrier);

/// The result of [`Barrier::wait`] for one task that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    is_leader: bool,
}

/// The error of a task whose barrier was reset while it waited, or aborted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BrokenBarrier(());

impl Barrier {
    /// Creates a barrier for `parties` tasks.
    ///
    /// # Panics
    ///
    /// Panics if `parties` is zero.
    #[track_caller]
    pub const fn new(parties: usize) -> Barrier {
        assert!(parties > 0, "Barrier::new needs at least 1 party: the number of tasks that wait");
        Barrier {
            parties,
            state: Cell::new(State::Filling),
            inside: Cell::new(0),
            passed: Cell::new(0),
            full: NotifyList::new(false),
            open: NotifyList::new(false),
        }
    }

    /// Waits until [`parties`](Barrier::parties) tasks have arrived.
    ///
    /// # Errors
    ///
    /// Returns an error if the barrier is aborted, before or during the wait, or is reset during
    /// the wait. A reset or an abort also reaches a task that is released already and has not
    /// continued yet.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped has not arrived: the others wait for one more task. If the barrier
    /// was full already, the others continue.
    pub async fn wait(&self) -> Result<BarrierWaitResult, BrokenBarrier> {
        budget::unit().await;
        while matches!(self.state.get(), State::Draining | State::Resetting) {
            self.open.wait().await;
        }
        if self.is_broken() {
            return Err(BrokenBarrier(()));
        }
        // Dropped on return and on cancellation: the last future to leave starts the next round.
        let _inside = Inside::new(self);
        if self.inside.get() == self.parties {
            self.passed.set(0);
            self.stop_filling(State::Draining);
            return Ok(BarrierWaitResult { index: self.parties - 1, is_leader: true });
        }
        self.full.wait().await;
        match self.state.get() {
            State::Draining => {
                let index = self.passed.replace(self.passed.get() + 1);
                Ok(BarrierWaitResult { index, is_leader: false })
            }
            _ => Err(BrokenBarrier(())),
        }
    }

    /// Resets the barrier: the waiting tasks get an error. This also repairs an aborted barrier.
    pub fn reset(&self) {
        match self.inside.get() {
            0 => self.start_filling(),
            _ => self.stop_filling(State::Resetting),
        }
    }

    /// Breaks the barrier: tasks that wait and tasks that arrive get an error, until the barrier is
    /// [reset](Barrier::reset).
    pub fn abort(&self) {
        self.stop_filling(State::Broken);
        self.open.notify_all();
    }

    /// Returns the number of tasks that pass together.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Returns the number of tasks that have arrived while the barrier fills, and 0 in its other
    /// phases.
    #[doc(alias = "waiting")]
    #[doc(alias = "tasks_waiting")]
    pub fn n_waiting(&self) -> usize {
        match self.state.get() {
            State::Filling => self.inside.get(),
            _ => 0,
        }
    }

    /// Returns whether the barrier was aborted.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.state.get() == State::Broken
    }

    fn stop_filling(&self, state: State) {
        self.state.set(state);
        self.full.notify_all();
    }

    fn start_filling(&self) {
        self.state.set(State::Filling);
        self.open.notify_all();
    }
}

impl<'a> Inside<'a> {
    fn new(barrier: &'a Barrier) -> Inside<'a> {
        barrier.inside.set(barrier.inside.get() + 1);
        Inside(barrier)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let Barrier { inside, state, .. } = self.0;
        inside.set(inside.get() - 1);
        if inside.get() == 0 && matches!(state.get(), State::Draining | State::Resetting) {
            self.0.start_filling();
        }
    }
}

impl BarrierWaitResult {
    /// Returns a number from 0 to `parties - 1` that is unique among the tasks that pass together.
    ///
    /// The last task to arrive has the highest number. The others count up in the order in which
    /// they continue.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns whether this task arrived last and released the others. One task of each round is
    /// the leader.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was reset or aborted")
    }
}

impl fmt::Debug for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokenBarrier({self})")
    }
}

impl Error for BrokenBarrier {}

impl From<BrokenBarrier> for io::Error {
    fn from(error: BrokenBarrier) -> io::Error {
        io::Error::other(error)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("n_waiting", &self.n_waiting())
            .field("state", &self.state.get())
            .finish_non_exhaustive()
    }
}
