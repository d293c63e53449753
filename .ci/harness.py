"""Shared by the scripts of this folder: a tally of checks, tools from apt, a server to test."""

import atexit
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60  # seconds to wait for an expected event before the check fails


class Tally:
    """Counts passed and failed checks, and prints a line for each."""

    passed = failed = 0

    def check(self, name, ok, detail=""):
        """`ok` is a boolean or a function that returns one. An exception is a failure."""
        if callable(ok):
            try:
                ok = ok()
            except Exception as error:
                ok, detail = False, repr(error)
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        print("ok  " if ok else "FAIL", name, "" if ok else str(detail)[:1000], flush=True)

    def close(self):
        """Prints the totals and ends the script."""
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def install(**packages):
    """Installs the Debian packages of missing tools if root. Returns the available tools."""
    missing = [package for tool, package in packages.items() if not shutil.which(tool)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], stdout=subprocess.DEVNULL)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, stdout=subprocess.DEVNULL)
    return {tool for tool in packages if shutil.which(tool)}


def raise_descriptor_limit():
    """Raises the limit: a thousand connections need more than the usual 1,024 descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wait_until(condition):
    """Returns whether the condition became true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Server:
    """A running server: its port, its output, its use of resources."""

    def __init__(self, command, descriptors=None):
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.stderr_file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.stderr_file,
            text=True,
            preexec_fn=limit,
        )
        atexit.register(self.process.kill)
        self.pid = self.process.pid
        self.port = None
        self.lines = []
        self.reader = threading.Thread(target=self._read_stdout, daemon=True)
        self.reader.start()
        wait_until(lambda: self.port or self.process.poll() is not None)
        if not self.port:
            sys.exit(f"{command} did not print its address\n{self.stderr()}")

    def _read_stdout(self):
        # Reads to the end: a full pipe would block the server.
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])

    def stdout(self):
        """Returns the output of a server that has ended."""
        self.reader.join(PATIENCE)
        return "".join(self.lines)

    def stderr(self):
        self.stderr_file.seek(0)
        return self.stderr_file.read()

    def rss(self):
        """Returns the resident memory in KiB."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def interrupt(self):
        """Sends SIGINT. Returns the exit status, or None if the server does not end."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(PATIENCE)
        self.process.kill()
        return None
