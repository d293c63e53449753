//! The cost of a timer: setting and cancelling, firing, and a timeout that needs no timer.
//!
//! ```sh
//! cargo bench --bench timers
//! ```

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use evloop::Runtime;
use evloop::time::{Sleep, sleep, timeout};

const MANY: u64 = 10_000;

/// Pseudo-random numbers: a linear congruential generator with Knuth's constants.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// Runs `work` as a task and returns the time that it measured.
fn in_a_task(runtime: &mut Runtime, work: impl Future<Output = Duration> + 'static) -> Duration {
    runtime.block_on(async { evloop::spawn(work).await.expect("it does not panic") })
}

/// Returns a sleep of 1 to 60 s whose timer is set.
async fn live_sleep(random: &mut Random) -> Sleep {
    let mut sleep = sleep(Duration::from_millis(1_000 + random.below(59_000)));
    let _ = futures::poll!(&mut sleep);
    sleep
}

/// Drops the oldest of `MANY` sleeps and makes a new one, `times` times.
async fn create_and_cancel(times: u64) -> Duration {
    let (mut random, mut live) = (Random(1), VecDeque::new());
    for _ in 0..MANY {
        live.push_back(live_sleep(&mut random).await);
    }
    let begin = Instant::now();
    for _ in 0..times {
        drop(live.pop_front());
        live.push_back(live_sleep(&mut random).await);
    }
    begin.elapsed()
}

/// Spawns and joins `MANY` tasks that sleep for less than a millisecond, `times` times. Spawning
/// them takes about as long, so hardly any time is spent waiting.
async fn fire(times: u64) -> Duration {
    let (mut random, mut handles) = (Random(1), Vec::with_capacity(MANY as usize));
    let begin = Instant::now();
    for _ in 0..times {
        handles.extend((0..MANY).map(|_| {
            let duration = Duration::from_nanos(random.below(1_000_000));
            evloop::spawn(async move { sleep(duration).await })
        }));
        for handle in handles.drain(..) {
            handle.await.expect("it does not panic");
        }
    }
    begin.elapsed()
}

async fn timeout_of_ready(times: u64) -> Duration {
    let begin = Instant::now();
    for i in 0..times {
        black_box(timeout(Duration::from_secs(1), ready(i)).await).expect("it is ready");
    }
    begin.elapsed()
}

fn timers(c: &mut Criterion) {
    let mut runtime = Runtime::new().expect("a selector");
    let mut group = c.benchmark_group("timers");
    group.bench_function("create and cancel, 10,000 live", |b| {
        b.iter_custom(|times| in_a_task(&mut runtime, create_and_cancel(times)))
    });
    group.bench_function("timeout of a ready future", |b| {
        b.iter_custom(|times| in_a_task(&mut runtime, timeout_of_ready(times)))
    });
    group.throughput(Throughput::Elements(MANY));
    group.bench_function("spawn, sleep, fire, join 10,000", |b| {
        b.iter_custom(|times| in_a_task(&mut runtime, fire(times)))
    });
    group.finish();
}

fn short() -> Criterion {
    let times = [Duration::from_millis(300), Duration::from_secs(1)];
    Criterion::default().warm_up_time(times[0]).measurement_time(times[1]).sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = timers }
criterion_main!(benches);
