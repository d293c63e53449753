//! Worker processes: three processes take jobs from one queue. One dies, and is replaced.
//!
//! ```sh
//! cargo run --package evloop-book --example process_workers
//! ```
//!
//! prints, on Unix,
//!
//! ```text
//! 1 squared is 1
//! 2 squared is 4
//! 3 squared is 9
//! 4: the worker died: exit status: 1
//! 5 squared is 25
//! 6 squared is 36
//! workers started: 4, still running: 0
//! ```
//!
//! A job and its answer are lines, which go through pipes. A worker ends at the end of its input:
//! also if this program is killed, since the system closes the pipe then. `evloop::process::Pool`
//! does all this for jobs of bytes.

#[cfg(unix)]
mod program {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::env;
    use std::io::{self, BufRead};
    use std::process;

    use evloop::StreamReader;
    use evloop::process::{Child, Command, Stdio};
    use evloop::queue::Queue;
    use evloop::streams::{StreamOptions, from_pipe};
    use evloop::task;

    pub(crate) fn main() -> io::Result<()> {
        if env::args().nth(1).as_deref() == Some("worker") {
            return worker();
        }
        evloop::block_on(parent())
    }

    /// A worker: answers each line of its input. The number 4 ends it.
    fn worker() -> io::Result<()> {
        for line in io::stdin().lock().lines() {
            let number: u64 = line?.parse().map_err(io::Error::other)?;
            if number == 4 {
                process::exit(1);
            }
            println!("{number} squared is {}", number * number);
        }
        Ok(())
    }

    /// A running worker, as its parent sees it.
    struct Worker {
        child: Child,
        answers: StreamReader,
    }

    impl Worker {
        fn start() -> io::Result<Worker> {
            let mut command = Command::new(env::current_exe()?);
            command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn()?;
            let stdout = child.stdout.take().expect("stdout is piped");
            let answers = from_pipe(stdout, &StreamOptions::default());
            Ok(Worker { child, answers })
        }

        /// Returns the answer, or `None` if the worker has died.
        async fn ask(&mut self, job: u64) -> io::Result<Option<String>> {
            let stdin = self.child.stdin.as_ref().expect("`wait` was not called");
            stdin.write_all(format!("{job}\n").as_bytes()).await?;
            let line = self.answers.read_line().await?;
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            Ok((!text.is_empty()).then_some(text))
        }
    }

    async fn parent() -> io::Result<()> {
        let jobs = Queue::unbounded();
        (1..=6).for_each(|job| jobs.try_put(job).expect("the queue has no limit"));
        jobs.close(); // `get` fails when the queue is empty

        let (answers, running) = (RefCell::new(BTreeMap::new()), Cell::new(0));
        let started = Cell::new(0);
        let start = || {
            started.set(started.get() + 1);
            running.set(running.get() + 1);
            Worker::start()
        };
        // One task for each worker.
        let serve = async |_| {
            let mut worker = start()?;
            while let Ok(job) = jobs.get().await {
                let answer = match worker.ask(job).await? {
                    Some(answer) => answer,
                    None => {
                        let status = worker.child.wait().await?;
                        running.set(running.get() - 1);
                        worker = start()?;
                        format!("{job}: the worker died: {status}")
                    }
                };
                answers.borrow_mut().insert(job, answer);
            }
            worker.child.wait().await?; // closes its input first
            running.set(running.get() - 1);
            io::Result::Ok(())
        };
        task::try_gather((0..3).map(serve)).await?;

        answers.borrow().values().for_each(|answer| println!("{answer}"));
        println!("workers started: {}, still running: {}", started.get(), running.get());
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
