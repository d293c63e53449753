"""Real clients for the programs of the book that serve, and input for those that are clients.

usage: book_clients.py FOLDER-OF-THE-EXAMPLES
"""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import PATIENCE, Server, Tally

EXAMPLES = Path(sys.argv[1])
ANY = "127.0.0.1:0"


class Client:
    """A client that sends and receives lines. It is a context manager: the end disconnects it."""

    def __init__(self, server, name=None):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")
        if name:
            assert self.line() == "* your name?"
            self.send(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def line(self):
        """Returns the next line; an empty one is the end, also one by a reset."""
        try:
            return self.file.readline().decode().rstrip("\n")
        except ConnectionError:
            return ""

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def names(self):
        self.send("/who")
        return self.line()


def server(name, *args):
    return Server([EXAMPLES / name, ANY, *args])


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def echo(tally):
    with Client(server("chat_1_echo")) as client:
        client.send("hello")
        tally.check("chat_1_echo: bytes come back", client.line() == "hello")


def lines(tally):
    with Client(server("chat_2_lines")) as client:
        client.socket.sendall(b"one\ntw")
        first = client.line()
        client.socket.sendall(b"o\nlast")
        client.socket.shutdown(socket.SHUT_WR)
        answers = [first, *client.lines(3)]
        tally.check("chat_2_lines: pieces", answers == ["1: one", "2: two", "3: last", ""], answers)


def clients(tally):
    chat = server("chat_3_clients")
    with Client(chat) as one:
        with Client(chat) as two:
            tally.check("chat_3_clients: arrival", one.line() == "* client 2 is here")
            two.send("hello")
            tally.check("chat_3_clients: a line to others", one.line() == "<2> hello")
            one.send("hi")
            tally.check("chat_3_clients: not to its sender", two.line() == "<1> hi")
        tally.check("chat_3_clients: departure", one.line() == "* client 2 has left")


def rooms(tally, program):
    chat = server(program)
    with Client(chat, "ann") as ann, Client(chat, "ann") as bea, Client(chat, "x" * 21) as carl:
        tally.check(f"{program}: a name is taken", bea.line() == "* this name is taken")
        tally.check(f"{program}: a name is too long", carl.line().startswith("* a name has 1 to"))
        bea.send("bea")
        tally.check(f"{program}: arrival", ann.line() == "* bea is in lobby")
        tally.check(f"{program}: who", bea.names() == "* here: ann bea")
        bea.send("/join rust")
        tally.check(f"{program}: a room is left", ann.line() == "* bea has left lobby")
        bea.send("nobody hears this")
        tally.check(f"{program}: alone in a room", bea.names() == "* here: bea")
        ann.send("/join rust")
        got = bea.line()
        tally.check(f"{program}: a room is joined", got == "* ann is in rust", got)
        ann.send("hello")
        tally.check(f"{program}: a line", bea.line() == "<ann> hello")
        ann.send("/help")
        tally.check(f"{program}: help", ann.line() == "* /join ROOM, /who, /quit")
        ann.send("/quit")
        tally.check(f"{program}: quit ends the connection", ann.line() == "")
        tally.check(f"{program}: departure", bea.line() == "* ann has left rust")
    return chat


def limits(tally):
    chat = rooms(tally, "chat_5_limits")
    with Client(chat, "ann") as ann:
        ann.send("x" * 600)
        wanted = "* goodbye: a line has at most 512 bytes"
        tally.check("chat_5_limits: a long line", ann.line() == wanted)
    with Client(chat, "fast") as fast, Client(chat, "slow") as slow:
        tally.check("chat_5_limits: both are there", slow.names() == "* here: fast slow")
        # `slow` receives nothing from now on. The buffers of the system hold some megabytes.
        for _ in range(40):
            fast.socket.sendall((b"y" * 500 + b"\n") * 1000)
        lines = iter(fast.line, "")
        left = next(lines) == "* slow is in lobby" and next(lines) == "* slow has left lobby"
        tally.check("chat_5_limits: a client that does not receive is aborted", left)
        tally.check("chat_5_limits: the others go on", fast.names() == "* here: fast")
    chat = server("chat_5_limits", "0.5")
    with Client(chat) as idle:
        start = time.monotonic()
        said = idle.lines(3)
        wanted = ["* your name?", "* goodbye: no line within 500ms", ""]
        tally.check("chat_5_limits: silence ends a connection", said == wanted, said)
        tally.check("chat_5_limits: not too early", time.monotonic() - start > 0.4)
    with Client(chat) as drip:
        start = time.monotonic()
        drip.line()
        drip.socket.settimeout(0.05)
        ended = False
        while not ended and time.monotonic() - start < PATIENCE:
            try:
                drip.socket.sendall(b"x")
                ended = b"no line within" in drip.socket.recv(100)
            except TimeoutError:
                pass
        tally.check("chat_5_limits: single bytes do not extend the time", ended)
    tally.check("chat_5_limits: no error on stderr", chat.stderr() == "", chat.stderr())


def shutdown(tally):
    for kind in (signal.SIGINT, signal.SIGTERM):
        chat = rooms(tally, "chat_6_shutdown")
        with Client(chat, "ann") as ann, Client(chat) as unnamed:
            tally.check("chat_6_shutdown: present", ann.names() == "* here: ann")
            unnamed.line()
            chat.process.send_signal(kind)
            said = ann.lines(2)
            tally.check("chat_6_shutdown: a last line", said == ["* the server ends", ""], said)
            tally.check("chat_6_shutdown: the end for all", unnamed.line() == "")
            with Client.__new__(Client) as late:
                try:
                    late.__init__(chat)
                    refused = late.line() == ""
                except ConnectionRefusedError:
                    late.file = late.socket = socket.socket()
                    refused = True
                tally.check("chat_6_shutdown: no new client", refused)
        tally.check("chat_6_shutdown: exit status", chat.process.wait(PATIENCE) == 0)
        tally.check("chat_6_shutdown: count", "0 connections aborted" in chat.stdout())


def solutions(tally):
    chat = server("solution_4_private")
    with Client(chat) as ann, Client(chat) as bea:
        ann.send("ann")
        # The server must have her name before another client speaks.
        ann.send("/msg ann here")
        tally.check("solution_4_private: to oneself", ann.line() == "(ann) here")
        bea.send("bea")
        bea.send("hello")
        tally.check("solution_4_private: to all", ann.line() == "<bea> hello")
        ann.send("/msg bea for you")
        tally.check("solution_4_private: to one", bea.line() == "(ann) for you")
        ann.send("/msg carl hello")
        tally.check("solution_4_private: to none", ann.line() == "* there is no carl")
    chat = server("chat_4_rooms")
    command = [EXAMPLES / "solution_4_client", f"127.0.0.1:{chat.port}"]
    with Client(chat, "ann") as ann:
        ann.names()
        pipe = subprocess.PIPE
        program = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=0)
        program.stdin.write("bea\nhello\n")
        said = ann.lines(2)
        wanted = ["* bea is in lobby", "<bea> hello"]
        tally.check("solution_4_client: it sends", said == wanted, said)
        ann.send("hi")
        said = [program.stdout.readline() for _ in range(2)]
        tally.check("solution_4_client: it prints", said == ["* your name?\n", "<ann> hi\n"], said)
        program.stdin.close()
        tally.check("solution_4_client: it ends", program.wait(PATIENCE) == 0)
        tally.check("solution_4_client: departure", ann.line() == "* bea has left lobby")


