//! A pool of worker processes: jobs, their order, workers that die, cancelled jobs, the end.
//!
//! The workers run this test program with the arguments that select the test `a_worker`.

#![cfg(all(unix, feature = "process"))]

use std::env;
use std::future::Future;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::time::Duration;

use evloop::process::{self, Command, Pool, PoolBuilder, PoolError, Stdio};
use evloop::spawn;
use evloop::task::JoinSet;
use evloop::time::{sleep, timeout};
use futures::FutureExt;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, test_kill_process, waitid,
};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// The worker of all tests. In the parent process it does nothing.
#[test]
fn a_worker() {
    let mut count = 0_u32;
    process::worker(|job| {
        count += 1;
        answer(&String::from_utf8_lossy(&job), count).into_bytes()
    });
}

fn answer(job: &str, count: u32) -> String {
    let (name, argument) = job.split_once(' ').unwrap_or((job, ""));
    match name {
        "id" => std::process::id().to_string(),
        "count" => count.to_string(),
        "echo" => argument.into(),
        "panic" => panic!("{argument}"),
        "panic_any" => std::panic::panic_any(7),
        "exit" => std::process::exit(argument.parse().unwrap()),
        "abort" => std::process::abort(),
        "sleep" => loop {
            std::thread::sleep(LIMIT);
        },
        "stdin" => {
            let mut text = String::new();
            println!("a line on stdout is no answer");
            io::stdin().read_to_string(&mut text).unwrap();
            format!("{text:?}")
        }
        // The variable is inherited, the socket is not: this is no worker.
        "nested" => {
            let program = env::current_exe().unwrap();
            let status = std::process::Command::new(program).args(args("a_worker")).output();
            status.unwrap().status.to_string()
        }
        _ => unreachable!("no such job: {job}"),
    }
}

fn args(test: &str) -> [&str; 4] {
    [test, "--exact", "--nocapture", "--test-threads=1"]
}

/// A pool whose workers run a test of this program.
fn pool_of(test: &'static str) -> PoolBuilder {
    Pool::builder().command(move || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(args(test)).stdout(Stdio::null()).stderr(Stdio::null());
        command
    })
}

fn pool(workers: usize) -> Pool {
    pool_of("a_worker").workers(workers).build().unwrap()
}

async fn text(pool: &Pool, job: &str) -> String {
    String::from_utf8(pool.run(job).await.unwrap()).unwrap()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id as i32).unwrap()
}

