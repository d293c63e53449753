"""Examples under tools that other people wrote: redis-cli and redis-benchmark, curl through the
SOCKS5 proxy, a PostgreSQL server, a mail server.

usage: real_servers.py FOLDER-OF-THE-EXAMPLES FOLDER-OF-THE-ECOSYSTEM
"""

import glob
import http.server
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import PATIENCE, Server, Tally, install, wait_until

EXAMPLES, ECOSYSTEM = Path(sys.argv[1]), Path(sys.argv[2])
ANY = "127.0.0.1:0"


def skipped(what, tool):
    print(f"!!! SKIPPED: without {tool}, {what} is not tested", file=sys.stderr)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def redis(tally):
    """The official clients on the example of a server."""
    if len(install(**{"redis-cli": "redis-tools", "redis-benchmark": "redis-tools"})) < 2:
        return skipped("the example redis", "redis-tools")
    server = Server([EXAMPLES / "redis", ANY])
    port = str(server.port)
    asked = {"set greeting hello": "OK", "get greeting": "hello", "get none": "", "incr n": "1",
             "expire n 100": "1", "ping": "PONG"}
    for words, answer in asked.items():
        done = run("redis-cli", "-p", port, *words.split())
        tally.check(f"redis-cli {words}", done.stdout.strip() == answer, done)
    command = ["redis-benchmark", "-p", port, "-t", "ping,set,get,incr", "-n", "5000", "--csv"]
    for pipeline in "1", "16":
        done = run(*command, "-P", pipeline)
        rates = [line for line in done.stdout.splitlines() if line.count(",") > 5]
        tally.check(f"redis-benchmark -P {pipeline}", len(rates) == 6, done)
    # The two runs increment one counter, 5,000 times each at least.
    done = run("redis-cli", "-p", port, "get", "counter:__rand_int__")
    tally.check("redis-benchmark: no count is lost", int(done.stdout) >= 10_000, done)
    server.process.send_signal(signal.SIGTERM)
    tally.check("redis: exit status 0", server.process.wait(PATIENCE) == 0)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"page " * 100_000)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d bytes" % len(body))

    def log_message(self, *_):
        pass


def socks5(tally):
    if "curl" not in install(curl="curl"):
        return skipped("the example socks5", "curl")
    proxy = Server([EXAMPLES / "socks5", ANY])
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()

    def curl(url, *options, by="--socks5-hostname"):
        return run("curl", "-s", "-S", by, f"127.0.0.1:{proxy.port}", *options, url)

    for by, host in ("--socks5-hostname", "localhost"), ("--socks5", "127.0.0.1"):
        done = curl(f"http://{host}:{site.server_port}/", by=by)
        tally.check(f"curl {by}", done.stdout == "page " * 100_000, done.stderr)
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"x" * 1_000_000)
        body.flush()
        done = curl(f"http://127.0.0.1:{site.server_port}/", "--data-binary", f"@{body.name}")
    tally.check("curl: a body of a megabyte", done.stdout == "1000000 bytes", done)
    done = curl(f"http://127.0.0.1:{free_port()}/")
    tally.check("curl: a port that refuses", done.returncode == 97 and "(5)" in done.stderr, done)
    done = curl("http://no.such.host.invalid/")
    tally.check("curl: an unknown name", done.returncode == 97, done)

    def answer(*pieces):
        """Sends each piece, and returns all that comes back."""
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
            for piece in pieces:
                client.sendall(piece)
            return client.makefile("rb").read()

    tally.check("SOCKS4 is refused", lambda: answer(b"\x04\x01") == b"")
    tally.check("only authentication is offered", lambda: answer(b"\5\1\2") == b"\5\xff")
    bind = b"\5\2\0\1\x7f\0\0\1\0\x50"
    tally.check("BIND is refused", lambda: answer(b"\5\1\0", bind)[2:4] == b"\5\7")
    unknown = b"\5\1\0\2"
    tally.check("an unknown kind of address",
                lambda: answer(b"\5\1\0", unknown)[2:4] == b"\5\x08")
    done = curl(f"http://localhost:{site.server_port}/")
    tally.check("curl: and the next one", done.returncode == 0, done)
    tally.check("descriptors return", wait_until(lambda: proxy.descriptors() < 10))


