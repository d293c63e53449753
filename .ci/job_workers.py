"""The example `job-worker` on a real Redis: workers that are killed and stopped half-way, and a
broker that is killed.

usage: job_workers.py BIN

Each job must have one outcome: none is lost, and none is acknowledged twice.
"""

import atexit
import collections
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from harness import PATIENCE, Tally, install, wait_until

BIN = sys.argv[1]
LEASE = "1"  # seconds
LONG = "400000"  # A job of seconds.


class Broker:
    """A redis-server that writes each command to the disk before it answers."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--dir", self.folder.name],
            stdout=subprocess.DEVNULL,
        )
        atexit.register(self.process.kill)
        assert wait_until(lambda: self.ask("ping") == "PONG"), "redis-server does not answer"

    def ask(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout.strip()

    def ids(self, stream):
        """Returns for each job in a stream of outcomes its outcomes."""
        words = self.ask("xrange", stream, "-", "+").splitlines()
        entries = [words[at : at + 7] for at in range(0, len(words) - 6, 7)]
        outcomes = collections.defaultdict(list)
        for entry in entries:
            outcomes[entry[2]].append(entry[6])
        return outcomes

    def kill(self):
        self.process.kill()
        self.process.wait()


class Worker:
    """A running worker, and the lines that it prints."""

    def __init__(self, broker, lines, lease=LEASE):
        self.process = subprocess.Popen(
            [BIN, "work", lease], env={**os.environ, "REDIS": f"127.0.0.1:{broker.port}"},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        atexit.register(self.process.kill)
        self.own = queue.Queue()
        threading.Thread(target=self._read, args=[lines], daemon=True).start()

    def _read(self, lines):
        for line in self.process.stdout:
            lines.append(line.strip())
            self.own.put(line.strip())

    def next(self, word):
        """Waits for a line that begins with `word`, and returns its second word."""
        while True:
            line = self.own.get(timeout=PATIENCE).split()
            if line[0] == word:
                return line[1]

    def kill(self):
        self.process.kill()
        self.process.wait()


def add(broker, *jobs):
    env = {**os.environ, "REDIS": f"127.0.0.1:{broker.port}"}
    done = subprocess.run([BIN, "add", *jobs], env=env, capture_output=True, text=True)
    assert done.stdout == f"added {len(jobs)} jobs\n", done


def killed_half_way(tally, broker):
    """Kills a worker in a job again and again, and the broker once."""
    random.seed(1)
    jobs, lines = 100, []
    add(broker, *["60000"] * jobs)
    expected = {line for line in broker.ask("xrange", "jobs", "-", "+").splitlines() if "-" in line}
    ended = lambda: int(broker.ask("xlen", "jobs:done")) + int(broker.ask("xlen", "jobs:failed"))
    workers = [Worker(broker, lines) for _ in range(4)]
    for kill in range(20):
        if ended() >= jobs:
            break  # No worker would begin another one.
        victim = workers.pop(random.randrange(len(workers)))
        try:
            victim.next("began")
        except queue.Empty:
            pass  # All jobs have ended.
        time.sleep(random.random() / 20)
        victim.kill()
        workers.append(Worker(broker, lines))
        if kill == 10:
            broker.kill()
            broker.start()
    tally.check("killed workers: each job ends", wait_until(lambda: ended() >= jobs), ended())
    for worker in workers:
        worker.process.terminate()
    statuses = [worker.process.wait(PATIENCE) for worker in workers]
    tally.check("killed workers: those left end in order", statuses == [0] * 4, statuses)

    done, failed = broker.ids("jobs:done"), broker.ids("jobs:failed")
    known = set(done) | set(failed)
    tally.check("killed workers: no job is lost", known == expected, expected ^ known)
    outcomes = [*done.values(), *failed.values()]
    tally.check("killed workers: one outcome each", all(len(each) == 1 for each in outcomes))
    tally.check("killed workers: no job is both", not set(done) & set(failed))
    tally.check("killed workers: the outcomes", set(map(tuple, done.values())) == {("6057",)}, done)
    count = collections.Counter(lines)
    twice = [line for line in count if line.startswith("done") and count[line] > 1]
    tally.check("killed workers: none is acknowledged twice", not twice, twice)
    repeated = sum(count[f"began {id}"] > 1 for id in expected)
    tally.check("killed workers: jobs were taken over", repeated > 0, repeated)
    print(f"{repeated} of {jobs} jobs were taken over, {len(failed)} given up")
    pending = broker.ask("xpending", "jobs", "workers").splitlines()[:1]
    tally.check("killed workers: nothing is pending", pending == ["0"], pending)
    tally.check("killed workers: no job is left", broker.ask("xlen", "jobs") == "0")


def stopped_for_long(tally, broker, lease, what):
    """A worker that is stopped loses its job to another one, and finds that out: when it renews its
    lease, or if that is never, when it acknowledges the job."""
    broker.ask("del", "jobs:done", "jobs:failed")
    lines = []
    slow = Worker(broker, lines, lease)
    add(broker, LONG)
    job = slow.next("began")
    slow.process.send_signal(signal.SIGSTOP)
    other = Worker(broker, lines)
    tally.check(f"{what}: another one takes over", other.next("began") == job)
    tally.check(f"{what}: and ends the job", other.next("done") == job)
    slow.process.send_signal(signal.SIGCONT)
    tally.check(f"{what}: it finds that out", lambda: slow.next("lost") == job)
    outcomes = broker.ids("jobs:done")
    tally.check(f"{what}: one outcome", [*outcomes.values()] == [["33860"]], outcomes)
    for worker in slow, other:
        worker.process.terminate()
        tally.check(f"{what}: exit status 0", worker.process.wait(PATIENCE) == 0)


def longer_than_the_lease(tally, broker):
    """A job that takes longer than the lease stays with its worker, also while that one stops."""
    broker.ask("del", "jobs:done", "jobs:failed")
    lines = []
    workers = [Worker(broker, lines)]
    add(broker, LONG, LONG)
    jobs = {workers[0].next("began") for _ in range(2)}
    workers.append(Worker(broker, lines))
    workers[0].process.terminate()
    tally.check("a long job: the worker ends it first", workers[0].process.wait(PATIENCE) == 0)
    tally.check("a long job: one outcome each", set(broker.ids("jobs:done")) == jobs)
    workers[1].process.terminate()
    workers[1].process.wait(PATIENCE)
    wait_until(lambda: sum(line.startswith("done") for line in lines) == 2)
    began = sum(line.startswith("began") for line in lines)
    tally.check("a long job: nobody takes it over", began == 2, lines)


def jobs_that_fail(tally, broker):
    broker.ask("del", "jobs:done", "jobs:failed")
    lines = []
    add(broker, "many")
    worker = Worker(broker, lines)
    refused = worker.next("done")
    outcome = ['"many": invalid digit found in string']
    failed = broker.ids("jobs:failed")
    tally.check("a job with an error fails at once", failed == {refused: outcome}, failed)

    add(broker, LONG)
    for _ in range(3):
        job = worker.next("began")
        while job == refused:
            job = worker.next("began")
        worker.kill()
        worker = Worker(broker, lines)
    tally.check("a job that kills its workers is given up",
                wait_until(lambda: job in broker.ids("jobs:failed")), lines)
    outcome = broker.ids("jobs:failed")[job]
    tally.check("and says why", outcome == ["3 workers did not end it"], outcome)
    consumers = lambda: broker.ask("xinfo", "consumers", "jobs", "workers").count("worker-")
    before = consumers()
    worker.process.terminate()
    tally.check("a worker without jobs ends", worker.process.wait(PATIENCE) == 0)
    tally.check("and leaves the group", consumers() == before - 1, consumers())


def main():
    missing = {"redis-server", "redis-cli"} - install(**{
        "redis-server": "redis-server", "redis-cli": "redis-tools",
    })
    if missing:
        print(f"!!! SKIPPED: without {missing}, the example job-worker is not tested",
              file=sys.stderr)
        return
    tally, began, broker = Tally(), time.monotonic(), Broker()
    try:
        killed_half_way(tally, broker)
        stopped_for_long(tally, broker, LEASE, "a stopped worker with a lease")
        stopped_for_long(tally, broker, "3600", "a stopped worker that ends its job")
        longer_than_the_lease(tally, broker)
        jobs_that_fail(tally, broker)
    finally:
        broker.kill()
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
