"""Runs one workload on one peer, and reads what it cost.

A workload is a pure function of the peer's binary: `on-PEER WORKLOAD N` prints `key=value` pairs.
A server prints its port and process id; the load generator, in a process of its own, drives it and
reads that process's CPU clock. Counts are taken at two sizes: the difference of the counts over
the difference of the operations is free of start-up, warm-up and shutdown.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")) / "release"
CACHEGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
LACKS_WORKLOAD = 3
SERVER_CPU, CLIENT_CPU = 0, 1
PYTHON_SERVERS = {"asyncio", "uvloop"}
os.environ["RUST_BACKTRACE"] = "0"  # standard error ends with the reason


class Failed(Exception):
    """A run that gave no figure; the table shows a dash, and standard error the reason."""


class Lacking(Failed):
    """The peer has no such workload, which is no news."""


def failure(status, what, errors):
    kind = Lacking if status == LACKS_WORKLOAD else Failed
    return kind(f"{what}: status {status} {errors[-400:]}")


def command(peer):
    """How `peer` is started, or None where it has not been built."""
    if peer in PYTHON_SERVERS:
        return [sys.executable, str(HERE / "python_echo.py"), peer]
    binary = RELEASE / f"on-{peer}"
    return [str(binary)] if binary.exists() else None


def pairs(line):
    return {key: int(value) for key, value in (pair.split("=") for pair in line.split())}


def pin(cpu):
    """Server and client get a core each; on a machine with one core they share it."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[cpu % len(cores)]})


def run(peer, workload, n, wrap=(), timeout=120):
    """The sample and the standard error of one run in one process."""
    done = subprocess.run([*wrap, *command(peer), workload, str(n)], capture_output=True,
                          text=True, timeout=timeout)
    if done.returncode:
        raise failure(done.returncode, f"{peer} {workload} {n}", done.stderr)
    return pairs(done.stdout), done.stderr


class Server:
    """An echo server under test; a context manager, stopped with SIGTERM."""

    def __init__(self, peer, workload, buffer, wrap=()):
        self.args = [*wrap, *command(peer), workload, str(buffer)]

    def __enter__(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.args, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, preexec_fn=pin(SERVER_CPU))
        line = self.process.stdout.readline()
        if not line:
            errors = self.stop()
            raise failure(self.process.returncode, " ".join(self.args), errors)
        self.at = pairs(line)
        return self

    def load(self, mode, *numbers, timeout=300):
        numbers = [self.at["port"], self.at["pid"], *numbers]
        done = subprocess.run([str(RELEASE / "load"), mode, *map(str, numbers)], timeout=timeout,
                              capture_output=True, text=True, preexec_fn=pin(CLIENT_CPU))
        if done.returncode:
            raise Failed(f"load {mode} on {self.args}: {done.stderr[-400:]}")
        return pairs(done.stdout)

    def stop(self):
        """Ends the server, and returns what it and its wrapper said on standard error."""
        if self.process.poll() is None and hasattr(self, "at"):
            # Under strace the server is the child of the process that was started.
            os.kill(self.at["pid"], signal.SIGTERM)
            self.wait_awake(time.monotonic() + 10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.seek(0)
        return self.errors.read()

    def wait_awake(self, deadline):
        """Under valgrind a server asleep in io_uring notices a signal only after some events."""
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.at["port"]), 1).close()
            time.sleep(0.01)

    def __exit__(self, *_):
        self.stop()
        self.errors.close()


def instruction_refs(text):
    found = re.search(r"I\s+refs:\s+([\d,]+)", text)
    if not found:
        raise Failed("no count from cachegrind: " + text[-400:])
    return int(found[1].replace(",", ""))


def instructions(peer, workload, n):
    """User-space instructions of one operation."""
    (small, less), (large, more) = (run(peer, workload, size, CACHEGRIND, 600)
                                    for size in (n, 3 * n))
    refs = instruction_refs(more) - instruction_refs(less)
    return refs / (large["total"] - small["total"])


def echo_at_two_sizes(peer, point, wrap, count, workload):
    """`count` of the wrapper's report, for one request."""
    counts = []
    for scale in (1, 3):
        with Server(peer, workload, point.buffer, wrap) as server:
            total = server.load("echo", point.conns, point.size, point.depth, scale * point.n)
            counts.append((count(server.stop()), total["total"]))
    (less, small), (more, large) = counts
    return (more - less) / (large - small)


def echo_instructions(peer, point, workload="echo"):
    return echo_at_two_sizes(peer, point, CACHEGRIND, instruction_refs, workload)


def echo_syscalls(peer, point, workload="echo"):
    with tempfile.NamedTemporaryFile("r") as report:
        wrap = ["strace", "-f", "-c", "-U", "calls,name", "-o", report.name]

        def total(_):
            lines = Path(report.name).read_text().splitlines()
            return int(next(line.split()[0] for line in lines if line.endswith("total")))

        return echo_at_two_sizes(peer, point, wrap, total, workload)


def echo(peer, point):
    """CPU of the server and latencies, for one request."""
    with Server(peer, "echo", point.buffer) as server:
        return server.load("echo", point.conns, point.size, point.depth, point.n)


def connections(peer, parallel, n):
    with Server(peer, "echo", 1024) as server:
        return server.load("connections", parallel, n)


def idle_bytes(peer, workload, conns):
    with Server(peer, workload, 1024) as server:
        sample = server.load("idle", conns, 64)
        return sample["rss_bytes"] / sample["ops"]