class Postgres:
    """A PostgreSQL server on a folder of its own. It refuses to run as root."""

    def __init__(self, programs):
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = tempfile.mkdtemp()
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.port = free_port()
        data = f"{self.folder}/data"
        made = run(f"{programs}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
                   user=self.user, cwd="/")
        assert made.returncode == 0, made
        self.process = subprocess.Popen(
            [f"{programs}/postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k",
             self.folder, "-c", "fsync=off"],
            user=self.user, cwd="/", stderr=subprocess.DEVNULL,
        )
        self.ready = lambda: run(f"{programs}/pg_isready", "-h", "127.0.0.1", "-p",
                                 str(self.port)).returncode == 0

    def close(self):
        """Ends the server at once, and its connections."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


def expected_output(source):
    """Returns the lines of the last block marked text in an example's head."""
    block = source.read_text().split("//! ```text\n")[-1].split("//! ```")[0]
    return [line.removeprefix("//! ") for line in block.splitlines()]


def postgres(tally):
    find = lambda: sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not find():
        install(postgres="postgresql")
    if not find():
        return skipped("the example postgres", "a PostgreSQL server")
    server = Postgres(find()[-1])
    try:
        tally.check("postgres: the server starts", wait_until(server.ready))
        address = f"127.0.0.1:{server.port}"
        done = run(ECOSYSTEM / "postgres", address, "user=postgres")
        expected = expected_output(Path("examples/ecosystem/postgres.rs"))
        tally.check("postgres: the output", done.stdout.splitlines() == expected, done)
        tally.check("postgres: exit status 0", done.returncode == 0, done)
        done = run(ECOSYSTEM / "postgres", address, "user=nobody")
        tally.check("postgres: an unknown user is an error", done.returncode == 1, done)
    finally:
        server.close()


def smtp(tally):
    """Mails to aiosmtpd, and to a server that answers no command before it has seen all."""
    mail = "Subject: dots\n\n.one\n..two\nlast"

    def send(port, *to):
        command = [ECOSYSTEM / "smtp", f"127.0.0.1:{port}", "me@example.org", *to]
        return run(*command, input=mail)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        received = []

        def serve():
            client, _ = listener.accept()
            with client, client.makefile("rb") as lines:
                client.sendall(b"220-hello\r\n220 there\r\n")
                received.append(lines.readline())
                client.sendall(b"250-here\r\n250 PIPELINING\r\n")
                received.extend(lines.readline() for _ in range(4))
                client.sendall(b"250 ok\r\n250 ok\r\n251 ok\r\n354 go on\r\n")
                received.extend(iter(lines.readline, b".\r\n"))
                client.sendall(b"250 kept\r\n")
                received.append(lines.readline())
                client.sendall(b"221 bye\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        done = send(listener.getsockname()[1], "you@example.org", "they@example.org")
        thread.join(PATIENCE)
        tally.check("smtp: several commands at once", done.stdout == "250 kept\n", done)
        lines = ["EHLO [127.0.0.1]", "MAIL FROM:<me@example.org>", "RCPT TO:<you@example.org>",
                 "RCPT TO:<they@example.org>", "DATA", "Subject: dots", "", "..one", "...two",
                 "last", "QUIT"]
        expected = [line.encode() + b"\r\n" for line in lines]
        tally.check("smtp: what it sends", received == expected, received)

    if not install(aiosmtpd="python3-aiosmtpd"):
        return skipped("the example smtp with a real server", "aiosmtpd")
    port = free_port()
    with tempfile.TemporaryFile("w+") as printed:
        command = ["aiosmtpd", "--nosetuid", "--listen", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            done = send(port, "you@example.org")
            tally.check("smtp: aiosmtpd takes a mail", done.stdout.startswith("250 "), done)
            done = send(port)
            refused = done.returncode == 1 and "503" in done.stderr
            tally.check("smtp: the error of the server without a receiver", refused, done)
        finally:
            server.terminate()
            server.wait(PATIENCE)
        printed.seek(0)
        lines = printed.read().splitlines()
        tally.check("smtp: the mail arrives", {".one", "..two", "last"} <= set(lines), lines)


def main():
    tally, began = Tally(), time.monotonic()
    redis(tally)
    socks5(tally)
    postgres(tally)
    smtp(tally)
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
