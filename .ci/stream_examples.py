"""Real clients for the examples of sockets and streams.

usage: stream_examples.py FOLDER-OF-THE-EXAMPLES
"""

import random
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import PATIENCE, Server, Tally

EXAMPLES = Path(sys.argv[1])
ANY = "127.0.0.1:0"


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_to_end(client):
    return client.makefile("rb").read()


def upper(tally):
    server = Server([EXAMPLES / "upper-server", ANY])

    def comes_back(data):
        with connect(server.port) as client:
            for start in range(0, len(data), 7):
                client.sendall(data[start : start + 7])
            client.shutdown(socket.SHUT_WR)
            return read_to_end(client) == data.upper()

    tally.check("upper-server: lines, one unfinished", lambda: comes_back(b"one\nTwo\nlast"))
    tally.check("upper-server: a long line", lambda: comes_back(b"x" * 60_000 + b"\n"))
    with connect(server.port) as client:
        client.sendall(b"y" * 200_000)
        # The server stops reading: closing with unread bytes may send a reset.
        try:
            ended = client.recv(1) == b""
        except ConnectionError:
            ended = True
        tally.check("upper-server: a line beyond the limit ends the connection", ended)
    tally.check("upper-server: it serves the next client", lambda: comes_back(b"again\n"))
    tally.check("upper-server: error is printed", "higher StreamOptions::limit" in server.stderr())
    return server


def proxy(tally, target):
    server = Server([EXAMPLES / "proxy", ANY, f"127.0.0.1:{target.port}"])
    data = b"".join(b"%060d\n" % number for number in range(20_000))

    def through():
        with connect(server.port) as client:
            # Both directions at once: the answer exceeds the capacity of the socket buffers.
            with ThreadPoolExecutor() as pool:
                answer = pool.submit(read_to_end, client)
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                return answer.result(PATIENCE) == data

    tally.check("proxy: all bytes and the end of stream arrive", through)
    with connect(server.port) as client:
        client.sendall(b"half")
    tally.check("proxy: it serves the next client", through)


def chat(tally):
    server = Server([EXAMPLES / "chat", ANY])

    def join(name):
        client = connect(server.port)
        client.sendall(name + b"\n")
        return client, client.makefile("rb")

    (ann, to_ann), (bea, to_bea) = join(b"ann"), (None, None)
    # Makes sure that ann has joined before bea connects: else ann might miss the message.
    with connect(server.port) as passing:
        passing.sendall(b"pat\n")
        tally.check("chat: a client is announced", lambda: to_ann.readline() == b"* pat is here\n")
    tally.check("chat: its end is announced", lambda: to_ann.readline() == b"* pat is gone\n")
    bea, to_bea = join(b"bea")
    tally.check("chat: the next is announced", lambda: to_ann.readline() == b"* bea is here\n")
    ann.sendall(b"hello\n")
    tally.check("chat: the others receive a line", lambda: to_bea.readline() == b"<ann> hello\n")

    slow, to_slow = join(b"slow")
    for reader in (to_ann, to_bea):
        reader.readline()
    line = bytes(random.Random(1).choices(b"abcdefgh", k=50_000)) + b"\n"

    others = set()
    for _ in range(300):  # 15 MB, of which slow reads nothing
        ann.sendall(line)
        while (received := to_bea.readline()) != b"<ann> " + line:
            others.add(received)
    tally.check("chat: a client that does not read delays no other", True)
    tally.check("chat: and is disconnected", others == {b"* slow is gone\n"}, others)
    ann.sendall(b"bye\n")
    tally.check("chat: the others continue", lambda: to_bea.readline() == b"<ann> bye\n")
    received = to_slow.readline()
    tally.check("chat: slow received a whole line", received == b"<ann> " + line, received[:50])


def encode(*words):
    """A command of Redis."""
    strings = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n%s" % (len(words), b"".join(strings))


