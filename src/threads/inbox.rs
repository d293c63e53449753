//! The inbox of a loop for other threads.
//!
//! Wakes form a set: a task that is woken a million times while the loop is busy takes one entry.
//! Calls form a queue. The loop's thread checks one flag in each turn, and locks only if it is set.
//! Invariant: the first addition after the loop parks calls the waker of the selector, or of the
//! host; later ones do not. Nothing can be added to a closed inbox.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};

use super::beacon::Beacon;
use crate::current::WakerId;
use crate::world::{self, Here};

/// The capacity that is kept for wakes, and for calls, after a burst of them.
const KEPT_MAX: usize = 1 << 12;

/// A function to call on the loop's thread.
pub(crate) struct Call {
    pub(crate) function: Box<dyn FnOnce() + Send>,
    pub(crate) called_at: &'static Location<'static>,
}

impl Call {
    /// Returns the future of the task that calls the function. All calls share one type of task.
    pub(crate) async fn run(self) {
        (self.function)();
    }
}

/// A question about a loop, from another thread: [`Inbox::request`].
///
/// The loop calls it on its own thread, as the current loop, while no task runs: one request and
/// one call a turn, until it returns `Break`. So a long answer is made in pieces, and tasks run in
/// between. It is no task: nothing counts, lists or observes it. It must call no user code, and
/// should return within half a millisecond. If the loop ends, it is dropped.
pub(crate) type Request = Box<dyn FnMut() -> ControlFlow<()> + Send>;

/// The facts about one loop. It outlives the loop, as its handles do.
#[derive(Debug)]
pub(crate) struct LoopInfo {
    /// Unlike a `LoopId`, the number is never reused.
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Debug mode is on. It does not change while the loop exists.
    pub(crate) is_debug: bool,
    /// Another thread watches the loop by it.
    pub(crate) beacon: Option<Arc<Beacon>>,
    /// A thread runs the loop: it is inside of `block_on`, `run` or `turn`.
    is_running: AtomicBool,
}

/// The wakes and calls from other threads for one loop.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) info: LoopInfo,
    /// The loop waits, or is between two turns. Set by `park`, cleared by the first addition.
    parked: AtomicBool,
    /// `queues` is not empty, or `notify` was called. The loop checks this without a lock.
    pending: AtomicBool,
    /// The loop must end its `run`.
    is_stopping: AtomicBool,
    queues: Mutex<Queues>,
    /// Ends the wait of the loop's selector.
    unpark: Waker,
    /// Wakes the host instead, between two hosted turns. The first addition takes it.
    host_waker: Mutex<Option<Waker>>,
    /// The loop's thread.
    thread: ThreadId,
    /// The loop is a host of a simulated world: no other thread may reach it.
    host: Option<Here>,
}

#[derive(Default)]
struct Queues {
    /// In the order of the calls of `wake`.
    wakes: Vec<WakerId>,
    /// The same ids, to find duplicates.
    woken: HashSet<WakerId, BuildHasherDefault<IdHasher>>,
    calls: Vec<Call>,
    requests: VecDeque<Request>,
    closed: bool,
}

/// Hashes a [`WakerId`] by one multiplication, since the inbox is locked meanwhile. The crate makes
/// the ids, so that no random hash has to protect the set.
#[derive(Default)]
struct IdHasher(u64);

/// The wakes and calls that [`Inbox::drain`] took. The loop keeps it, to reuse its capacity.
#[derive(Default)]
pub(crate) struct Drained {
    pub(crate) wakes: Vec<WakerId>,
    pub(crate) calls: Vec<Call>,
    /// The request that this turn answers.
    pub(crate) request: Option<Request>,
}

