#!/usr/bin/env python3
"""Runs the same scenarios in evloop's world and in turmoil, interleaved, and prints the table.

A cell is the median of the rounds, by the processor time of the process; the ratio is the median of
the rounds' ratios.
"""

import argparse
import os
import re
import statistics
import subprocess
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent / "target")) / "release"

# Title, workload, hosts, the requests of a client: in evloop, in turmoil.
RATES = [
    ("TCP, 64 hosts in pairs", "tcp", 64, 20_000, 500),
    ("TCP, 250 hosts in pairs", "tcp", 250, 5_000, 60),
    ("TCP, 63 hosts to one", "tcp_one", 64, 10_000, 500),
    ("TCP, 249 hosts to one", "tcp_one", 250, 2_500, 60),
    ("UDP, 10% loss, 64 hosts in pairs", "udp", 64, 20_000, 250),
    ("UDP, 10% loss, 250 hosts in pairs", "udp", 250, 5_000, 30),
]

# Title, workload, hosts, the count, whether turmoil runs it.
TIMES = [
    ("an hour of 10 hosts, a heartbeat each 100 ms", "heartbeats", 10, 1, True),
    ("10,000 seeds: 4 hosts, 30 requests", "seeds_in_turn", 4, 10_000, True),
    ("the same by `check`", "seeds", 4, 10_000, False),
    ("100,000 connections opened and closed", "connections", 2, 100_000, False),
    ("20,000 hosts that sleep for an hour", "idle", 20_000, 1, False),
]


def main():
    args = arguments()
    chosen = re.compile(args.only)
    rows = [rate(row, args) for row in RATES if chosen.search(row[0])]
    if rows:
        table("Requests a second", "{:,.0f}", rows)
    rows = [time(row, args) for row in TIMES if chosen.search(row[0])]
    if rows:
        table("Seconds", "{:.2f}", rows)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="regular expression over the titles")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each")
    parser.add_argument("--scale", type=float, default=1, help="of the numbers of requests")
    parser.add_argument("--slow", action="store_true", help="runs turmoil's lines of seconds too")
    return parser.parse_args()


def rate(row, args):
    title, workload, hosts, ours, theirs = row
    rounds = []
    for _ in range(args.rounds):
        pair = []
        for name, count in (("evloop", ours), ("turmoil", theirs)):
            ops, cpu, _ = run(name, workload, hosts, max(1, int(count * args.scale)))
            pair.append(ops / cpu)
        rounds.append(pair)
    return summary(title, rounds, lambda ours, theirs: ours / theirs)


def time(row, args):
    title, workload, hosts, count, both = row
    names = ("evloop", "turmoil") if both and args.slow else ("evloop",)
    rounds, memory = [], 0
    for _ in range(args.rounds):
        samples = [run(name, workload, hosts, count) for name in names]
        rounds.append([cpu for _, cpu, _ in samples])
        memory = max(memory, samples[0][2])
    return summary(f"{title} ({memory} MiB)", rounds, lambda ours, theirs: theirs / ours)


def summary(title, rounds, ratio):
    medians = [statistics.median(column) for column in zip(*rounds)]
    if len(medians) == 1:
        return title, medians[0], None, None
    return title, *medians, statistics.median(ratio(*pair) for pair in rounds)


def run(name, workload, hosts, count):
    """Returns the operations, the processor seconds, and the most memory in MiB."""
    command = [TARGET / f"on-{name}", workload, str(hosts), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    fields = dict(field.split("=") for field in done.stdout.split())
    return int(fields["ops"]), int(fields["cpu_ns"]) / 1e9, int(fields["peak_kib"]) // 1024


def table(heading, form, rows):
    print(f"\n| {heading} | evloop | turmoil | ratio |\n|---|---|---|---|")
    for title, ours, theirs, ratio in rows:
        theirs = form.format(theirs) if theirs is not None else ""
        ratio = f"{ratio:.0f}" if ratio is not None else ""
        print(f"| {title} | {form.format(ours)} | {theirs} | {ratio} |")
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"\nLoad of the machine: {load}", flush=True)


if __name__ == "__main__":
    main()
