"""Real clients for the examples of sockets and streams.

usage: stream_examples.py FOLDER-OF-THE-EXAMPLES
"""

import random
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


def main():
    tally, began = Tally(), time.monotonic()
    target = upper(tally)
    proxy(tally, target)
    chat(tally)
    scanner(tally)
    tail(tally)
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
