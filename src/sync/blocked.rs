//! Blocks a thread until a future completes.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::current;

/// A thread that blocks until its waker is called.
#[derive(Default)]
struct Blocked {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

/// Runs one future on this thread, which blocks while the future waits. `caller` names the public
/// function in the panic message.
#[track_caller]
pub(super) fn block_on<F: Future>(caller: &str, future: F) -> F::Output {
    assert!(
        !current::is_running(),
        "{caller} was called on the thread of a running loop, which it would block: \
         await the async method instead"
    );
    let mut future = pin!(future);
    // Most calls complete at once: the first poll needs no allocated waker. A future that waits is
    // polled again below, which replaces the no-op waker.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    let blocked = Arc::new(Blocked::default());
    let waker = Waker::from(blocked.clone());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => blocked.wait(),
        }
    }
}

impl Blocked {
    fn wait(&self) {
        let is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.woken.wait_while(is_woken, |is_woken| !*is_woken);
        *waited.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl Wake for Blocked {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_one();
    }
}
