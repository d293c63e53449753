//! A waker and a value that count the calls on them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A waker that counts the calls on it, and calls a hook of the test once: a waker is user code,
/// and may call back into the code that clones, wakes or drops it.
pub struct Probe {
    pub calls: Rc<Calls>,
    /// The primitive stores clones of this waker.
    pub waker: Waker,
}

#[derive(Default)]
pub struct Calls {
    pub clones: Cell<usize>,
    pub wakes: Cell<usize>,
    /// The number of wakers that were neither dropped nor consumed by `wake`.
    pub live: Cell<usize>,
    pub on_clone: Hook,
    pub on_wake: Hook,
    pub on_drop: Hook,
}

pub type Hook = Cell<Option<Box<dyn FnOnce()>>>;

thread_local! {
    /// A waker's data is an index into this vector, plus one; not a pointer.
    static PROBES: RefCell<Vec<Rc<Calls>>> = const { RefCell::new(Vec::new()) };
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let calls = Calls::of(data);
        calls.clones.set(calls.clones.get() + 1);
        calls.live.set(calls.live.get() + 1);
        run(&calls.on_clone);
        RawWaker::new(data, &VTABLE)
    },
    |data| {
        let calls = Calls::of(data);
        calls.live.set(calls.live.get() - 1);
        calls.wakes.set(calls.wakes.get() + 1);
        run(&calls.on_wake);
    },
    |data| {
        let calls = Calls::of(data);
        calls.wakes.set(calls.wakes.get() + 1);
        run(&calls.on_wake);
    },
    |data| {
        let calls = Calls::of(data);
        calls.live.set(calls.live.get() - 1);
        run(&calls.on_drop);
    },
);

fn run(hook: &Hook) {
    if let Some(hook) = hook.take() {
        hook();
    }
}

impl Calls {
    fn of(data: *const ()) -> Rc<Calls> {
        PROBES.with(|probes| probes.borrow()[data.addr() - 1].clone())
    }
}

impl Probe {
    pub fn new() -> Probe {
        let calls = Rc::new(Calls::default());
        let data = PROBES.with(|probes| {
            probes.borrow_mut().push(calls.clone());
            ptr::without_provenance(probes.borrow().len())
        });
        // SAFETY: the functions read the data as a number, and keep the contract of `RawWaker` on
        // one thread; no test uses a probe on a second thread.
        let waker = unsafe { Waker::new(data, &VTABLE) };
        calls.live.set(1);
        Probe { calls, waker }
    }

    pub fn on_clone(self, hook: impl FnOnce() + 'static) -> Probe {
        self.calls.on_clone.set(Some(Box::new(hook)));
        self
    }

    pub fn on_wake(self, hook: impl FnOnce() + 'static) -> Probe {
        self.calls.on_wake.set(Some(Box::new(hook)));
        self
    }

    pub fn on_drop(self, hook: impl FnOnce() + 'static) -> Probe {
        self.calls.on_drop.set(Some(Box::new(hook)));
        self
    }

    pub fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(&self.waker))
    }

    /// Returns the number of stored clones of its waker.
    pub fn kept(&self) -> usize {
        self.calls.live.get() - 1
    }

    /// Returns the number of wakes, and the number of stored clones of its waker.
    pub fn wakes_and_kept(&self) -> (usize, usize) {
        (self.calls.wakes.get(), self.kept())
    }
}

/// Counts the drops of values.
#[derive(Clone, Debug, Default)]
pub struct Drops(Rc<Cell<usize>>);

impl Drops {
    pub fn value(&self) -> Counted {
        Counted(self.clone())
    }

    pub fn count(&self) -> usize {
        self.0.get()
    }
}

#[derive(Debug)]
pub struct Counted(Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.set(self.0.count() + 1);
    }
}
