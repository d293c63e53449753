"""Who is compared, and at what."""

from dataclasses import dataclass, replace

OURS = "evloop"
RUNTIMES = ["tokio", "tokio-current", "smol", "monoio", "monoio-uring", "compio", "glommio",
            "futures"]
RAW = ["mio", "epoll"]
PYTHON = ["asyncio", "uvloop"]
REAL = ["redis-server"]
PEERS = [OURS, *RUNTIMES, *RAW, *PYTHON, *REAL]

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
class Service:
    """A server, and what it is asked."""

    name: str
    title: str
    server: str  # the workload of the peer's binary
    load: tuple  # the load generator's arguments but the last, the number of requests:
    n: int
    counted: int = 0  # as of a workload
    argument: int = 0  # of the server: the buffer of an echo

    def scaled(self, factor):
        return replace(self, n=max(1_000, int(self.n * factor)))


def echo(conns, size, n, depth=1):
    """Connections x bytes, requests on the way on each connection."""
    name = f"echo {conns}x{size}" + (f" pipelined {depth}" if depth > 1 else "")
    # Roomier than a message: a runtime that reads until a short read is not punished for it.
    buffer = max(4096, 2 * size)
    return Service(name, name, "echo", ("echo", conns, size, depth), n, argument=buffer)


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
    echo(1, 64, 30_000),
    echo(64, 64, 100_000),
    echo(64, 1024, 100_000),
    echo(64, 16384, 30_000),
    echo(1000, 64, 100_000),
    echo(5000, 64, 100_000),
    echo(64, 64, 500_000, depth=16),
]
COUNTED_POINT = replace(echo(64, 64, 0), counted=20_000)
COUNTED_STREAMS = replace(COUNTED_POINT, name="echo streams", server="echo_streams",
                          title=f"{COUNTED_POINT.title}, by streams")


def redis(name, title, server, command, depth=1):
    n, counted = (1_000_000, 50_000) if depth > 1 else (100_000, 10_000)
    if depth > 1:
        name, title = f"{name} pipelined", f"{title}, {depth} pipelined"
    return Service(name, title, server, ("redis-benchmark", command, depth), n, counted)


def chat(name, title, server):
    return Service(name, title, server, ("chat", 1_000, 8), 800_000)


def proxy(name, title, server, conns, size, n, counted=0):
    return Service(name, title, server, ("echo", conns, size, 1), n, counted)


def http(title, conns, n, counted, depth=1):
    name = f"http {conns}x{depth}"
    return Service(name, f"hyper, {title}", "hyper", ("http", conns, depth), n, counted)


SERVICES = [
    redis("redis set", "Redis protocol, SET", "redis", "set"),
    redis("redis set", "Redis protocol, SET", "redis", "set", depth=16),
    redis("redis get", "Redis protocol, GET", "redis", "get", depth=16),
    redis("redis lines", "Redis line by line, SET", "redis_lines", "set"),
    redis("redis lines", "Redis line by line, SET", "redis_lines", "set", depth=16),
    chat("chat", "chat, 8 lines at once to 1,000", "chat"),
    chat("chat batched", "the same, tokio batched by hand", "chat_batched"),
    proxy("proxy small", "TCP proxy, 64 bytes", "proxy", 64, 64, 50_000, counted=10_000),
    proxy("proxy large", "TCP proxy, 64 KiB", "proxy", 16, 65536, 10_000),
    proxy("proxy sized", "the same, tokio's buffers 64 KiB", "proxy_sized", 16, 65536, 10_000),
    Service("mostly idle", "echo, 10,000 connections, 100 active", "echo",
            ("mostly_idle", 10_000, 100), 100_000, argument=4096),
    http("1 connection", 1, 30_000, 5_000),
    http("64 connections", 64, 100_000, 10_000),
    http("64 connections, 16 pipelined", 64, 500_000, 50_000, depth=16),
]
