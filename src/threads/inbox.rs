//! How other threads reach a loop, and the registry by which a waker finds it.
//!
//! Wakes are a set: a task woken a million times while the loop is busy takes one place. Calls are
//! a queue. The loop's thread looks at one flag each turn and locks only if something came.
//! Invariant: the selector's waker is written to at most once for each time that the loop parks, by
//! whoever adds first; nothing can be added once the inbox is closed.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Waker;
use std::thread::{self, ThreadId};

use crate::current::{LOOPS_MAX, LoopId, WakerId};

/// Room that is kept for the next wakes, and the next calls, after a burst of them.
const KEPT_MAX: usize = 1 << 12;

/// Something to run on the loop's thread.
pub(crate) struct Call {
    pub(crate) function: Box<dyn FnOnce() + Send>,
    pub(crate) called_at: &'static Location<'static>,
}

/// Inboxes of the loops that live, by loop id less one.
static REGISTRY: RwLock<Vec<Option<Arc<Inbox>>>> = RwLock::new(Vec::new());

/// What other threads left for one loop.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The loop waits, or is between two turns: set by `park`, taken by the first who adds.
    parked: AtomicBool,
    /// `mail` holds something, or the loop is to look around: the loop's cheap check.
    pending: AtomicBool,
    /// The loop is to end its `run`.
    is_stopping: AtomicBool,
    mail: Mutex<Mail>,
    /// Ends the wait of the loop's selector.
    unpark: Waker,
    /// The loop's thread.
    thread: ThreadId,
}

#[derive(Default)]
struct Mail {
    /// In the order they came.
    wakes: Vec<WakerId>,
    /// The same, to keep each one once.
    woken: HashSet<WakerId>,
    calls: VecDeque<Call>,
    closed: bool,
}

/// What [`Inbox::drain`] took out. Kept by the loop, so that its room is used again.
#[derive(Default)]
pub(crate) struct Drained {
    pub(crate) wakes: Vec<WakerId>,
    pub(crate) calls: VecDeque<Call>,
}

impl Drained {
    /// Gives the memory of a burst back, after it.
    pub(crate) fn give_back(&mut self) {
        if self.wakes.capacity() > KEPT_MAX {
            self.wakes = Vec::new();
        }
        if self.calls.capacity() > KEPT_MAX {
            self.calls = VecDeque::new();
        }
    }
}

impl Inbox {
    /// `unpark` must end the wait of the loop's selector, now or the next one.
    pub(crate) fn new(unpark: Waker) -> Inbox {
        Inbox {
            parked: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            mail: Mutex::default(),
            unpark,
            thread: thread::current().id(),
        }
    }

    /// Notes that a task was woken. After the loop's end: nothing.
    pub(crate) fn wake(&self, id: WakerId) {
        let mut mail = self.lock();
        if mail.closed || !mail.woken.insert(id) {
            return;
        }
        mail.wakes.push(id);
        drop(mail);
        self.notify();
    }

    /// Leaves something to run. After the loop's end it comes back.
    pub(crate) fn call(&self, call: Call) -> Result<(), Call> {
        let mut mail = self.lock();
        if mail.closed {
            drop(mail);
            return Err(call);
        }
        mail.calls.push_back(call);
        drop(mail);
        self.notify();
        Ok(())
    }

    /// Makes the loop look here, also if it is about to sleep.
    pub(crate) fn notify(&self) {
        self.pending.store(true, Ordering::SeqCst);
        // Either this sees `parked`, or `park` sees `pending`.
        if self.parked.swap(false, Ordering::SeqCst) {
            self.unpark.wake_by_ref();
        }
    }

    /// Asks the loop to end its `run`.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.notify();
    }

    /// Whether the loop was asked to end its `run`.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// The loop does as it was asked.
    pub(crate) fn stopped(&self) {
        self.is_stopping.store(false, Ordering::Release);
    }

    /// The loop is about to sleep. `false` if something came: then it must not.
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if !self.pending.load(Ordering::SeqCst) {
            return true;
        }
        self.parked.store(false, Ordering::Relaxed);
        false
    }

    /// The loop is between two turns, and `is_ready` if it has work left: who watches the selector
    /// from outside is told of that, and of what comes.
    pub(crate) fn park_outside(&self, is_ready: bool) {
        self.parked.store(true, Ordering::SeqCst);
        if is_ready || self.pending.load(Ordering::SeqCst) {
            self.notify();
        }
    }

    /// The loop is awake, and will look here before it sleeps.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Whether something came since the last drain.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Swaps what came into `into`, which must be empty.
    pub(crate) fn drain(&self, into: &mut Drained) {
        let mut mail = self.lock();
        // Under the lock: who adds after this sets it again.
        self.pending.store(false, Ordering::SeqCst);
        std::mem::swap(&mut mail.wakes, &mut into.wakes);
        std::mem::swap(&mut mail.calls, &mut into.calls);
        if mail.woken.capacity() > KEPT_MAX {
            mail.woken = HashSet::new();
        }
        mail.woken.clear();
    }

    /// The loop ends. Returns the calls that will not run, to be dropped outside of the lock.
    pub(crate) fn close(&self) -> VecDeque<Call> {
        let mut mail = self.lock();
        mail.closed = true;
        std::mem::take(&mut mail.calls)
    }

    pub(crate) fn is_on_this_thread(&self) -> bool {
        self.thread == thread::current().id()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Nothing foreign runs under the lock, so what a panic left behind is whole.
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a new loop its id, the lowest that is free.
pub(crate) fn register(inbox: Arc<Inbox>) -> io::Result<LoopId> {
    let mut inboxes = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let index = inboxes.iter().position(Option::is_none).unwrap_or(inboxes.len());
    let id = LoopId::try_from(index + 1).ok().filter(|id| *id <= LOOPS_MAX).ok_or_else(|| {
        io::Error::other(format!(
            "{LOOPS_MAX} event loops exist in this process already: drop some before making more"
        ))
    })?;
    if index == inboxes.len() {
        inboxes.push(None);
    }
    inboxes[index] = Some(inbox);
    Ok(id)
}

/// Frees a loop's id.
pub(crate) fn deregister(id: LoopId) {
    let mut inboxes = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let inbox = inboxes[id as usize - 1].take();
    drop(inboxes);
    drop(inbox);
}

/// Wakes a task of a loop that is not running on this thread.
#[cold]
pub(crate) fn wake(id: WakerId) {
    if let Some(inbox) = find(id.in_loop()) {
        inbox.wake(id);
    }
}

/// The inbox of a loop that lives. It is used after the lock was released: waking makes a system
/// call, and a process that is forked during it could never make a loop.
fn find(id: LoopId) -> Option<Arc<Inbox>> {
    let inboxes = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    inboxes.get((id as usize).checked_sub(1)?)?.clone()
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("wakes", &self.wakes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    /// Takes the registry's exclusive lock when it is woken, and reports that.
    struct Locks(Sender<()>);

    impl Wake for Locks {
        fn wake(self: Arc<Self>) {
            drop(REGISTRY.write().unwrap());
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn the_registry_is_not_locked_while_a_selector_is_woken() {
        let (sender, locked) = channel();
        let inbox = Arc::new(Inbox::new(Arc::new(Locks(sender)).into()));
        let id = register(inbox.clone()).unwrap();
        assert!(inbox.park());
        let waking = thread::spawn(move || wake(WakerId::new(id, 0, 0)));
        locked.recv_timeout(Duration::from_secs(20)).expect("it waits for the lock");
        waking.join().unwrap();
        deregister(id);
    }
}