def greenlets(tally):
    upper = server("green_server")
    with Client(upper) as client:
        client.send("hello")
        tally.check("green_server: upper case", client.line() == "HELLO")
    command = [EXAMPLES / "upper_client", f"127.0.0.1:{upper.port}"]
    ended = run(command, input="one\n\ntwo")
    wanted = ">>: ONE\n>>: >>: TWO\n>>: \n"
    tally.check("upper_client: it asks and prints", ended.stdout == wanted, ended)
    tally.check("upper_client: exit status", ended.returncode == 0)


def times(tally):
    """The programs print their times to stderr: the sum of the waits, and the longest one."""
    for program, serial, together in [("green_spawn", 300, 200), ("green_fetch", 600, 200)]:
        ended = run([EXAMPLES / program])
        found = [int(time) for time in re.findall(r": (\d+) ms", ended.stderr)]
        # A loaded machine is late by much, but never early.
        ok = found[0] >= serial and all(together <= time < found[0] for time in found[1:])
        tally.check(f"{program}: times", ok, ended.stderr)


def main():
    tally = Tally()
    echo(tally)
    lines(tally)
    clients(tally)
    rooms(tally, "chat_4_rooms")
    limits(tally)
    shutdown(tally)
    solutions(tally)
    greenlets(tally)
    times(tally)
    tally.close()


main()
