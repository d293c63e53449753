//! The loop of step 6: tasks, timers and sockets on one thread. A module of the programs
//! `loop_6_echo`, `solution_3_join_handle` and `solution_3_timeout`.
//!
//! A turn waits for events, fires the timers and polls the tasks that are ready.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Events, Interest, Token};

type Task = Pin<Box<dyn Future<Output = ()>>>;
type RunQueue = Arc<Mutex<VecDeque<usize>>>;

thread_local! {
    static LOOP: Loop = Loop::new().expect("the system provides a selector");
}

struct Loop {
    /// The tasks, by number. The place is empty while the task runs, and after its end.
    tasks: RefCell<Vec<Option<Task>>>,
    /// The numbers of tasks that have ended, for new tasks.
    free: RefCell<Vec<usize>>,
    ready: RunQueue,
    timers: RefCell<BTreeMap<(Instant, usize), Waker>>,
    selector: RefCell<mio::Poll>,
    /// The wakers of the tasks that wait for a socket and a direction.
    waiting: RefCell<HashMap<(Token, Direction), Waker>>,
    /// The next number of a timer or a socket.
    next: Cell<usize>,
}

/// Spawns the future and runs turns until it is ready. Then drops all tasks that are left.
pub(crate) fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    let output = Rc::new(Cell::new(None));
    let place = output.clone();
    spawn(async move { place.set(Some(future.await)) });
    LOOP.with(|this| {
        loop {
            if let Some(output) = output.take() {
                this.free.take();
                drop(this.tasks.take()); // destructors run while nothing is borrowed
                return output;
            }
            this.turn().expect("the selector works");
        }
    })
}

/// Adds a task to the loop of this thread.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    LOOP.with(|this| {
        let mut tasks = this.tasks.borrow_mut();
        let id = this.free.borrow_mut().pop().unwrap_or(tasks.len());
        if id == tasks.len() {
            tasks.push(None);
        }
        tasks[id] = Some(Box::pin(future));
        this.ready.lock().expect("no thread panics").push_back(id);
    });
}

struct TaskWaker {
    id: usize,
    ready: RunQueue,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no thread panics").push_back(self.id);
    }
}

impl Loop {
    fn new() -> io::Result<Loop> {
        Ok(Loop {
            tasks: RefCell::default(),
            free: RefCell::default(),
            ready: RunQueue::default(),
            timers: RefCell::default(),
            selector: RefCell::new(mio::Poll::new()?),
            waiting: RefCell::default(),
            next: Cell::new(0),
        })
    }

    fn turn(&self) -> io::Result<()> {
        self.wait()?;
        self.fire_timers();
        self.run_ready();
        Ok(())
    }

    /// Waits for events until the next deadline, or not at all if a task is ready. Wakes the tasks
    /// that wait for these events.
    fn wait(&self) -> io::Result<()> {
        let is_ready = !self.ready.lock().expect("no thread panics").is_empty();
        let deadline = self.timers.borrow().keys().next().map(|(deadline, _)| *deadline);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = if is_ready { Some(Duration::ZERO) } else { left };
        let mut events = Events::with_capacity(64);
        match self.selector.borrow_mut().poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result?,
        }
        for event in &events {
            let directions =
                [(Direction::Read, event.is_readable()), (Direction::Write, event.is_writable())];
            for (direction, _) in directions.into_iter().filter(|(_, is_ready)| *is_ready) {
                let waker = self.waiting.borrow_mut().remove(&(event.token(), direction));
                waker.into_iter().for_each(Waker::wake);
            }
        }
        Ok(())
    }

    fn fire_timers(&self) {
        let later = self.timers.borrow_mut().split_off(&(Instant::now(), usize::MAX));
        self.timers.replace(later).into_values().for_each(Waker::wake);
    }

    /// Polls the tasks that are ready now. Those that become ready meanwhile run in the next turn.
    fn run_ready(&self) {
        let batch = mem::take(&mut *self.ready.lock().expect("no thread panics"));
        for id in batch {
            let task = self.tasks.borrow_mut().get_mut(id).and_then(Option::take);
            let Some(mut task) = task else { continue };
            let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
            match task.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Pending => self.tasks.borrow_mut()[id] = Some(task),
                Poll::Ready(()) => self.free.borrow_mut().push(id),
            }
        }
    }

    fn next_number(&self) -> usize {
        self.next.replace(self.next.get() + 1)
    }
}

/// Waits until `duration` is over.
pub(crate) async fn sleep(duration: Duration) {
    let deadline = Instant::now() + duration;
    let key = (deadline, LOOP.with(Loop::next_number));
    poll_fn(|cx| {
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        LOOP.with(|this| this.timers.borrow_mut().insert(key, cx.waker().clone()));
        Poll::Pending
    })
    .await
}

/// What a task waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A non-blocking socket, registered with the selector, which is edge-triggered.
pub(crate) struct Socket<S: Source> {
    io: S,
    token: Token,
}

impl<S: Source> Socket<S> {
    pub(crate) fn new(mut io: S) -> io::Result<Socket<S>> {
        LOOP.with(|this| {
            let token = Token(this.next_number());
            let interest = Interest::READABLE | Interest::WRITABLE;
            this.selector.borrow().registry().register(&mut io, token, interest)?;
            Ok(Socket { io, token })
        })
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.io
    }

    /// Tries `operation`. If it would block, waits for an event and tries again.
    pub(crate) async fn io<T>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        poll_fn(|cx| match operation(&self.io) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let (key, waker) = ((self.token, direction), cx.waker().clone());
                LOOP.with(|this| this.waiting.borrow_mut().insert(key, waker));
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await
    }
}

impl Socket<TcpStream> {
    pub(crate) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io(Direction::Read, |mut stream| stream.read(buf)).await
    }

    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.io(Direction::Write, |mut stream| stream.write(bytes)).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }
}
