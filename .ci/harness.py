"""What the scripts beside this file share: a tally of checks, tools from apt, a server to test."""

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

PATIENCE = 60  # seconds until something that should have happened is called a failure


class Tally:
    """Counts what passed and what failed; one printed line each."""

    passed = failed = 0

    def check(self, name, ok, detail=""):
        """`ok` is a truth or a function that returns one; what it raises is a failure."""
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
        """Prints the closing line and ends the script."""
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def install(**packages):
    """Installs the Debian package of each missing tool, if root; returns the tools there are."""
    missing = [package for tool, package in packages.items() if not shutil.which(tool)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], stdout=subprocess.DEVNULL)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, stdout=subprocess.DEVNULL)
    return {tool for tool in packages if shutil.which(tool)}


def raise_descriptor_limit():
    """A thousand connections need more than the usual 1,024 descriptors at each end."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wait_until(condition):
    """Whether the condition came true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Server:
    """A running echo server: its port, what it prints, what it uses."""

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
        threading.Thread(target=self._read_stdout, daemon=True).start()
        wait_until(lambda: self.port or self.process.poll() is not None)
        if not self.port:
            sys.exit(f"{command} did not say where it listens\n{self.stderr()}")

    def _read_stdout(self):
        # To the end: a full pipe would stop the server.
        for line in self.process.stdout:
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])

    def stderr(self):
        self.stderr_file.seek(0)
        return self.stderr_file.read()

    def rss(self):
        """Resident memory in KiB."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def interrupt(self):
        """Sends SIGINT; the exit status, or None if the server does not end."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(PATIENCE)
        self.process.kill()
        return None
