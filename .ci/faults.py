"""Injects failing system calls into the echo server: it must lose no byte and must not spin. Also
into the example `tail`, with files as input and output: no signal may end it.

usage: faults.py ECHO_SERVER TAIL

strace's `inject=` makes chosen calls fail without executing them. `when=N+S` selects the N-th call
of a thread and every S-th after it. Only the server is traced; the clients run in this process. The
script counts the calls in strace's log: a server that retries in vain, or polls while it should
wait, makes many calls for each call that transfers bytes.

An injected EAGAIN reports a full socket that is not full. epoll is edge-triggered, so the kernel
never reports the socket as writable afterwards. That cannot happen in reality, and no program could
handle it. Therefore the clients send single bytes while they wait under that fault: arriving data
is an edge, and it reports writability too. A socket that is really full is tested separately, with
clients that send megabytes before they read.
"""

import asyncio
import contextlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

from harness import PATIENCE, Server, Tally, install, wait_until

CONNECTIONS = 20
MESSAGES = 30
BIG = 8 << 20  # bytes: more than the capacity of the socket buffers of both ends
WAITS = "?epoll_wait,?epoll_pwait"
TRACED = f"{WAITS},accept4,recvfrom,sendto"


class Traced(Server):
    """A server under strace, with an optional fault. `-D`: it is a child of this process."""

    def __init__(self, binary, fault=None, descriptors=None):
        self.log_file = tempfile.NamedTemporaryFile("r")
        command = ["strace", "-D", "-f", "-o", self.log_file.name, "-e", f"trace={TRACED}"]
        if fault:
            command += ["-e", f"inject={fault}"]
        super().__init__([*command, binary, "127.0.0.1:0"], descriptors)

    def log(self):
        self.log_file.seek(0)
        return self.log_file.read()

    def calls(self):
        """Returns the number of calls by name. `epoll_pwait` counts as `epoll_wait`."""
        names = re.findall(r"^\d+ +(\w+)\(", self.log(), re.MULTILINE)
        names = [name.replace("pwait", "wait") for name in names]
        return {name: names.count(name) for name in set(names)}

    def spins(self):
        """Returns the calls that are too frequent for the number of transfers."""
        transfers = len(re.findall(r"(?:recvfrom|sendto)\(.* = [1-9]", self.log()))
        most = 2 * (transfers + self.injected()) + 100
        limits = {"accept4": 2 * CONNECTIONS + 50}
        return {call: n for call, n in self.calls().items() if n > limits.get(call, most)}

    def injected(self):
        return self.log().count("(INJECTED)")

    def interrupt(self):
        # The fault may hit the handler's write that wakes the loop: send the signal again.
        for _ in range(5):
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
                break
        status = super().interrupt()
        wait_until(lambda: re.search(rf"^{self.pid} +\+\+\+", self.log(), re.MULTILINE))
        return status