def redis(tally):
    server = Server([EXAMPLES / "redis", ANY])

    def answers(request, answer):
        with connect(server.port) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            received = read_to_end(client)
            assert received == answer, received
            return True

    def expires():
        with connect(server.port) as client:
            replies = client.makefile("rb")
            client.sendall(encode(b"SET", b"soon", b"x") + encode(b"EXPIRE", b"soon", b"1"))
            assert (replies.readline(), replies.readline()) == (b"+OK\r\n", b":1\r\n")
            while True:
                client.sendall(encode(b"GET", b"soon"))
                if replies.readline() == b"$-1\r\n":
                    return True
                replies.readline()

    def count(number):
        with connect(server.port) as client:
            client.sendall(encode(b"INCR", b"n") * number)
            client.shutdown(socket.SHUT_WR)
            return len(read_to_end(client).splitlines())

    get = encode(b"SET", b"k", b"a\r\nb") + b"GET k\r\n" + encode(b"GET", b"none")
    tally.check("redis: strings", lambda: answers(get, b"+OK\r\n$4\r\na\r\nb\r\n$-1\r\n"))
    tally.check("redis: a key expires", expires)
    with ThreadPoolExecutor(50) as pool:
        replies = sum(pool.map(count, [100] * 200))
    tally.check("redis: 200 clients count", replies == 20_000, replies)
    tally.check("redis: no count is lost", lambda: answers(b"INCR n\r\n", b":20001\r\n"))
    too_long = b"-ERR Protocol error: '$' and a length up to 1048576 expected\r\n"
    tally.check("redis: garbage", lambda: answers(b"*1\r\n$9999999\r\n", too_long))
    tally.check("redis: a client that goes in a command", lambda: answers(b"*1\r\n$4\r\nPI", b""))

    command = [EXAMPLES / "client-pool", f"127.0.0.1:{server.port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    lines = ["200 tasks made 10000 requests, the last one counted to 10000",
             "opened 8 connections"]
    tally.check("client-pool: 200 tasks, 8 connections", done.stdout.splitlines() == lines, done)

    subscriber = connect(server.port)
    received = subscriber.makefile("rb")
    # A message arrives between the parts of a command.
    subscriber.sendall(encode(b"SUBSCRIBE", b"news") + b"*2\r\n$3\r\nGET\r\n$1\r")
    confirmed = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
    tally.check("redis: subscribe", lambda: received.read(len(confirmed)) == confirmed)
    tally.check("redis: publish", lambda: answers(encode(b"PUBLISH", b"news", b"hi"), b":1\r\n"))
    message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n"
    tally.check("redis: the message", lambda: received.read(len(message)) == message)
    subscriber.sendall(b"\nk\r\n")
    tally.check("redis: the rest of the command", lambda: received.read(10) == b"$4\r\na\r\nb\r\n")

    server.process.send_signal(signal.SIGTERM)
    tally.check("redis: SIGTERM ends connections", lambda: received.read() == b"")
    tally.check("redis: exit status 0", lambda: server.process.wait(PATIENCE) == 0)
    tally.check("redis: an error names its client",
                "failed: connection from 127.0.0.1:" in server.stderr(), server.stderr())


def scanner(tally):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [EXAMPLES / "port-scanner", "127.0.0.1", str(port), str(min(port + 500, 65535))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    lines = done.stdout.splitlines()
    tally.check("port-scanner: an open port", f"{port} is open" in lines, lines)
    of = f"{len(lines) - 1} of {min(500, 65535 - port) + 1} are open"
    tally.check("port-scanner: the count", lines[-1] == of, lines)


def tail(tally):
    process = subprocess.Popen([EXAMPLES / "tail", "1"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    process.stdin.write(b"one\nhal")
    process.stdin.flush()
    first = [process.stdout.readline(), process.stdout.readline()]
    process.stdin.write(b"f\nlast")
    process.stdin.close()
    lines = [*first, *process.stdout]
    expected = [b"one\n", b"(nothing for 1 s)\n", b"half\n", b"last(the end)\n"]
    tally.check("tail: lines, a silence, the end", lines == expected, lines)
    tally.check("tail: exit status 0", process.wait(PATIENCE) == 0)


def metrics(tally):
    server = Server([EXAMPLES / "metrics", ANY])

    def get(path):
        with connect(server.port) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            return read_to_end(client).decode().partition("\r\n\r\n")

    def figures():
        return dict(line.split(" ") for line in get("/metrics")[2].splitlines() if line[0] != "#")

    first, second = figures(), figures()
    tally.check("metrics: turns are counted", 0 < int(first["evloop_turns_total"])
                < int(second["evloop_turns_total"]), (first, second))
    tally.check("metrics: the task that answers is one of the tasks",
                int(first["evloop_tasks"]) >= 3, first)
    tasks = get("/tasks")[2]
    tally.check("metrics: the worker waits for a deadline",
                re.search(r"`worker` .*: waits for a deadline in 0\.\d+ s at .*metrics\.rs:", tasks),
                tasks)
    tally.check("metrics: another path", get("/")[0].startswith("HTTP/1.1 404 "))


def main():
    tally, began = Tally(), time.monotonic()
    target = upper(tally)
    proxy(tally, target)
    chat(tally)
    redis(tally)
    scanner(tally)
    tail(tally)
    metrics(tally)
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