/// Waits until no process has this id.
async fn until_reaped(id: u32) {
    while test_kill_process(pid(id)).is_ok() {
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_worker_starts_with_the_first_job_and_serves_all() {
    run(async {
        let pool = pool(4);
        assert_eq!(pool.worker_ids(), []);
        let id = text(&pool, "id").await;
        assert_ne!(id, std::process::id().to_string());
        assert_eq!(text(&pool, "count").await, "2");
        assert_eq!(pool.worker_ids(), [id.parse().unwrap()]);
        assert_eq!(pool.run("echo ").await.unwrap(), b"");
        pool.shutdown().await;
        assert_eq!(pool.worker_ids(), []);
        let gone = test_kill_process(pid(id.parse().unwrap()));
        assert!(gone.is_err(), "the process was waited for");
    });
}

#[test]
fn outcomes_are_in_the_order_of_the_jobs() {
    run(async {
        let pool = pool(3);
        let jobs: Vec<_> = (0..50).map(|i| format!("echo {i}")).collect();
        let outcomes = pool.map(jobs).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap()).collect();
        let expected: Vec<_> = (0..50).map(|i| i.to_string().into_bytes()).collect();
        assert_eq!(outcomes, expected);
        assert_eq!(pool.worker_ids().len(), 3);
    });
}

#[test]
fn a_job_and_an_answer_of_ten_megabytes_arrive() {
    run(async {
        let job = [b"echo ".as_slice(), &vec![b'x'; 10 << 20]].concat();
        assert_eq!(pool(1).run(&job).await.unwrap(), &job[5..]);
    });
}

#[test]
fn a_panic_is_returned_with_its_message_and_the_worker_goes_on() {
    run(async {
        let pool = pool(1);
        let id = text(&pool, "id").await;
        let error = pool.run("panic of number 7").await.unwrap_err();
        assert_eq!(error.to_string(), "the job panicked in its worker: of number 7");
        let Err(PoolError::Panicked(message)) = pool.run("panic_any").await else { panic!() };
        assert_eq!(message, "a payload that is not text");
        assert_eq!(text(&pool, "id").await, id);
    });
}

#[test]
fn a_worker_that_ends_breaks_its_job_alone_and_is_replaced() {
    run(async {
        let pool = pool(2);
        let other = {
            let pool = pool.clone();
            spawn(async move { text(&pool, "echo other").await })
        };
        let Err(PoolError::Broken(status)) = pool.run("exit 3").await else { panic!() };
        assert_eq!(status.code(), Some(3));
        let error = pool.run("abort").await.unwrap_err();
        let PoolError::Broken(status) = &error else { panic!("{error}") };
        assert_eq!(status.signal(), Some(6));
        assert!(error.to_string().contains("ended before it answered: signal: 6"), "{error}");
        assert!(!error.to_string().contains("main"), "it called `worker`: {error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(other.await.unwrap(), "other");
        assert_eq!(text(&pool, "echo again").await, "again");
    });
}

#[test]
fn an_idle_worker_that_was_killed_is_replaced_before_the_next_job() {
    run(async {
        let pool = pool(1);
        let id: u32 = text(&pool, "id").await.parse().unwrap();
        kill_process(pid(id), Signal::KILL).unwrap();
        // Waits until the process has ended, and leaves it to the pool to reap it.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid(id)), options).unwrap();
        assert_eq!(text(&pool, "count").await, "1");
        assert!(!pool.worker_ids().contains(&id));
    });
}

#[test]
fn dropping_a_job_kills_its_worker_and_frees_its_place() {
    run(async {
        let pool = pool(1);
        let id = text(&pool, "id").await.parse().unwrap();
        let mut job = Box::pin(pool.run("sleep"));
        assert!(job.as_mut().now_or_never().is_none());
        assert_eq!(pool.worker_ids(), [id], "the job runs");
        let mut waiting = Box::pin(pool.run("echo waiting"));
        assert!(waiting.as_mut().now_or_never().is_none());
        let mut never = Box::pin(pool.run("panic never begins"));
        assert!(never.as_mut().now_or_never().is_none());
        drop(never);
        drop(job);
        assert_eq!(pool.worker_ids(), []);
        assert_eq!(waiting.await.unwrap(), b"waiting");
        until_reaped(id).await;
    });
}

#[test]
fn jobs_wait_in_the_order_of_their_calls() {
    run(async {
        let pool = pool(1);
        let mut set = JoinSet::new();
        for i in 0..10 {
            let pool = pool.clone();
            set.spawn(async move { (i, text(&pool, "count").await) });
        }
        for i in 0..10 {
            let ended = set.join_next().await.unwrap().unwrap();
            assert_eq!(ended, (i, (i + 1).to_string()));
        }
    });
}

#[test]
fn shutdown_waits_for_accepted_jobs_and_refuses_later_ones() {
    run(async {
        let pool = pool(1);
        let mut jobs: Vec<_> = (0..3).map(|i| Box::pin(pool.run(format!("echo {i}")))).collect();
        for job in &mut jobs {
            assert!(job.as_mut().now_or_never().is_none());
        }
        let mut shutdown = pin!(pool.shutdown());
        assert!(shutdown.as_mut().now_or_never().is_none());
        assert!(matches!(pool.run("echo late").await, Err(PoolError::Closed)));
        let (outcomes, ()) = futures::join!(futures::future::join_all(jobs), shutdown);
        let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes, [b"0", b"1", b"2"]);
        pool.shutdown().await;
    });
}

#[test]
fn terminate_ends_running_and_waiting_jobs() {
    run(async {
        let pool = pool(2);
        let jobs: Vec<_> = (0..3)
            .map(|_| {
                let pool = pool.clone();
                spawn(async move { pool.run("sleep").await })
            })
            .collect();
        while pool.worker_ids().len() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        let ids = pool.worker_ids();
        pool.terminate();
        for job in jobs {
            assert!(matches!(job.await.unwrap(), Err(PoolError::Closed)));
        }
        assert!(matches!(pool.run("id").await, Err(PoolError::Closed)));
        for id in ids {
            until_reaped(id).await;
        }
        pool.shutdown().await;
    });
}

#[test]
fn a_worker_is_replaced_after_its_number_of_jobs() {
    run(async {
        let pool = pool_of("a_worker").jobs_per_worker(2).build().unwrap();
        let mut counts = Vec::new();
        for _ in 0..5 {
            counts.push(text(&pool, "count").await);
        }
        assert_eq!(counts, ["1", "2", "1", "2", "1"]);
    });
}

#[test]
fn a_job_sees_an_empty_stdin_and_its_children_are_no_workers() {
    run(async {
        let pool = pool(1);
        assert_eq!(text(&pool, "stdin").await, "\"\"");
        assert_eq!(text(&pool, "nested").await, "exit status: 0");
    });
}

#[test]
fn dropping_the_pool_ends_its_workers() {
    run(async {
        let pool = pool(1);
        let id: u32 = text(&pool, "id").await.parse().unwrap();
        let clone = pool.clone();
        drop(pool);
        assert_eq!(text(&clone, "id").await, id.to_string());
        drop(clone);
        until_reaped(id).await;
    });
}

/// The parent in `a_worker_ends_when_its_parent_dies`: prints the id of its worker and dies.
#[test]
#[ignore = "started by another test"]
fn a_parent_that_dies() {
    run(async {
        let pool = pool(1);
        println!("worker {}", text(&pool, "id").await);
        kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
    });
}

#[test]
fn a_worker_ends_when_its_parent_dies() {
    run(async {
        let mut parent = Command::new(env::current_exe().unwrap());
        parent.args(args("a_parent_that_dies")).arg("--ignored");
        let output = parent.output().await.unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let id = output.lines().find_map(|line| line.rsplit_once("worker ")).unwrap().1;
        until_reaped(id.parse().unwrap()).await;
    });
}

/// A worker whose program does not call `process::worker`: it may not create a pool.
#[test]
#[ignore = "started by another test"]
fn a_program_without_a_worker() {
    let error = Pool::new(1).unwrap_err();
    assert!(error.to_string().contains("call `evloop::process::worker` first"), "{error}");
    std::process::exit(42);
}

#[test]
fn a_program_that_serves_no_jobs_is_reported() {
    run(async {
        let pool = Pool::builder().command(|| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(args("a_program_without_a_worker")).arg("--ignored");
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        let error = pool.build().unwrap().run("").await.unwrap_err();
        let PoolError::Broken(status) = &error else { panic!("{error}") };
        assert_eq!(status.code(), Some(42));
        assert!(error.to_string().contains("must call `evloop::process::worker` first"), "{error}");
    });
}

/// A pool whose workers are shells that read an empty job, answer with `bytes` and exit.
fn pool_of_shells(bytes: &str) -> Pool {
    let script = format!("head -c 8 >/dev/null; printf '{bytes}' >&0");
    Pool::builder().command(move || Command::shell(&script)).build().unwrap()
}

#[test]
fn bytes_that_are_no_answer_are_an_error() {
    run(async {
        // A tag that no answer has, with a valid length.
        let pool = pool_of_shells("A\\005\\0\\0\\0\\0\\0\\0\\0hello");
        let error = pool.run("").await.unwrap_err();
        assert!(error.to_string().contains("bytes that are no answer"), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
    });
}

#[test]
fn the_length_of_an_answer_reserves_no_memory() {
    run(async {
        // More bytes than any machine has.
        let pool = pool_of_shells("\\0AAAAAAAAhello");
        let outcome = pool.run("").await;
        assert!(matches!(outcome, Err(PoolError::Broken(_))), "{outcome:?}");
    });
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error_that_names_the_program() {
    run(async {
        let pool = Pool::builder().command(|| Command::new("/no-such-program")).build().unwrap();
        for _ in 0..2 {
            let error = pool.run("").await.unwrap_err();
            assert!(error.to_string().starts_with("could not start \"/no-such-program\""));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(pool.worker_ids(), []);
    });
}
