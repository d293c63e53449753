//! A point that a number of tasks pass together.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;

use super::notify_list::NotifyList;
use crate::current::budget;

/// Lets a number of tasks go on once all of them have come: asyncio's `Barrier`.
///
/// It fills until the last one comes, then drains until all have gone, and can be used again: who
/// comes while it drains waits until it fills anew.
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
    /// Futures that came in and have not gone: they wait, or were let go and not polled yet.
    inside: Cell<usize>,
    /// Those that have gone since it is draining, the last that came not among them.
    gone: Cell<usize>,
    /// Rung for those inside when it stops filling.
    full: NotifyList,
    /// Rung for those outside when it fills again, or breaks.
    open: NotifyList,
}

/// What goes on inside. Draining and resetting end when the last one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Filling,
    Draining,
    /// Those inside go with an error.
    Resetting,
    /// And those who come, too.
    Broken,
}

/// A future that came in. Goes when it is dropped.
struct Inside<'a>(&'a Barrier);

/// What [`Barrier::wait`] gives to one that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    is_leader: bool,
}

/// The barrier was reset while one waited, or aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "BrokenBarrierError")]
pub struct BrokenBarrier(());

impl Barrier {
    /// A barrier for so many tasks.
    ///
    /// # Panics
    ///
    /// If `parties` is zero.
    pub const fn new(parties: usize) -> Barrier {
        assert!(parties > 0, "a barrier needs at least 1 party");
        Barrier {
            parties,
            state: Cell::new(State::Filling),
            inside: Cell::new(0),
            gone: Cell::new(0),
            full: NotifyList::new(false),
            open: NotifyList::new(false),
        }
    }

    /// Waits until as many tasks have come as the barrier is for.
    ///
    /// # Errors
    ///
    /// If the barrier is aborted, before or meanwhile, or reset meanwhile. If that happens when all
    /// have come, it meets those who have not gone on yet.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped has not come; the others wait for one more. If the barrier was full
    /// already, they go on.
    pub async fn wait(&self) -> Result<BarrierWaitResult, BrokenBarrier> {
        budget::unit().await;
        while matches!(self.state.get(), State::Draining | State::Resetting) {
            self.open.wait().await;
        }
        if self.is_broken() {
            return Err(BrokenBarrier(()));
        }
        let _inside = Inside::new(self);
        if self.inside.get() == self.parties {
            self.gone.set(0);
            self.stop_filling(State::Draining);
            return Ok(BarrierWaitResult { index: self.parties - 1, is_leader: true });
        }
        self.full.wait().await;
        match self.state.get() {
            State::Draining => {
                let index = self.gone.replace(self.gone.get() + 1);
                Ok(BarrierWaitResult { index, is_leader: false })
            }
            _ => Err(BrokenBarrier(())),
        }
    }

    /// Begins anew: those who wait get an error. Mends a barrier that was aborted.
    pub fn reset(&self) {
        match self.inside.get() {
            0 => self.fill(),
            _ => self.stop_filling(State::Resetting),
        }
    }

    /// Breaks the barrier: those who wait, and those who come, get an error, until it is
    /// [reset](Barrier::reset).
    pub fn abort(&self) {
        self.stop_filling(State::Broken);
        self.open.notify_all();
    }

    /// How many tasks it is for.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many tasks have come, while it fills.
    pub fn n_waiting(&self) -> usize {
        match self.state.get() {
            State::Filling => self.inside.get(),
            _ => 0,
        }
    }

    /// Whether it was aborted.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.state.get() == State::Broken
    }

    fn stop_filling(&self, state: State) {
        self.state.set(state);
        self.full.notify_all();
    }

    fn fill(&self) {
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
            self.0.fill();
        }
    }
}

impl BarrierWaitResult {
    /// A number from 0 on below that of the parties; no two that pass together have the same one.
    /// The last that came has the highest; the others count up as they go on.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether this is the one that came last, and let all go on: one of those who pass together.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was reset or aborted")
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
