#!/usr/bin/env python3
"""Runs the workloads on every peer that has been built, interleaved, and prints the table.

Without a mode it compares CPU times; `--instructions`, `--syscalls` and `--memory` compare counts,
which repeat from run to run. `--json` keeps the samples, `--from` reads them again; `--svg` draws
them. `README.md` has the commands.
"""

import argparse
import re
import subprocess
import sys
from functools import partial

import chart
import result
import runs
import workloads
from markdown import markdown
from result import Table
from workloads import (
    COUNTED_POINT, COUNTED_STREAMS, POINTS, PYTHON, RAW, REAL, SERVICES, WORKLOADS,
)


def main():
    args = arguments()
    chosen, peers = re.compile(args.only), args.peers.split(",")
    for tool in runs.missing_tools():
        print(f"# {tool} IS NOT INSTALLED: what needs it is left out", file=sys.stderr)
    if args.source:
        tables = (table.only(chosen, peers) for table in result.load(args.source))
    else:
        tables = measured(args, [peer for peer in peers if usable(peer)], chosen)
    taken = []
    for table in tables:
        if table.rows:
            print(f"\n{markdown(table, peers)}", flush=True)
            taken.append(table)
            if args.json:
                result.save(taken, args.json)
    if args.svg:
        with open(args.svg, "w") as file:
            file.write(chart.svg(taken))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    everyone = ",".join(workloads.PEERS)
    parser.add_argument("--peers", default=everyone, help="comma-separated, in order")
    parser.add_argument("--only", default="", help="regular expression over the lines' names")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each")
    parser.add_argument("--scale", type=float, default=1, help="of the runs' lengths: 0.01 to try")
    parser.add_argument("--json", metavar="FILE", help="write the samples")
    parser.add_argument("--svg", metavar="FILE", help="draw the ratios")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--from", dest="source", metavar="FILE", help="measure nothing, read samples")
    mode.add_argument("--instructions", action="store_true", help="user-space, by cachegrind")
    mode.add_argument("--syscalls", action="store_true", help="of the echo, by strace")
    mode.add_argument("--memory", action="store_true", help="a parked task, an idle connection")
    return parser.parse_args()


def usable(peer):
    """Built, and able to run here: a kernel may refuse io_uring."""
    if not runs.command(peer):
        return False
    try:
        runs.run(peer, "yield1", 10)
    except runs.Lacking:
        pass
    except (runs.Failed, subprocess.TimeoutExpired) as failure:
        print(f"# {peer} is left out: {failure}", file=sys.stderr)
        return False
    return True


def measured(args, peers, chosen):
    if args.instructions:
        return instructions(peers, chosen)
    if args.syscalls:
        return syscalls(peers)
    if args.memory:
        return memory(peers)
    return times(peers, chosen, args.rounds, args.scale)


def times(peers, chosen, rounds, scale):
    """CPU nanoseconds an operation; the servers' latencies; connections a second."""
    table = Table("CPU ns an operation", "{:.1f}", "ns")
    for work in WORKLOADS:
        if chosen.search(work.name):
            samples = interleaved(without_raw(peers), rounds, partial(own, work.scaled(scale)))
            table.add(work.name, work.title, each(samples, cpu_ns))
    yield table

    cpu = Table("Server CPU ns a request", "{:.0f}", "ns", rivals=RAW)
    tails = Table("Latency, µs", "{:.0f}", "µs", rivals=RAW, drawn=False)
    rate = Table("Connections a second", "{:.0f}", rivals=RAW, higher=True, drawn=False)
    serve(POINTS, peers, chosen, rounds, scale, cpu, tails)
    if chosen.search("connections"):
        n = max(workloads.CONNECTIONS_AT_ONCE, int(workloads.CONNECTIONS * scale))
        connect = partial(runs.connections, parallel=workloads.CONNECTIONS_AT_ONCE, n=n)
        samples = interleaved(peers, rounds, connect)
        title = "connect, one echo, close"
        cpu.add("connections", title, each(samples, cpu_ns))
        rate.add("connections", title, each(samples, lambda s: s["ops"] / s["wall_ns"] * 1e9))
    yield from (cpu, tails, rate)

    rivals = ["tokio", "epoll", *REAL]
    cpu = Table("Real servers, CPU ns a request", "{:.0f}", "ns", rivals)
    tails = Table("Real servers, latency, µs", "{:.0f}", "µs", rivals, drawn=False)
    serve(SERVICES, peers, chosen, rounds, scale, cpu, tails)
    yield from (cpu, tails)


def serve(services, peers, chosen, rounds, scale, cpu, tails):
    """Adds a line for each of the services to the table of CPU time, and some to the latencies'."""
    for service in services:
        if not chosen.search(service.name):
            continue
        run = partial(runs.served, service=service.scaled(scale))
        samples = interleaved(peers, rounds, run)
        cpu.add(service.name, service.title, each(samples, cpu_ns))
        for share, title in ("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"):
            if all(f"{share}_ns" in sample for taken in samples.values() for sample in taken):
                microseconds = each(samples, lambda s: s[f"{share}_ns"] / 1000)
                tails.add(service.name, f"{service.title}, {title}", microseconds)


def instructions(peers, chosen):
    table = Table("User-space instructions an operation", "{:.0f}")
    for work in WORKLOADS:
        if work.counted and chosen.search(work.name):
            count = partial(runs.instructions, workload=work.name, n=work.counted)
            table.add(work.name, work.title, counted(without_raw(peers), count))
    native = [peer for peer in peers if peer not in PYTHON + REAL]
    for service in [COUNTED_POINT, COUNTED_STREAMS, *SERVICES]:
        if service.counted and chosen.search(service.name):
            count = partial(runs.service_instructions, service=service)
            table.add(service.name, service.title, counted(native, count))
    yield table


def syscalls(peers):
    table = Table("System calls a request", "{:.3f}", rivals=RAW)
    for service in COUNTED_POINT, COUNTED_STREAMS:
        count = partial(runs.service_syscalls, service=service)
        table.add(service.name, service.title, counted(peers, count))
    yield table


def memory(peers):
    def heap(peer):
        sample, _ = runs.run(peer, "heap", 1 << 17)
        return sample["live_bytes"] / sample["ops"]

    def idle(workload):
        return partial(runs.idle_bytes, workload=workload, conns=workloads.IDLE_CONNECTIONS)

    table = Table("Bytes", "{:.0f}")
    table.add("heap", "heap of a parked task", counted(peers, heap))
    table.add("idle", "RSS of an idle connection, 1 KiB buffer", counted(peers, idle("echo")))
    lean = counted(peers, idle("echo_lean"))
    table.add("idle_lean", "the same, the buffer only while data is there", lean)
    table.add("idle_streams", "the same, by streams", counted(peers, idle("echo_streams")))
    yield table


def without_raw(peers):
    return [peer for peer in peers if peer not in RAW + PYTHON + REAL]


def own(work, peer):
    sample, _ = runs.run(peer, work.name, work.times)
    return sample


def cpu_ns(sample):
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


def counted(peers, measure):
    return interleaved(peers, 1, measure)


if __name__ == "__main__":
    main()
