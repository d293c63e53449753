"""Who is compared, and at what."""

from dataclasses import dataclass, replace

OURS = "evloop"
RUNTIMES = ["tokio", "tokio-current", "smol", "monoio", "monoio-uring", "compio", "glommio",
            "futures"]
RAW = ["mio", "epoll"]
PYTHON = ["asyncio", "uvloop"]
PEERS = [OURS, *RUNTIMES, *RAW, *PYTHON]

IDLE_CONNECTIONS = 9_500
CONNECTIONS_AT_ONCE = 64
CONNECTIONS = 10_000


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    times: int  # operations in a run that is timed
    counted: int  # operations in the smaller of the two runs that are counted; 0: by time only

    def scaled(self, factor):
        return replace(self, times=max(1_000, int(self.times * factor)))


@dataclass(frozen=True)
class Point:
    """One shape of the echo: connections x bytes, requests on the way on each connection."""

    conns: int
    size: int
    depth: int
    n: int

    @property
    def buffer(self):
        # Roomier than a message: a runtime that reads until a short read is not punished for it.
        return max(4096, 2 * self.size)

    @property
    def name(self):
        pipelined = f" pipelined {self.depth}" if self.depth > 1 else ""
        return f"echo {self.conns}x{self.size}{pipelined}"

    def scaled(self, factor):
        return replace(self, n=max(self.conns * self.depth, int(self.n * factor)))


WORKLOADS = [
    Workload("spawn_join", "spawn and join, one by one", 500_000, 10_000),
    Workload("spawn_join_eager", "spawn and join, run inside the spawn", 500_000, 10_000),
    Workload("spawn_batch", "spawn 100k, then join", 400_000, 100_000),
    Workload("spawn_batch_eager", "spawn 100k, then join, run inside the spawn", 400_000, 100_000),
    Workload("yield1", "yield, one task", 500_000, 10_000),
    Workload("yield1000", "yield, 1,000 tasks in turn", 2_000_000, 100_000),
    Workload("ping_pong", "ping-pong, a round trip", 400_000, 10_000),
    Workload("oneshot", "oneshot answered by a fresh task", 400_000, 10_000),
    Workload("oneshot_eager", "oneshot, run inside the spawn", 400_000, 10_000),
    Workload("mpsc1", "mpsc, capacity 1", 400_000, 10_000),
    Workload("mpsc100", "mpsc, capacity 100", 2_000_000, 30_000),
    Workload("mpsc_unbounded", "mpsc, unbounded", 3_000_000, 100_000),
    Workload("timer_churn", "timer: create and cancel", 500_000, 10_000),
    Workload("timer_fire", "timer: 100k fire within 100 ms", 200_000, 100_000),
    Workload("timeout_ready", "`timeout` around a ready future", 3_000_000, 30_000),
    Workload("timeout_yield", "`timeout` around a future that yields once", 500_000, 10_000),
    Workload("waker_clone", "waker clone + drop", 10_000_000, 100_000),
    Workload("wake_queued", "wake of a task already queued", 10_000_000, 100_000),
    Workload("wake_thread", "wake from another thread, a round trip", 30_000, 0),
]

POINTS = [
    Point(1, 64, 1, 30_000),
    Point(64, 64, 1, 100_000),
    Point(64, 1024, 1, 100_000),
    Point(64, 16384, 1, 30_000),
    Point(1000, 64, 1, 100_000),
    Point(5000, 64, 1, 100_000),
    Point(64, 64, 16, 500_000),
]
COUNTED_POINT = Point(64, 64, 1, 20_000)
