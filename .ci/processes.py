"""Tests the examples of child processes: their output, their exit status, no process left behind.

usage: processes.py PIPELINE SUPERVISOR
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from harness import PATIENCE, Tally, wait_until

BIG = 10 << 20


def pipeline(binary, *lines, data=b""):
    """Returns the exit status, stdout, and the lines of stderr."""
    done = subprocess.run([binary, *lines], input=data, capture_output=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr.decode().splitlines()


def check_pipelines(tally, binary):
    status, out, err = pipeline(binary)
    tally.check("pipeline: built-in commands", status == 0 and int(out) > 0 and len(err) == 3, err)
    data = os.urandom(BIG)
    status, out, err = pipeline(binary, *["cat"] * 5, data=data)
    tally.check("pipeline: 10 MiB through five", status == 0 and out == data, err)
    tally.check("pipeline: bytes counted", err == [f"cat: {BIG} bytes, exit status: 0"] * 5, err)
    status, out, err = pipeline(binary, "yes", "head -n 3", "tr y n")
    is_right = (status, out) == (0, b"n\n" * 3)
    tally.check("pipeline: a command that reads a part ends the others", is_right, err)
    status, out, err = pipeline(binary, "echo a", "no-such-program", "cat")
    missing = "no-such-program: 0 bytes, exit status: 127"
    tally.check("pipeline: a command that does not exist", missing in err, err)
    status, out, err = pipeline(binary, "echo a", "cat; exit 3")
    tally.check("pipeline: the last status is returned", (status, out) == (1, b"a\n"), err)


def is_running(pid):
    """Returns whether a process runs; not one that has ended and waits for init to reap it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    return False


def default_sigint():
    """A shell starts a script in the background with SIGINT ignored. A program keeps that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Supervisor:
    """A supervisor whose commands write their process ids to files of a folder."""

    COMMANDS = {
        "good": "exec sleep 1000",
        "bad": "exit 3",
        "stubborn": "trap '' TERM; echo ready; exec sleep 1000",
        "forks": "sleep 1000 & echo $! >> FILE-behind; exit 4",
    }

    def __init__(self, binary, folder):
        self.folder = pathlib.Path(folder)
        self.log = open(self.folder / "log", "w+")
        lines = [
            f"echo $$ >> FILE; {line}".replace("FILE", f"{folder}/{name}")
            for name, line in self.COMMANDS.items()
        ]
        self.process = subprocess.Popen([binary, *lines], stdout=self.log, stderr=self.log,
                                        preexec_fn=default_sigint)
        self.has_started = wait_until(self.all_run)

    def all_run(self):
        is_restarted = len(self.pids("bad")) >= 3 and len(self.pids("forks-behind")) >= 2
        return is_restarted and self.pids("good") and "3: ready" in self.lines()

    def pids(self, name):
        with contextlib.suppress(FileNotFoundError):
            return [int(line) for line in (self.folder / name).read_text().split()]
        return []

    def lines(self):
        return (self.folder / "log").read_text().splitlines()

    def left(self):
        """Returns the children that are alive or zombies."""
        every = [pid for name in self.COMMANDS for pid in self.pids(name)]
        return [pid for pid in every if os.path.exists(f"/proc/{pid}")]

    def left_behind(self):
        """Returns the processes that a command has started and that run on."""
        return [pid for pid in self.pids("forks-behind") if is_running(pid)]

    def end(self, number):
        """Sends a signal and returns the exit status."""
        self.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(PATIENCE)
        self.process.kill()


def check_supervisors(tally, binary):
    for name in ["SIGINT", "SIGTERM"]:
        with tempfile.TemporaryDirectory() as folder:
            supervisor = Supervisor(binary, folder)
            tally.check(f"supervisor, {name}: all run", supervisor.has_started, supervisor.lines())
            status = supervisor.end(getattr(signal, name))
            lines = supervisor.lines()
            tally.check(f"supervisor, {name}: exit status 0", status == 0, (status, lines))
            tally.check(f"supervisor, {name}: no process is left", not supervisor.left(), lines)
            behind = supervisor.left_behind()
            tally.check(f"supervisor, {name}: nor what a command left behind", not behind, behind)
            expected = {
                "2: exit status: 3; again in 100 ms",
                "2: exit status: 3; again in 200 ms",
                "1: signal: 15 (SIGTERM)",
                "3: signal: 9 (SIGKILL)",
            }
            tally.check(f"supervisor, {name}: it prints each end", expected <= set(lines), lines)
    with tempfile.TemporaryDirectory() as folder:
        supervisor = Supervisor(binary, folder)
        supervisor.process.send_signal(signal.SIGINT)
        # Only a signal that comes after the first was handled is a second one.
        wait_until(lambda: "1: signal: 15 (SIGTERM)" in supervisor.lines())
        status = supervisor.end(signal.SIGINT)
        tally.check("supervisor: a second Ctrl-C ends it at once", status == -signal.SIGINT, status)
        for pid in supervisor.left() + supervisor.left_behind():
            os.kill(pid, signal.SIGKILL)


def main():
    tally = Tally()
    check_pipelines(tally, sys.argv[1])
    check_supervisors(tally, sys.argv[2])
    tally.close()


main()
