"""Real clients and sites for the examples that speak HTTP.

usage: http_examples.py FOLDER-OF-THE-EXAMPLES
"""

import http.client
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import PATIENCE, Server, Tally, wait_until

EXAMPLES = Path(sys.argv[1])
ANY = "127.0.0.1:0"
GET = b"GET / HTTP/1.1\r\n\r\n"


class Site(ThreadingHTTPServer):
    """Answers a path by `answer(request)`. Counts the requests and those that run at a time."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            do_GET = answer

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock, self.paths, self.active, self.peak = threading.Lock(), Counter(), 0, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


def send(request, status, body, **fields):
    request.send_response(status)
    for name, value in {"Content-Length": len(body), **fields}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def ask(port, data):
    """Sends `data`, and returns all that the server sends until it closes."""
    with connect(port) as client:
        client.sendall(data)
        return client.makefile("rb").read()


def server_limits(tally):
    server = Server([EXAMPLES / "http-server", ANY, "1"])
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    answers = []
    for _ in range(30):
        client.request("GET", "/")
        answers.append(client.getresponse())
        answers[-1].read()
    statuses = [answer.status for answer in answers]
    tally.check("http-server: a burst is served", statuses[:2] == [200, 200], statuses)
    tally.check("http-server: then requests are refused", set(statuses[2:]) <= {200, 429}
                and statuses.count(429) > 20, statuses)
    refused = answers[statuses.index(429)]
    tally.check("http-server: with a time to retry", refused.headers["Retry-After"] == "1")
    tally.check("http-server: it ends", server.interrupt() == 0, server.stderr())


def server_clients(tally):
    server = Server([EXAMPLES / "http-server", ANY, "1000000"])
    port = server.port
    silent = connect(port)
    silent.sendall(b"GET / HT")
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = ask(port, 3 * GET + last)
    tally.check("http-server: pipelined requests", answer.count(b"HTTP/1.1 200 OK") == 4, answer)
    for name, data, status in (
        ("garbage", b"\xff\xfe\r\n\r\n", b"400"),
        ("a head without an end", b"x" * 70_000, b"431"),
        ("a body", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"405"),
    ):
        answer = ask(port, data)
        tally.check(f"http-server: {name}", answer.startswith(b"HTTP/1.1 " + status), answer)
    crowd = [connect(port) for _ in range(200)]
    for client in crowd:
        client.sendall(last)
    served = sum(b" 200 OK" in client.makefile("rb").read() for client in crowd)
    tally.check("http-server: 200 clients at once", served == 200, served)

    # A client that reads nothing: the server sends until all buffers are full.
    deaf = connect(port)
    try:
        while True:
            deaf.sendall(1000 * GET)
    except OSError as error:
        tally.check("http-server: a client that reads nothing is disconnected",
                    isinstance(error, ConnectionError), error)
    tally.check("http-server: and reported", f"connection from 127.0.0.1:{deaf.getsockname()[1]}"
                in server.stderr(), server.stderr())
    answer = silent.makefile("rb").read()
    tally.check("http-server: a slow head", answer.startswith(b"HTTP/1.1 408"), answer)

    idle, running = connect(port), connect(port)
    running.sendall(GET + b"GET /slow HTTP/1.1\r\n\r\n" + GET)
    answers = running.makefile("rb")
    answers.readline()  # the first is answered, so the slow one has begun
    server.process.send_signal(signal.SIGTERM)
    tally.check("http-server: SIGTERM ends idle connections", idle.recv(1) == b"")
    idle.close()
    try:
        connect(port)
        refused = False
    except ConnectionRefusedError:
        refused = True
    tally.check("http-server: and closes the listener", refused)
    answer = answers.read()
    tally.check("http-server: a running request is answered, and is the last",
                answer.count(b"200 OK\r\n") == 1 and b"Connection: close" in answer, answer)
    running.close()
    tally.check("http-server: it ends", server.process.wait(PATIENCE) == 0, server.stderr())


def crawler(tally):
    def answer(request):
        site, path = request.server, request.path
        with site.lock:
            site.paths[path] += 1
            site.active += path != "/slow"
            site.peak = max(site.peak, site.active)
        time.sleep(0.02)
        with site.lock:
            site.active -= path != "/slow"
        if path == "/":
            links = [f"/page{n}" for n in range(30)]
            links += ["/", "page1#top", "slow", "/broken", "/half"]
            send(request, 200, "".join(f'<a href="{link}">' for link in links).encode())
        elif path == "/slow":
            time.sleep(PATIENCE)
        elif path == "/half":
            request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        elif path.startswith("/page"):
            send(request, 200, f'<a href="{path}/next">'.encode() if path.count("/") == 1 else b"")
        # Otherwise: no answer at all.

    site = Site(answer)
    command = [EXAMPLES / "crawler", site.url + "/", "20", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    lines = done.stdout.splitlines()
    tally.check("crawler: the summary", lines[-1].startswith("61 pages, 3 failed"), lines[-4:])
    failed = {line.split(": ")[0].rsplit("/")[-1] for line in lines if line.startswith("failed")}
    tally.check("crawler: what failed", failed == {"slow", "broken", "half"}, failed)
    tally.check("crawler: each page is fetched once", set(site.paths.values()) == {1}, site.paths)
    tally.check("crawler: the limit of the host", site.peak == 3, site.peak)
    tally.check("crawler: exit status 1", done.returncode == 1, done.stderr)

    done = subprocess.run([*command, "10"], capture_output=True, text=True, timeout=PATIENCE)
    tally.check("crawler: the most pages", done.stdout.splitlines()[-1].startswith("10 pages, 0"))


def download(tally):
    files = {f"/{name}": random.Random(name).randbytes(300_000) for name in ("one", "two")}
    starts = []

    def answer(request):
        data = files.get(request.path)
        if data is None:
            return send(request, 404, b"")
        found = re.match(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        starts.append(start)
        if start >= len(data):
            return send(request, 416, b"")
        return send(request, 206 if found else 200, data[start:])

    site = Site(answer)
    with tempfile.TemporaryDirectory() as folder:
        def run(rate, names=("one", "two")):
            command = [EXAMPLES / "download", rate, folder, *(f"{site.url}/{it}" for it in names)]
            return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

        def size(name):
            path = Path(folder, name)
            return path.stat().st_size if path.exists() else 0

        for number in (signal.SIGINT, signal.SIGTERM):
            before = {name: size(f"{name}.part") for name in ("one", "two")}
            process = run("60000")
            wait_until(lambda: all(size(f"{name}.part") > n for name, n in before.items()))
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
            tally.check(f"download: {number.name} stops it", process.returncode == 1, errors)
            said = [f"{size(f'{it}.part')} bytes are in {folder}/{it}.part" for it in before]
            tally.check("download: and it reports the parts", all(it in errors for it in said),
                        errors)
        process = run("100000000")
        tally.check("download: it completes", process.wait(PATIENCE) == 0, process.stderr.read())
        complete = {f"/{path.name}": path.read_bytes() for path in Path(folder).iterdir()}
        tally.check("download: the files are whole", complete == files, complete.keys())
        tally.check("download: the parts were resumed", starts[:2] == [0, 0] and all(starts[2:]),
                    starts)
        began = time.monotonic()
        process = run("150000", ["one"])
        process.wait(PATIENCE)
        tally.check("download: the rate", time.monotonic() - began >= 1.9)
        process = run("100000", ["none"])
        _, errors = process.communicate(timeout=PATIENCE)
        tally.check("download: an error of the server", process.returncode == 1
                    and "none: the server answered 404" in errors, errors)
        tally.check("download: leaves no file", not list(Path(folder).glob("none*")))


def main():
    tally, began = Tally(), time.monotonic()
    server_limits(tally)
    server_clients(tally)
    crawler(tally)
    download(tally)
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
