"""Serves clients of all kinds for some time, and then compares the resources with the start.

usage: soak.py BIN [SECONDS]

BIN is the example `axum`. HTTP/1, HTTP/2 and WebSocket, at a low load: whole requests, requests
that the client gives up, resets at any place, bodies that stop, clients that send nothing more.
"""

import http.client
import random
import socket
import struct
import sys
import threading
import time

import http2_violations as http2
import websocket_client as websocket
from harness import PATIENCE, Server, Tally, wait_until

CLIENTS = 6
PAUSE = 0.02  # seconds between two steps of a client
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 20
SLACK = 4096  # KiB that the memory may grow by: pages that malloc keeps


def reset(sock):
    """Closes with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def http1_requests(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(random.randint(1, 20)):
        body = "x" * random.choice([0, 10, 100_000])
        client.request("POST", "/upper", body)
        assert client.getresponse().read().decode() == body.upper()
    client.close()


def http1_broken(port):
    """Sends a part of a request, and closes or resets."""
    whole = b"POST /upper HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 99
    sock = connect(port)
    sock.sendall(whole[:random.randint(0, len(whole))])
    random.choice([reset, socket.socket.close])(sock)


def http1_given_up(port):
    """Does not wait for the response."""
    sock = connect(port)
    sock.sendall(b"GET /sleep/300 HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(random.random() / 5)
    random.choice([reset, socket.socket.close])(sock)


def http2_requests(port):
    client = http2.Client(port)
    for stream in range(1, 2 * random.randint(1, 20), 2):
        assert client.get(stream) == b"hello you\n"
    client.close()


def http2_broken(port):
    """Opens streams, resets some of them, stops in a body, violates the protocol."""
    client = http2.Client(port)
    client.send(b"".join(http2.headers(id) for id in (1, 3, 5)) + http2.number(3, 3, 8))
    client.send(http2.headers(7, http2.BODY, http2.END_HEADERS) + http2.frame(0, 0, 7, b"part"))
    client.send(random.choice(http2.CONNECTION_ERRORS[:-2] + http2.STREAM_ERRORS)[1])
    client.reader.close()
    random.choice([reset, socket.socket.close])(client.socket)


def websocket_messages(port):
    client = websocket.Client(port)
    assert client.shake_hands()
    for _ in range(random.randint(1, 20)):
        assert client.echoes(websocket.BINARY, b"y" * random.choice([1, 200, 70_000]))
    if random.random() < 0.5:
        client.send(websocket.CLOSE, struct.pack("!H", 1000))
        client.receive()
    client.reader.close()
    random.choice([reset, socket.socket.close])(client.socket)


def silent(port):
    """Sends nothing more for a while; in a long run, until the server closes the connection."""
    sock = connect(port)
    sock.sendall(random.choice([b"", b"PRI * HT", b"GET / HTTP/1.1\r\nHo"]))
    sock.settimeout(random.choice([0.5, 2, 40] if SECONDS > 60 else [0.5, 2]))
    try:
        sock.recv(100)
    except TimeoutError:
        pass
    sock.close()


KINDS = [http1_requests, http1_broken, http1_given_up, http2_requests, http2_broken,
         websocket_messages]


class Clients:
    """Threads of clients, until a deadline."""

    def __init__(self, port, seconds):
        self.port, self.deadline = port, time.monotonic() + seconds
        self.counts, self.failures = {}, []
        kinds = [KINDS] * CLIENTS + [[silent]]
        self.threads = [threading.Thread(target=self.run, args=[each]) for each in kinds]
        for thread in self.threads:
            thread.start()

    def run(self, kinds):
        while time.monotonic() < self.deadline:
            kind = random.choice(kinds)
            try:
                kind(self.port)
            except Exception as error:
                self.failures.append(f"{kind.__name__}: {error!r}")
            self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
            time.sleep(PAUSE)

    def join(self):
        for thread in self.threads:
            thread.join()
        return self


def main():
    server, tally = Server([sys.argv[1], "127.0.0.1:0"]), Tally()

    def answer(path):
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.request("GET", path, headers={"Connection": "close"})
        return client.getresponse().read()

    def tasks():
        return int(answer("/tasks"))

    # Buffers, slabs and the allocator's arenas have their size then. The first short wait opens a
    # descriptor; a sleep that is due before the loop waits does not.
    for _ in range(20):
        answer("/sleep/1")
    warm_up = Clients(server.port, SECONDS / 4).join()
    tally.check("warm-up: no client fails", not warm_up.failures, warm_up.failures[:5])
    wait_until(lambda: tasks() <= 4)
    time.sleep(1)
    start = server.descriptors(), server.threads(), tasks(), server.rss()
    clients = Clients(server.port, SECONDS).join()
    print(clients.counts)
    tally.check("no client fails", not clients.failures, clients.failures[:5])
    tally.check("the tasks return", wait_until(lambda: tasks() <= start[2]), (tasks(), start[2]))
    tally.check("the descriptors return", wait_until(lambda: server.descriptors() <= start[0]),
                (server.descriptors(), start[0]))
    tally.check("the threads return", server.threads() <= start[1], (server.threads(), start[1]))
    tally.check("the memory returns", server.rss() <= start[3] + SLACK, (server.rss(), start[3]))
    print(f"descriptors, threads, tasks, KiB: {start} at the start, at the end",
          (server.descriptors(), server.threads(), tasks(), server.rss()))
    status = server.interrupt()
    tally.check("it ends by itself", status == 0, server.stderr())
    tally.check("no task has panicked", "panicked" not in server.stderr(), server.stderr())
    tally.close()


if __name__ == "__main__":
    main()
