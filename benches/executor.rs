//! The cost of a task: spawning, joining, yielding, waking.
//!
//! ```sh
//! cargo bench --bench executor
//! ```
//!
//! Each operation is repeated inside one task of one loop, so that neither making a loop nor
//! entering it is measured.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::task::Poll;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use evloop::Runtime;
use evloop::task::yield_now;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const MANY: u64 = 1_000;

/// Runs `work` as a task and returns the time that it measured.
fn in_a_task(runtime: &mut Runtime, work: impl Future<Output = Duration> + 'static) -> Duration {
    runtime.block_on(async { evloop::spawn(work).await.expect("it does not panic") })
}

async fn spawn_and_join(times: u64) -> Duration {
    let begin = Instant::now();
    for i in 0..times {
        black_box(evloop::spawn(async move { i }).await.expect("it does not panic"));
    }
    begin.elapsed()
}

/// Spawns `MANY` tasks and then joins them, `times` times.
async fn spawn_many(times: u64) -> Duration {
    let mut handles = Vec::with_capacity(MANY as usize);
    let begin = Instant::now();
    for _ in 0..times {
        handles.extend((0..MANY).map(|i| evloop::spawn(async move { i })));
        for handle in handles.drain(..) {
            black_box(handle.await.expect("it does not panic"));
        }
    }
    begin.elapsed()
}

async fn yield_alone(times: u64) -> Duration {
    let begin = Instant::now();
    for _ in 0..times {
        yield_now().await;
    }
    begin.elapsed()
}

/// `MANY` tasks that yield `times` times each, in turn.
async fn yield_in_turn(times: u64) -> Duration {
    let begin = Instant::now();
    let handles: Vec<_> = (0..MANY).map(|_| evloop::spawn(yield_alone(times))).collect();
    for handle in handles {
        handle.await.expect("it does not panic");
    }
    begin.elapsed()
}

async fn wake_queued(times: u64) -> Duration {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        let begin = Instant::now();
        for _ in 0..times {
            black_box(cx.waker()).wake_by_ref();
        }
        Poll::Ready(begin.elapsed())
    })
    .await
}

async fn clone_waker(times: u64) -> Duration {
    poll_fn(|cx| {
        let begin = Instant::now();
        for _ in 0..times {
            drop(black_box(black_box(cx.waker()).clone()));
        }
        Poll::Ready(begin.elapsed())
    })
    .await
}

/// Measures an operation that processes `elements` elements.
fn bench<F>(group: &mut Group<'_>, name: &str, elements: u64, work: impl Fn(u64) -> F)
where
    F: Future<Output = Duration> + 'static,
{
    let mut runtime = Runtime::new().expect("a selector");
    group.throughput(Throughput::Elements(elements));
    group.bench_function(name, |b| b.iter_custom(|times| in_a_task(&mut runtime, work(times))));
}

fn executor(c: &mut Criterion) {
    let mut group = c.benchmark_group("executor");
    bench(&mut group, "spawn and join", 1, spawn_and_join);
    bench(&mut group, "spawn 1,000, then join", MANY, spawn_many);
    bench(&mut group, "yield, 1 task", 1, yield_alone);
    bench(&mut group, "yield, 1,000 tasks", MANY, yield_in_turn);
    bench(&mut group, "wake of a queued task", 1, wake_queued);
    bench(&mut group, "waker clone and drop", 1, clone_waker);
    group.finish();
}

fn short() -> Criterion {
    let times = [Duration::from_millis(300), Duration::from_secs(1)];
    Criterion::default().warm_up_time(times[0]).measurement_time(times[1]).sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = executor }
criterion_main!(benches);