async def messages(port, number, nudges):
    """Sends each message after the echo of the last one. Returns True if all echoes came."""
    rng = random.Random(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = received = b""
    for _ in range(MESSAGES):
        message = rng.randbytes(rng.randint(1, 2000))
        writer.write(message)
        sent += message
        while len(received) < len(sent):
            try:
                patience = 0.05 if nudges else PATIENCE
                received += await asyncio.wait_for(reader.read(len(sent)), patience) or b"closed"
            except asyncio.TimeoutError:
                if not nudges:
                    return "no echo in time"
                writer.write(b"!")
                sent += b"!"
    writer.write_eof()
    received += await asyncio.wait_for(reader.read(-1), PATIENCE)
    writer.close()
    return received == sent


async def megabytes(port, number, _nudges):
    """Fills all buffers of both ends before it reads. Returns True if all bytes came back."""
    data = random.Random(number).randbytes(BIG)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(data)
    before = None
    while before != (before := writer.transport.get_write_buffer_size()):
        await asyncio.sleep(0.3)
    writer.write_eof()
    received = await asyncio.wait_for(reader.read(-1), PATIENCE)
    writer.close()
    return received == data


async def exchange(client, port, count, nudges):
    every = [client(port, number, nudges) for number in range(count)]
    return await asyncio.gather(*every, return_exceptions=True)


def run(tally, name, server, client=messages, count=CONNECTIONS, nudges=False):
    """Runs one case on a new server. Returns the lines of its stderr."""
    results = asyncio.run(exchange(client, server.port, count, nudges))
    detail = [result for result in results if result is not True]
    tally.check(f"{name}: {count} connections get every byte", not detail, detail)
    tally.check(f"{name}: the idle server makes no calls", becomes_idle(server))
    status = server.interrupt()
    tally.check(f"{name}: SIGINT ends it with status 0", status == 0, status)
    tally.check(f"{name}: the server does not spin", not server.spins(), server.calls())
    return server.stderr().splitlines()


def becomes_idle(server):
    """Returns whether an idle server soon makes no calls."""
    calls = server.calls()
    for _ in range(10):
        time.sleep(0.3)
        if calls == (calls := server.calls()):
            return True
    return False


def full_buffers(log):
    """Returns how many calls of sendto wrote less than requested."""
    sends = re.findall(r"sendto\(.*, (\d+), [\w|]+, NULL, 0\) += (-?\d+)", log)
    return sum(asked != written for asked, written in sends)


def interrupted_files(tally, binary):
    """Runs `tail` on files, and interrupts every second call on them."""
    lines = b"".join(b"%d\n" % number for number in range(100))
    with tempfile.TemporaryDirectory() as folder:
        path = {name: f"{folder}/{name}" for name in ["in", "out", "log"]}
        with open(path["in"], "wb") as file:
            file.write(lines)
        command = ["strace", "-f", "-o", path["log"], "-P", path["in"], "-P", path["out"]]
        command += ["-e", "trace=read,write", "-e", "inject=read,write:error=EINTR:when=1+2"]
        with open(path["in"]) as stdin, open(path["out"], "w") as stdout:
            done = subprocess.run([*command, binary], stdin=stdin, stdout=stdout, timeout=PATIENCE)
        with open(path["out"], "rb") as out, open(path["log"]) as log:
            printed, log = out.read(), log.read()
    name = "files EINTR"
    tally.check(f"{name}: status 0", done.returncode == 0, done.returncode)
    tally.check(f"{name}: every line is printed once", printed == lines + b"(the end)\n", printed)
    for call in ["read", "write"]:
        injected = len(re.findall(rf"{call}\(.*INJECTED", log))
        tally.check(f"{name}: {call} was interrupted {injected} times", injected > 0)


def main():
    binary, tail, tally = *sys.argv[1:], Tally()
    if "strace" not in install(strace="strace"):
        sys.exit("strace is missing, and installing it needs root and apt-get")
    interrupted_files(tally, tail)
    complaints = run(tally, "no fault", Traced(binary))
    tally.check("no fault: nothing on stderr", not complaints, complaints)

    for call, error, when in [
        (WAITS, "EINTR", "1+3"),
        ("recvfrom", "EINTR", "1+3"),
        ("sendto", "EINTR", "1+3"),
        ("sendto", "EAGAIN", "2+5"),
        ("accept4", "EMFILE", "2"),
        ("accept4", "ECONNABORTED", "2"),
    ]:
        name = f"{call.split(',')[0].strip('?')} {error}"
        server = Traced(binary, f"{call}:error={error}:when={when}")
        complaints = run(tally, name, server, nudges=error == "EAGAIN")
        injected = server.injected()
        tally.check(f"{name}: the fault was injected {injected} times", injected > 0)
        expected = injected if call == "accept4" else 0
        what = f"{name}: {expected} lines on stderr"
        tally.check(what, len(complaints) == expected, complaints)

    server = Traced(binary)
    run(tally, "full buffers", server, megabytes, count=4)
    full = full_buffers(server.log())
    tally.check(f"full buffers: sendto wrote less than requested {full} times", full > 0)

    # The server has less than ten descriptors for connections, and serves a few at a time.
    name, server = "descriptors used up", Traced(binary, descriptors=16)
    complaints = run(tally, name, server)
    full = len(re.findall(r"accept4\(.* EMFILE", server.log()))
    tally.check(f"{name}: accept4 returned EMFILE {full} times", full > 0)
    tally.check(f"{name}: each is one line on stderr", len(complaints) == full, complaints)
    tally.close()


main()
