//! The second thread of every program. It wakes, calls and spawns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

struct Helper {
    jobs: Mutex<Sender<Job>>,
    waiting: Arc<AtomicUsize>,
}

static HELPER: LazyLock<Helper> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    let waiting = Arc::new(AtomicUsize::new(0));
    let done = waiting.clone();
    thread::spawn(move || {
        for job in jobs {
            job();
            done.fetch_sub(1, Ordering::SeqCst);
        }
    });
    Helper { jobs: Mutex::new(sender), waiting }
});

/// Runs `job` on the second thread.
pub fn run(job: impl FnOnce() + Send + 'static) {
    HELPER.waiting.fetch_add(1, Ordering::SeqCst);
    HELPER.jobs.lock().unwrap().send(Box::new(job)).unwrap();
}

pub fn is_idle() -> bool {
    HELPER.waiting.load(Ordering::SeqCst) == 0
}

/// Waits until all jobs are done.
pub fn flush() {
    let (sender, done) = channel();
    run(move || sender.send(()).unwrap());
    done.recv().unwrap();
}
