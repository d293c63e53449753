//! A waker and a value that tell what was done with them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A waker that counts what is done with it, and does once what the test says: wakers are foreign
/// code, and may call back into what clones, wakes or drops them.
pub struct Probe {
    pub calls: Rc<Calls>,
    /// All that the primitive keeps are clones of this one.
    pub waker: Waker,
}

#[derive(Default)]
pub struct Calls {
    pub clones: Cell<usize>,
    pub wakes: Cell<usize>,
    /// Wakers that were neither dropped nor used up.
    pub live: Cell<usize>,
    pub on_clone: Hook,
    pub on_wake: Hook,
    pub on_drop: Hook,
}

pub type Hook = Cell<Option<Box<dyn FnOnce()>>>;

thread_local! {
    /// A waker's data is its place in here: it points to nothing.
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
        // SAFETY: the functions read the data as a number; each keeps the contract of `RawWaker`
        // but for threads, and no test here has a second one.
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

    /// How many clones of its waker are kept.
    pub fn kept(&self) -> usize {
        self.calls.live.get() - 1
    }

    /// How often it was woken, and how many clones of its waker are kept.
    pub fn wakes_and_kept(&self) -> (usize, usize) {
        (self.calls.wakes.get(), self.kept())
    }
}

/// Counts the ends of values.
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
