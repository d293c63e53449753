//! Clocks, and one run of a workload between two readings of them.

use std::fmt;
use std::mem::MaybeUninit;
use std::time::Instant;

use crate::peer::Peer;

/// The measured part of a run.
#[derive(Default)]
pub struct Sample {
    /// Operations between the two readings of the clocks.
    pub ops: u64,
    /// Operations of the whole process, the warm-up included: what instructions are divided by.
    pub total: u64,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub user_ns: u64,
    pub sys_ns: u64,
    /// Heap bytes that the operations left alive; zero but in the heap workload.
    pub live_bytes: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sample { ops, total, wall_ns, cpu_ns, user_ns, sys_ns, live_bytes } = self;
        write!(
            f,
            "ops={ops} total={total} wall_ns={wall_ns} cpu_ns={cpu_ns} user_ns={user_ns} \
             sys_ns={sys_ns} live_bytes={live_bytes}"
        )
    }
}

/// A reading of all clocks of this process.
pub struct Reading {
    wall: Instant,
    cpu: u64,
    user: u64,
    sys: u64,
}

impl Reading {
    pub fn now() -> Reading {
        let (user, sys) = usage();
        Reading { wall: Instant::now(), cpu: cpu_ns(libc::CLOCK_PROCESS_CPUTIME_ID), user, sys }
    }

    /// What passed since `self`, for `ops` operations out of `total`.
    pub fn sample(&self, ops: u64, total: u64) -> Sample {
        let now = Reading::now();
        Sample {
            ops,
            total,
            wall_ns: (now.wall - self.wall).as_nanos() as u64,
            cpu_ns: now.cpu - self.cpu,
            user_ns: now.user - self.user,
            sys_ns: now.sys - self.sys,
            live_bytes: 0,
        }
    }
}

/// Runs `work(n)` in a task of its own, after a warm-up of a tenth.
pub fn measure<P: Peer>(n: u64, mut work: impl AsyncFnMut(u64) + 'static) -> Sample {
    P::block_on(async move {
        let task = P::spawn(async move {
            work(n / 10).await;
            let start = Reading::now();
            work(n).await;
            start.sample(n, n + n / 10)
        });
        P::join(task).await
    })
}

/// Nanoseconds on a CPU clock.
pub(crate) fn cpu_ns(clock: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel fills `time` when it returns 0, and only then it is read.
    let time = unsafe {
        assert_eq!(libc::clock_gettime(clock, time.as_mut_ptr()), 0, "no such clock");
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// User and system time of this process: their sum is exact, the split is by the kernel's ticks.
fn usage() -> (u64, u64) {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel fills `usage` when it returns 0, and only then it is read.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    (ns(usage.ru_utime), ns(usage.ru_stime))
}
