#!/usr/bin/env python3
"""Runs the workloads on every peer that has been built, interleaved, and prints the table.

`table.py` compares CPU times; `--instructions`, `--syscalls` and `--memory` compare counts, which
repeat from run to run. `README.md` has the commands.
"""

import argparse
import math
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import runs

OURS = "evloop"
RAW = ["epoll", "mio"]
RUNTIMES = ["tokio", "smol", "monoio", "compio", "glommio", "futures"]
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
    def title(self):
        pipelined = f" pipelined {self.depth}" if self.depth > 1 else ""
        return f"echo {self.conns}x{self.size}{pipelined}"


WORKLOADS = [
    Workload("spawn_join", "spawn and join, one by one", 500_000, 10_000),
    Workload("spawn_join_eager", "the same, run inside the spawn", 500_000, 10_000),
    Workload("spawn_batch", "spawn 100k, then join", 400_000, 100_000),
    Workload("spawn_batch_eager", "the same, run inside the spawn", 400_000, 100_000),
    Workload("yield1", "yield, one task", 500_000, 10_000),
    Workload("yield1000", "yield, 1,000 tasks in turn", 2_000_000, 100_000),
    Workload("ping_pong", "ping-pong, a round trip", 400_000, 10_000),
    Workload("oneshot", "oneshot answered by a fresh task", 400_000, 10_000),
    Workload("oneshot_eager", "the same, run inside the spawn", 400_000, 10_000),
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


def main():
    args = arguments()
    wanted = [peer for peer in args.peers.split(",") if runs.command(peer)]
    chosen = re.compile(args.only)
    if args.instructions:
        instructions(wanted, chosen)
    elif args.syscalls:
        row = counted(wanted, partial(runs.echo_syscalls, point=COUNTED_POINT))
        table("system calls a request", wanted, [(COUNTED_POINT.title, row)], "{:.3f}")
    elif args.memory:
        memory(wanted)
    else:
        times(wanted, chosen, args.rounds)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated, in order")
    parser.add_argument("--only", default="", help="regular expression over the lines' names")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--instructions", action="store_true", help="user-space, by cachegrind")
    mode.add_argument("--syscalls", action="store_true", help="of the echo, by strace")
    mode.add_argument("--memory", action="store_true", help="a parked task, an idle connection")
    return parser.parse_args()


def times(peers, chosen, rounds):
    """CPU nanoseconds an operation, and the echo's latencies."""
    rows = []
    for work in WORKLOADS:
        if chosen.search(work.name):
            rows.append((work.title, timed(peers, rounds, partial(own_time, work))))
    table("CPU ns an operation", [peer for peer in peers if peer not in RAW + PYTHON], rows, "{:.1f}")

    rows, tails = [], []
    for point in POINTS:
        if chosen.search(point.title):
            samples = interleaved(peers, rounds, partial(runs.echo, point=point))
            rows.append((point.title, each(samples, lambda s: s["cpu_ns"] / s["ops"])))
            for share in ("p50", "p99", "p999"):
                microseconds = each(samples, lambda s: s[f"{share}_ns"] / 1000)
                tails.append((f"{point.title}, {share}", microseconds))
    if chosen.search("connections"):
        connect = partial(runs.connections, parallel=CONNECTIONS_AT_ONCE, n=CONNECTIONS)
        samples = interleaved(peers, rounds, connect)
        rows.append(("connect, one echo, close", each(samples, lambda s: s["cpu_ns"] / s["ops"])))
    table("Server CPU ns a request", peers, rows, "{:.0f}", raw=True)
    table("Latency, µs", peers, tails, "{:.0f}", raw=True)


def instructions(peers, chosen):
    rows = []
    for work in WORKLOADS:
        if work.counted and chosen.search(work.name):
            count = partial(runs.instructions, workload=work.name, n=work.counted)
            rows.append((work.title, counted([p for p in peers if p not in RAW + PYTHON], count)))
    if chosen.search(COUNTED_POINT.title):
        count = partial(runs.echo_instructions, point=COUNTED_POINT)
        native = [peer for peer in peers if peer not in PYTHON]
        rows.append((COUNTED_POINT.title, counted(native, count)))
    table("User-space instructions an operation", peers, rows, "{:.0f}")


def memory(peers):
    def heap(peer):
        sample, _ = runs.run(peer, "heap", 1 << 17)
        return sample["live_bytes"] / sample["ops"]

    rows = [
        ("heap bytes of a parked task", counted(peers, heap)),
        ("RSS of an idle connection, 1 KiB buffer",
         counted(peers, lambda peer: runs.idle_bytes(peer, "echo", IDLE_CONNECTIONS))),
        ("the same, the buffer only while data is there",
         counted(peers, lambda peer: runs.idle_bytes(peer, "echo_lean", IDLE_CONNECTIONS))),
    ]
    table("Bytes", peers, rows, "{:.0f}")


def own_time(work, peer):
    sample, _ = runs.run(peer, work.name, work.times)
    return sample["cpu_ns"] / sample["ops"]


def attempt(measure, peer):
    try:
        return measure(peer)
    except runs.Lacking:
        return None
    except (runs.Failed, subprocess.TimeoutExpired) as failure:
        print(f"# {peer}: {failure}", file=sys.stderr)
        return None


def interleaved(peers, rounds, measure):
    """Samples by peer. All peers have their turn in each round; every other round backwards."""
    samples = {peer: [] for peer in peers}
    lacking = set()
    for turn in range(rounds):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            sample = None if peer in lacking else attempt(measure, peer)
            if sample is None:
                lacking.add(peer)
            else:
                samples[peer].append(sample)
    return {peer: taken for peer, taken in samples.items() if peer not in lacking}


def each(samples, figure):
    return {peer: [figure(sample) for sample in taken] for peer, taken in samples.items()}


def timed(peers, rounds, measure):
    return interleaved([peer for peer in peers if peer not in RAW + PYTHON], rounds, measure)


def counted(peers, measure):
    return interleaved(peers, 1, measure)


def table(title, peers, rows, form, raw=False):
    """Markdown: a median for each peer, and ours against the best runtime (and the raw loop)."""
    rows = [(name, row) for name, row in rows if row]
    if not rows:
        return
    peers = [peer for peer in peers if any(peer in row for _, row in rows)]
    ratios = [("best peer", RUNTIMES)] + ([("mio", ["mio"]), ("epoll", ["epoll"])] if raw else [])
    head = [title, *peers, *(f"{OURS} / {name}" for name, _ in ratios if OURS in peers)]
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name, row in rows:
        cells = [form.format(statistics.median(row[p])) if p in row else "-" for p in peers]
        if OURS in peers:
            cells += [against(row, rivals) for _, rivals in ratios]
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


def against(row, rivals):
    """The median of the pairs' ratios to the best of the rivals, and its 95% interval."""
    rivals = [peer for peer in rivals if peer in row]
    if OURS not in row or not rivals:
        return "-"
    best = min(rivals, key=lambda peer: statistics.median(row[peer]))
    ratios = sorted(ours / theirs for ours, theirs in zip(row[OURS], row[best]) if theirs)
    if not ratios:
        return "-"
    text = f"{statistics.median(ratios):.2f}"
    skipped = order_of_bound(len(ratios))
    if skipped:
        text += f" ({ratios[skipped - 1]:.2f}..{ratios[-skipped]:.2f})"
    return text if len(rivals) == 1 else f"{text} {best}"


def order_of_bound(n):
    """Which order statistic bounds the median of `n` samples with 97.5% (0: too few samples)."""
    below = 0.0
    for k in range(n):
        below += math.comb(n, k) / 2**n
        if below > 0.025:
            return k
    return 0


if __name__ == "__main__":
    main()
