"""The wget example on real sites: three of Python's http.server, and some that behave badly.

usage: wget_sites.py BIN

The sites are on 127.0.0.1, 127.0.0.2 and localhost. The output must have for each page a line that
begins with its host, its status line, and the size of its body in bytes. A URL that fails must
print one line on stderr and set the exit status to 1, and the others must be fetched.
"""

import collections
import http.server
import random
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time

from harness import PATIENCE, Tally

PAGES = {f"/page{size}": size for size in [0, 1, 1_234, 65_537, 1_500_003]}
TOGETHER = 3
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


class Page(http.server.BaseHTTPRequestHandler):
    """Serves PAGES by HTTP/1.1, which keeps the connection open after the body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path not in PAGES:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(PAGES[self.path]))
        self.end_headers()
        self.wfile.write(random.Random(self.path).randbytes(PAGES[self.path]))

    def log_message(self, *_):
        pass


def byte_by_byte(conn):
    """Sends the whole header in packets of one byte."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in OK + b"Content-Length: 777\r\n\r\n":
        conn.sendall(bytes([byte]))
        time.sleep(0.001)
    conn.sendall(b"s" * 777)


def chunked(conn):
    """Sends chunks of all sizes, an extension, a trailer, and packets with random ends."""
    rng, body = random.Random(7), b"c" * 54_321
    answer = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    while body:
        chunk, body = body[: (size := rng.randint(1, 5000))], body[size:]
        answer += b"%X;note=1\r\n%s\r\n" % (len(chunk), chunk)
    answer += b"0\r\nDigest: none\r\n\r\n"
    while answer:
        size = rng.choice([1, 2, 3, 1000, 5000])
        conn.sendall(answer[:size])
        answer = answer[size:]


def until_close(conn):
    conn.sendall(OK + b"\r\n" + b"u" * 33_333)


def together(conn, meeting=threading.Barrier(TOGETHER, timeout=PATIENCE)):
    """Answers after TOGETHER requests have come: a sequential client would get no answer."""
    meeting.wait()
    conn.sendall(OK + b"Content-Length: 88\r\n\r\n" + b"t" * 88)


def malformed(conn):
    conn.sendall(b"HELLO you there\r\n\r\n")


def truncated(conn):
    conn.sendall(OK + b"Content-Length: 1000\r\n\r\n" + b"only this")


def truncated_chunk(conn):
    conn.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nFF\r\nonly this")


def truncated_header(conn):
    conn.sendall(OK)


def site(answer, host="127.0.0.1"):
    """Starts a site. `answer` is a handler of http.server, or writes to the accepted socket."""

    class Raw(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            answer(self.connection)

    is_page = isinstance(answer, type)
    server = http.server.ThreadingHTTPServer if is_page else socketserver.ThreadingTCPServer
    server.daemon_threads = True
    server = server((host, 0), answer if is_page else Raw)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{host}:{server.server_address[1]}"


def refusing():
    """Returns a URL whose port is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def wget(*urls):
    """Runs the example. The exit status is None if it does not end."""
    command = [sys.argv[1], *urls]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, None, "", "")


def check_good(tally, what, done, hosts, sizes):
    """Checks that all pages were fetched: host, status line and size."""
    tally.check(f"{what}: exit status 0", done.returncode == 0, done)
    lines = done.stdout.splitlines()
    for host in sorted(set(hosts)):
        tally.check(f"{what}: lines with {host}", any(l.startswith(host) for l in lines), lines)
    shown = sum("200 OK" in line for line in lines)
    tally.check(f"{what}: {len(sizes)} status lines", shown == len(sizes), lines)
    found = collections.Counter(map(int, re.findall(r"\b(\d+) bytes? in ", done.stdout)))
    missing = collections.Counter(sizes) - found
    tally.check(f"{what}: sizes {sorted(set(sizes))}", not missing, f"no {missing} in {found}")


def main():
    tally = Tally()
    hosts = ["127.0.0.1", "127.0.0.2", "localhost"]
    pages = [(site(Page, host) + path, host) for host in hosts for path in PAGES]
    done = wget(*(url for url, _ in pages))
    check_good(tally, "http.server", done, hosts, [*PAGES.values()] * 3)

    answers = {byte_by_byte: 777, chunked: 54_321, until_close: 33_333}
    for answer, size in answers.items():
        check_good(tally, answer.__name__, wget(site(answer) + "/a?b#c"), hosts[:1], [size])
    done = wget(*[site(together)] * TOGETHER)
    check_good(tally, "together", done, hosts[:1], [88] * TOGETHER)

    bad = {"notaurl": "notaurl", "refused": refusing(), "unknown": "http://no.such.host.invalid/"}
    for answer in [malformed, truncated, truncated_chunk, truncated_header]:
        bad[answer.__name__] = site(answer) + "/"
    for name, url in bad.items():
        done = wget(url)
        complaints = done.stderr.splitlines()
        tally.check(f"{name}: exit status 1", done.returncode == 1, done)
        tally.check(f"{name}: one line on stderr", len(complaints) == 1 and complaints[0], done)

    good = [pages[2][0], site(chunked)]
    done = wget(good[0], *bad.values(), good[1])
    tally.check("mixed: exit status 1", done.returncode == 1, done.returncode)
    complaints = done.stderr.splitlines()
    tally.check(f"mixed: {len(bad)} lines on stderr", len(complaints) == len(bad), complaints)
    found = [f"{size} bytes" in done.stdout for size in (1_234, 54_321)]
    tally.check("mixed: the valid pages are fetched", all(found), done.stdout)

    done = wget()
    tally.check("without arguments: exit status 0", done.returncode == 0, done)
    tally.check("without arguments: it fetches pages", "200 OK" in done.stdout, done)
    tally.check("without arguments: nothing on stderr", not done.stderr, done)
    tally.close()


main()
