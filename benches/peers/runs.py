"""Runs one workload or one server on one peer, and reads what it cost.

A workload is a pure function of the peer's binary: `on-PEER WORKLOAD N` prints `key=value` pairs.
A server prints its port and process id; the load generator, in a process of its own, drives it and
reads that process's CPU clock. Counts are taken at two sizes: the difference of the counts over
the difference of the operations is free of start-up, warm-up and shutdown.
"""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis_benchmark

HERE = Path(__file__).resolve().parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")) / "release"
CACHEGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
LACKS_WORKLOAD = 3
SERVER_CPU, CLIENT_CPU = 0, 1
ECHO_BUFFER = 1 << 17  # of the echo behind a proxy
PYTHON_SERVERS = {"asyncio", "uvloop"}
TOOLS = ["redis-server", "redis-benchmark"]
os.environ["RUST_BACKTRACE"] = "0"  # standard error ends with the reason
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # for 10,000 connections


class Failed(Exception):
    """A run that gave no figure; the table shows a dash, and standard error the reason."""


class Lacking(Failed):
    """The peer has no such workload, which is no news."""


def failure(status, what, errors):
    kind = Lacking if status == LACKS_WORKLOAD else Failed
    return kind(f"{what}: status {status} {errors[-400:]}")


def command(peer, workload=""):
    """How `peer` is started, or None where it has not been built or installed."""
    if peer in PYTHON_SERVERS:
        return [sys.executable, str(HERE / "python_server.py"), peer]
    if peer == "redis-server":
        return [sys.executable, str(HERE / "redis_server.py")] if shutil.which(peer) else None
    binary = RELEASE / (f"hyper-on-{peer}" if workload.startswith("hyper") else f"on-{peer}")
    return [str(binary)] if binary.exists() else None


def missing_tools():
    return [tool for tool in TOOLS if not shutil.which(tool)]


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
    """A server under test; a context manager, stopped with SIGTERM."""

    def __init__(self, peer, workload, argument, wrap=(), cpu=SERVER_CPU):
        start = command(peer, workload)
        if start is None:
            raise Lacking(f"{peer} has no {workload}")
        self.args = [*wrap, *start, workload, str(argument)]
        self.cpu = cpu

    def __enter__(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.args, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, preexec_fn=pin(self.cpu))
        line = self.process.stdout.readline()
        if not line:
            errors = self.stop()
            raise failure(self.process.returncode, " ".join(self.args), errors)
        self.at = pairs(line)
        return self

    def load(self, generator, *arguments, timeout=300):
        server = self.at["port"], self.at["pid"]

        def output(*command):
            done = subprocess.run([*map(str, command)], timeout=timeout, capture_output=True,
                                  text=True, preexec_fn=pin(CLIENT_CPU))
            if done.returncode:
                raise Failed(f"{generator} on {self.args}: {done.stderr[-400:]}")
            return done.stdout

        if generator in missing_tools():
            raise Lacking(f"{generator} is not installed")
        if generator == "redis-benchmark":
            return redis_benchmark.sample(output, *server, *arguments)
        return pairs(output(RELEASE / "load", generator, *server, *arguments))

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


@contextlib.contextmanager
def started(peer, service, wrap=()):
    """The server; behind a proxy there is the echo to which it forwards."""
    with contextlib.ExitStack() as servers:
        argument = service.argument
        if service.server.startswith("proxy"):
            echo = Server("epoll", "echo", ECHO_BUFFER, cpu=CLIENT_CPU)
            argument = servers.enter_context(echo).at["port"]
        yield servers.enter_context(Server(peer, service.server, argument, wrap))


def served(peer, service):
    """CPU of the server and latencies, for all requests."""
    with started(peer, service) as server:
        return server.load(*service.load, service.n)


def at_two_sizes(peer, service, wrap, count):
    """`count` of the wrapper's report, for one request."""
    counts = []
    for scale in (1, 3):
        with started(peer, service, wrap) as server:
            total = server.load(*service.load, scale * service.counted)["total"]
            counts.append((count(server.stop()), total))
    (less, small), (more, large) = counts
    return (more - less) / (large - small)


def service_instructions(peer, service):
    return at_two_sizes(peer, service, CACHEGRIND, instruction_refs)


def service_syscalls(peer, service):
    with tempfile.NamedTemporaryFile("r") as report:
        wrap = ["strace", "-f", "-c", "-U", "calls,name", "-o", report.name]

        def total(_):
            lines = Path(report.name).read_text().splitlines()
            return int(next(line.split()[0] for line in lines if line.endswith("total")))

        return at_two_sizes(peer, service, wrap, total)


def connections(peer, parallel, n):
    with Server(peer, "echo", 1024) as server:
        return server.load("connections", parallel, n)


def idle_bytes(peer, workload, conns):
    with Server(peer, workload, 1024) as server:
        sample = server.load("idle", conns, 64)
        return sample["rss_bytes"] / sample["ops"]
