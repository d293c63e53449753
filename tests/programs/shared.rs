//! The channels and locks of a program, and a model of each that decides whether a wait is due.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use evloop::queue::Queue;
use evloop::sync::{
    Mutex, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, thread_channel, watch,
};
use evloop::task::ReentrantMutex;

use super::census::{Census, Value};
use super::program::Channel;
use super::world::World;

/// The capacity of every bounded channel.
pub const CAPACITY: usize = 2;

pub struct Channels {
    pub bounded: Shared<mpsc::Sender<Value>>,
    pub bounded_end: End<mpsc::Receiver<Value>>,
    pub unbounded: Shared<mpsc::UnboundedSender<Value>>,
    pub unbounded_end: End<mpsc::Receiver<Value>>,
    pub queue: Rc<Queue<Value>>,
    pub broadcast: Shared<broadcast::Sender<Value>>,
    pub broadcast_end: End<broadcast::Receiver<Value>>,
    pub watch: Shared<watch::Sender<Value>>,
    pub watch_end: End<watch::Receiver<Value>>,
    pub oneshot: Cell<Option<oneshot::Sender<Value>>>,
    pub oneshot_end: End<oneshot::Receiver<Value>>,
    pub thread: Shared<thread_channel::Sender<Value>>,
    pub thread_end: End<thread_channel::Receiver<Value>>,
    /// The number of values in each channel, computed from the results of its sends and receives.
    counts: [Arc<AtomicUsize>; 8],
}

/// A receiving half, unless a task uses it.
pub type End<T> = Rc<RefCell<Option<T>>>;

/// A sending half, until the program ends.
pub type Shared<T> = RefCell<Option<T>>;

/// A receiving half that is stored again when it is dropped.
pub struct Taken<T> {
    from: End<T>,
    pub end: Option<T>,
}

pub struct Locks {
    pub mutex: Mutex<()>,
    pub semaphore: Semaphore,
    pub rw_lock: RwLock<()>,
    pub reentrant: ReentrantMutex<()>,
    /// The task that holds the reentrant mutex, and the number of its guards.
    owner: Cell<Option<(usize, usize)>>,
    /// The readers and writers that hold the lock.
    pub rw_holders: Rc<Cell<usize>>,
    /// Leaves that are ready at once.
    pub free: Semaphore,
    pub queue: Queue<u8>,
    pub cell: OnceCell<u8>,
}

/// Counts one holder while it lives.
pub struct Counted(Rc<Cell<usize>>);

/// Marks the reentrant mutex in the model as held.
pub struct Owned(Rc<World>);

fn end<T>(half: T) -> End<T> {
    Rc::new(RefCell::new(Some(half)))
}

fn shared<T>(half: T) -> Shared<T> {
    RefCell::new(Some(half))
}

impl Channels {
    pub fn new(census: &Arc<Census>) -> Channels {
        let (bounded, bounded_end) = mpsc::bounded(CAPACITY);
        let (unbounded, unbounded_end) = mpsc::unbounded();
        let (broadcast, broadcast_end) = broadcast::channel(CAPACITY);
        let (watch, watch_end) = watch::channel(census.value());
        let (oneshot, oneshot_end) = oneshot::channel();
        let (thread, thread_end) = thread_channel::bounded(CAPACITY);
        Channels {
            bounded: shared(bounded),
            bounded_end: end(bounded_end),
            unbounded: shared(unbounded),
            unbounded_end: end(unbounded_end),
            queue: Rc::new(Queue::bounded(CAPACITY)),
            broadcast: shared(broadcast),
            broadcast_end: end(broadcast_end),
            watch: shared(watch),
            watch_end: end(watch_end),
            oneshot: Cell::new(Some(oneshot)),
            oneshot_end: end(oneshot_end),
            thread: shared(thread),
            thread_end: end(thread_end),
            counts: Default::default(),
        }
    }

    pub fn counter(&self, channel: Channel) -> &Arc<AtomicUsize> {
        match channel {
            Channel::FromThread => &self.counts[Channel::Thread as usize],
            channel => &self.counts[channel as usize],
        }
    }

    pub fn count(&self, channel: Channel) -> usize {
        self.counter(channel).load(Ordering::SeqCst)
    }

    pub fn add(&self, channel: Channel, count: usize) {
        self.counter(channel).fetch_add(count, Ordering::SeqCst);
    }

    pub fn take(&self, channel: Channel, count: usize) {
        self.counter(channel).fetch_sub(count, Ordering::SeqCst);
    }

    /// Drops all halves and values.
    pub fn clear(&self, world: &World) {
        world.dispose(self.bounded.take());
        world.dispose(self.bounded_end.take());
        world.dispose(self.unbounded.take());
        world.dispose(self.unbounded_end.take());
        while let Ok(value) = self.queue.try_get() {
            drop(value);
        }
        world.dispose(self.broadcast.take());
        world.dispose(self.broadcast_end.take());
        world.dispose(self.watch.take());
        world.dispose(self.watch_end.take());
        world.dispose(self.oneshot.take());
        world.dispose(self.oneshot_end.take());
        world.dispose(self.thread.take());
        world.dispose(self.thread_end.take());
    }
}

impl<T> Taken<T> {
    pub fn new(from: &End<T>) -> Option<Taken<T>> {
        let end = from.borrow_mut().take()?;
        Some(Taken { from: from.clone(), end: Some(end) })
    }

    pub fn end(&mut self) -> &mut T {
        self.end.as_mut().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        self.from.replace(self.end.take());
    }
}

impl Locks {
    pub fn new() -> Locks {
        Locks {
            mutex: Mutex::new(()),
            semaphore: Semaphore::new(CAPACITY),
            rw_lock: RwLock::new(()),
            reentrant: ReentrantMutex::new(()),
            owner: Cell::new(None),
            rw_holders: Rc::default(),
            free: Semaphore::new(1000),
            queue: Queue::unbounded(),
            cell: OnceCell::from(7),
        }
    }

    pub fn owner(&self) -> Option<usize> {
        self.owner.get().map(|(task, _)| task)
    }
}

impl Counted {
    pub fn new(holders: &Rc<Cell<usize>>) -> Counted {
        holders.set(holders.get() + 1);
        Counted(holders.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Owned {
    /// The task has just locked the reentrant mutex.
    pub fn new(world: &Rc<World>, task: usize) -> Owned {
        let owner = &world.locks.owner;
        match owner.get() {
            None => owner.set(Some((task, 1))),
            Some((holder, times)) => {
                if holder != task {
                    world.complain(format!("task {task} locked what task {holder} holds"));
                }
                owner.set(Some((holder, times + 1)));
            }
        }
        Owned(world.clone())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let owner = &self.0.locks.owner;
        let held = owner.get().expect("the model records the owner");
        owner.set((held.1 > 1).then_some((held.0, held.1 - 1)));
    }
}
