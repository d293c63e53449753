//! A pool of threads and a pool of processes: submit, result, map, and callbacks.
//!
//! ```sh
//! cargo run --package evloop-book --example pool_callbacks
//! ```
//!
//! prints, on Unix,
//!
//! ```text
//! submit and result: 25
//! map: [0, 1, 4, 9, 16]
//! callbacks: 4 pages with 10 bytes, all on the thread of the loop: true
//! processes: [0, 1, 4, 9, 16], in other processes: true
//! an error of a job: the job panicked in its worker: 13 is refused
//! ```
//!
//! The worker also prints its panic to stderr.
//!
//! Python: `ThreadPoolExecutor`, `ProcessPoolExecutor`, `submit`, `map` and `add_done_callback`.

#[cfg(unix)]
mod program {
    use std::cell::Cell;
    use std::io;
    use std::process;
    use std::rc::Rc;
    use std::thread;

    use evloop::process::Pool;
    use evloop::queue::Queue;
    use evloop::task::{self, BlockingPool};

    pub(crate) fn main() -> io::Result<()> {
        // In a worker process this runs the jobs and does not return.
        evloop::process::worker(|job| {
            let number = u64::from_le_bytes(job.try_into().expect("a job has 8 bytes"));
            assert!(number != 13, "13 is refused");
            [square(number).to_le_bytes(), u64::from(process::id()).to_le_bytes()].concat()
        });
        evloop::block_on(async {
            let threads = BlockingPool::new(4);
            in_threads(&threads).await?;
            callbacks(&threads).await;
            in_processes().await
        })
    }

    fn square(n: u64) -> u64 {
        n * n
    }

    async fn in_threads(pool: &BlockingPool) -> io::Result<()> {
        let future = pool.spawn(|| square(5)); // future = pool.submit(square, 5)
        println!("submit and result: {}", future.await?); // future.result()
        let squares = task::try_gather((0..5).map(|n| pool.spawn(move || square(n)))).await?;
        println!("map: {squares:?}");
        Ok(())
    }

    /// The pages are fetched in the pool. Their results go to a callback, in the loop.
    async fn callbacks(pool: &BlockingPool) {
        let loop_thread = thread::current().id();
        let (bytes, is_here) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)));
        let left = Rc::new(Queue::unbounded());
        for page in ["a", "bb", "ccc", "dddd"] {
            left.try_put(()).expect("the queue has no limit");
            let (bytes, is_here, left) = (bytes.clone(), is_here.clone(), left.clone());
            // pool.submit(get, page).add_done_callback(parse)
            pool.spawn(move || page.to_string()).on_done(move |page| {
                bytes.set(bytes.get() + page.expect("the job does not panic").len());
                is_here.set(is_here.get() && thread::current().id() == loop_thread);
                left.task_done();
            });
        }
        left.join().await;
        let (bytes, is_here) = (bytes.get(), is_here.get());
        println!("callbacks: 4 pages with {bytes} bytes, all on the thread of the loop: {is_here}");
    }

    async fn in_processes() -> io::Result<()> {
        let pool = Pool::new(2)?;
        let mut squares = Vec::new();
        let mut is_elsewhere = true;
        for output in pool.map((0..5).map(u64::to_le_bytes)).await {
            let output = output?;
            let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
            squares.push(number(&output[..8]));
            is_elsewhere &= number(&output[8..]) != u64::from(process::id());
        }
        println!("processes: {squares:?}, in other processes: {is_elsewhere}");
        let error = pool.run(13_u64.to_le_bytes()).await.expect_err("the job panics");
        println!("an error of a job: {error}");
        pool.shutdown().await;
        Ok(())
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    program::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this program needs Unix");
}