impl Hasher for IdHasher {
    fn write_usize(&mut self, word: usize) {
        // 2^64 divided by the golden ratio: neighbouring slots get distant hashes.
        self.0 = (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("an id is one word")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Drained {
    /// Frees the memory of a burst after the burst.
    pub(crate) fn shrink(&mut self) {
        if self.wakes.capacity() > KEPT_MAX {
            self.wakes = Vec::new();
        }
        if self.calls.capacity() > KEPT_MAX {
            self.calls = Vec::new();
        }
    }
}

impl LoopInfo {
    /// Makes the facts about a new loop, with the next number.
    pub(crate) fn new(name: String, is_debug: bool, beacon: Option<Arc<Beacon>>) -> LoopInfo {
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
        LoopInfo { number, name, is_debug, beacon, is_running: AtomicBool::new(false) }
    }

    /// Called by the loop's thread when it begins or ends to run turns.
    pub(crate) fn set_running(&self, is_running: bool) {
        self.is_running.store(is_running, Ordering::Relaxed);
    }

    /// Returns whether a thread runs the loop. Other threads may see a change later: nothing else
    /// depends on it, so the flag orders no other memory.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }
}

impl Inbox {
    /// Makes the inbox of the calling thread's loop. `unpark` must end the current wait of the
    /// loop's selector or, if it does not wait, the next one.
    pub(crate) fn new(unpark: Waker, info: LoopInfo) -> Inbox {
        Inbox {
            info,
            parked: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            queues: Mutex::default(),
            unpark,
            host_waker: Mutex::new(None),
            thread: thread::current().id(),
            host: world::here(),
        }
    }

    /// Wakes a task. Does nothing if the loop has ended.
    pub(crate) fn wake(&self, id: WakerId) {
        let mut queues = self.lock();
        if queues.closed || !queues.woken.insert(id) {
            return;
        }
        queues.wakes.push(id);
        drop(queues);
        self.notify();
    }

    /// Adds a call.
    ///
    /// # Errors
    ///
    /// Returns the call if the loop has ended.
    pub(crate) fn call(&self, call: Call) -> Result<(), Call> {
        let mut queues = self.lock();
        if queues.closed {
            drop(queues);
            return Err(call);
        }
        queues.calls.push(call);
        drop(queues);
        self.notify();
        Ok(())
    }

    /// Adds a request, which is answered in the next turns.
    ///
    /// # Errors
    ///
    /// Returns the request if the loop has ended.
    pub(crate) fn request(&self, request: Request) -> Result<(), Request> {
        let mut queues = self.lock();
        if queues.closed {
            drop(queues);
            return Err(request);
        }
        queues.requests.push_back(request);
        drop(queues);
        self.notify();
        Ok(())
    }

    /// Makes the loop check the inbox, also if it is about to wait.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's, if the loop is a host of a simulated world.
    pub(crate) fn notify(&self) {
        if let Some(here) = self.host {
            here.check_thread(self.thread);
        }
        self.pending.store(true, Ordering::SeqCst);
        // Both sides store first and load second (SeqCst): either this sees `parked`, or `park`
        // sees `pending`.
        if self.parked.swap(false, Ordering::SeqCst) {
            // Woken after the lock is released: the waker of a host is user code.
            let host = self.lock_host().take();
            host.as_ref().unwrap_or(&self.unpark).wake_by_ref();
        }
    }

    /// Sets the waker that the next addition after `park` wakes; `None`: that of the selector. A
    /// thread that found the loop parked in an earlier turn may take it too early: then the next
    /// addition wakes the selector, whose descriptor the host watches.
    pub(crate) fn set_host(&self, host: Option<&Waker>) {
        let is_set = match (&*self.lock_host(), host) {
            (Some(old), Some(new)) => old.will_wake(new),
            (None, None) => true,
            _ => false,
        };
        if !is_set {
            let new = host.cloned();
            let old = mem::replace(&mut *self.lock_host(), new);
            drop(old);
        }
    }

    /// Requests that the loop ends its `run`.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.notify();
    }

    /// Returns whether the loop must end its `run`.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Clears the request of [`stop`](Inbox::stop): the loop ends its `run`.
    pub(crate) fn clear_stop(&self) {
        self.is_stopping.store(false, Ordering::Release);
    }

    /// Marks the loop as waiting. Returns `false` if the inbox is not empty: then the loop must not
    /// wait.
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if !self.pending.load(Ordering::SeqCst) {
            return true;
        }
        self.parked.store(false, Ordering::Relaxed);
        false
    }

    /// Marks the loop as being between two turns; `is_ready`: it has work left. Work left, and each
    /// later addition, wakes the selector, which an event loop that embeds this one watches.
    pub(crate) fn park_outside(&self, is_ready: bool) {
        self.parked.store(true, Ordering::SeqCst);
        if is_ready || self.pending.load(Ordering::SeqCst) {
            self.notify();
        }
    }

    /// Marks the loop as running: it checks the inbox before it waits.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Returns whether a wake, a call or a notification came since the last drain.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Returns the number of wakes and calls that wait.
    pub(crate) fn len(&self) -> usize {
        let queues = self.lock();
        queues.wakes.len() + queues.calls.len()
    }

    /// Moves all wakes and calls, and one request, into `into`, which must be empty.
    pub(crate) fn drain(&self, into: &mut Drained) {
        let mut queues = self.lock();
        into.request = queues.requests.pop_front();
        // Under the lock, so that each addition after this swap sets the flag again.
        self.pending.store(!queues.requests.is_empty(), Ordering::SeqCst);
        mem::swap(&mut queues.wakes, &mut into.wakes);
        mem::swap(&mut queues.calls, &mut into.calls);
        if queues.woken.capacity() > KEPT_MAX {
            queues.woken = HashSet::default();
        }
        queues.woken.clear();
    }

    /// Closes the inbox. Returns the calls that will not run: the caller drops them, since their
    /// destructors are user code.
    pub(crate) fn close(&self) -> Vec<Call> {
        let mut queues = self.lock();
        queues.closed = true;
        let (calls, requests) = (mem::take(&mut queues.calls), mem::take(&mut queues.requests));
        drop(queues);
        drop(requests);
        calls
    }

    pub(crate) fn is_on_this_thread(&self) -> bool {
        self.thread == thread::current().id()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock_host(&self) -> MutexGuard<'_, Option<Waker>> {
        self.host_waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ignores poisoning: no user code runs under the lock, so the state is always consistent.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").field("wakes", &self.wakes).finish_non_exhaustive()
    }
}
