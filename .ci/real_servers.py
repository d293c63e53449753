"""Examples under tools that other people wrote: redis-cli and redis-benchmark, curl through the
SOCKS5 proxy, the servers of Redis, PostgreSQL and NATS, a mail server with and without TLS.

usage: real_servers.py FOLDER-OF-THE-EXAMPLES FOLDER-OF-THE-ECOSYSTEM
"""

import contextlib
import glob
import http.server
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import PATIENCE, Server, Tally, install, wait_until
from tls_clients import make_certificate

EXAMPLES, ECOSYSTEM = Path(sys.argv[1]), Path(sys.argv[2])
ANY = "127.0.0.1:0"


def skipped(what, tool):
    print(f"!!! SKIPPED: without {tool}, {what} is not tested", file=sys.stderr)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def listening(port, *command, stdout=subprocess.DEVNULL):
    """A server of somebody else, which listens on the port of its command."""
    server = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)

    def accepts():
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        assert wait_until(accepts), command
        yield server
    finally:
        server.terminate()
        server.wait(PATIENCE)


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


def prints_what_its_head_says(tally, name, *arguments):
    """Runs an example with the address of a server."""
    done = run(ECOSYSTEM / name, *arguments)
    expected = expected_output(Path(f"examples/ecosystem/{name}.rs"))
    tally.check(f"{name}: the output", done.stdout.splitlines() == expected, done)
    tally.check(f"{name}: exit status 0", done.returncode == 0, done)


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
        prints_what_its_head_says(tally, "postgres", address, "user=postgres")
        done = run(ECOSYSTEM / "postgres", address, "user=nobody")
        tally.check("postgres: an unknown user is an error", done.returncode == 1, done)
    finally:
        server.close()


def redis_client(tally):
    if not install(**{"redis-server": "redis-server"}):
        return skipped("the example redis-client", "redis-server")
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with listening(port, *command):
        prints_what_its_head_says(tally, "redis-client", address)
    done = run(ECOSYSTEM / "redis-client", address)
    tally.check("redis-client: no server is an error", done.returncode == 1, done)


def nats(tally):
    if not install(**{"nats-server": "nats-server"}):
        return skipped("the example nats", "nats-server")
    port = free_port()
    with listening(port, "nats-server", "-a", "127.0.0.1", "-p", str(port)):
        prints_what_its_head_says(tally, "nats", f"127.0.0.1:{port}")
    done = run(ECOSYSTEM / "nats", f"127.0.0.1:{port}")
    tally.check("nats: no server is an error", done.returncode == 1, done)


MAIL = "Subject: dots\n\n.one\n..two\nlast"


def send(port, *to, flags=(), trusted=None):
    """Mails by the example. `trusted`: the file with the certificates of the authorities."""
    command = [ECOSYSTEM / "smtp", *flags, f"localhost:{port}", "me@example.org", *to]
    environment = dict(os.environ, SSL_CERT_FILE=trusted) if trusted else None
    return run(*command, input=MAIL, env=environment)


class MailServer:
    """A server that talks to one client by `talk(connection, lines)`, on a thread."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.talk = talk
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        client, _ = self.listener.accept()
        client.settimeout(PATIENCE)
        with client, client.makefile("rb") as lines:
            self.talk(client, lines)

    def join(self):
        self.thread.join(PATIENCE)
        self.listener.close()


def smtp(tally):
    """Mails to aiosmtpd, and to a server that answers no command before it has seen all."""
    received = []

    def talk(client, lines):
        client.sendall(b"220-hello\r\n220 there\r\n")
        received.append(lines.readline())
        client.sendall(b"250-here\r\n250 PIPELINING\r\n")
        received.extend(lines.readline() for _ in range(4))
        client.sendall(b"250 ok\r\n250 ok\r\n251 ok\r\n354 go on\r\n")
        received.extend(iter(lines.readline, b".\r\n"))
        client.sendall(b"250 kept\r\n")
        received.append(lines.readline())
        client.sendall(b"221 bye\r\n")

    server = MailServer(talk)
    done = send(server.port, "you@example.org", "they@example.org")
    server.join()
    tally.check("smtp: several commands at once", done.stdout == "250 kept\n", done)
    lines = ["EHLO [127.0.0.1]", "MAIL FROM:<me@example.org>", "RCPT TO:<you@example.org>",
             "RCPT TO:<they@example.org>", "DATA", "Subject: dots", "", "..one", "...two", "last",
             "QUIT"]
    expected = [line.encode() + b"\r\n" for line in lines]
    tally.check("smtp: what it sends", received == expected, received)

    if not install(aiosmtpd="python3-aiosmtpd"):
        return skipped("the example smtp with a real server", "aiosmtpd")
    mail_to_aiosmtpd(tally, "smtp: aiosmtpd")


def mail_to_aiosmtpd(tally, name, options=(), **sending):
    port = free_port()
    with tempfile.TemporaryFile("w+") as printed:
        command = ["aiosmtpd", "--nosetuid", "--listen", f"127.0.0.1:{port}", *options]
        with listening(port, *command, stdout=printed):
            done = send(port, "you@example.org", **sending)
            tally.check(f"{name} takes a mail", done.stdout.startswith("250 "), done)
        printed.seek(0)
        lines = printed.read().splitlines()
        tally.check(f"{name}: the mail arrives", {".one", "..two", "last"} <= set(lines), lines)


def is_refused(run, text):
    return run.returncode == 1 and not run.stdout and text in run.stderr


def starttls(tally):
    """STARTTLS with aiosmtpd, and with servers that an attacker has a hand in."""
    if not install(openssl="openssl"):
        return skipped("STARTTLS", "openssl")
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(folder)
        tls = {"flags": ["--starttls"], "trusted": certificate}
        if install(aiosmtpd="python3-aiosmtpd"):
            options = ["--tlscert", certificate, "--tlskey", key]
            mail_to_aiosmtpd(tally, "starttls: aiosmtpd", options, **tls)
        else:
            skipped("STARTTLS with a real server", "aiosmtpd")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        received = []

        def until_starttls(client, lines, offers=b"STARTTLS"):
            client.sendall(b"220 hello\r\n")
            received.append(lines.readline())
            client.sendall(b"250-here\r\n250 " + offers + b"\r\n")
            received.append(lines.readline())

        def attempt(talk, **changes):
            received.clear()
            server = MailServer(talk)
            done = send(server.port, "you@example.org", **dict(tls, **changes))
            server.join()
            return done

        def inject(client, lines):
            until_starttls(client, lines)
            client.sendall(b"220 go ahead\r\n250-here\r\n250 PIPELINING\r\n")
            received.append(lines.read())

        done = attempt(inject)
        tally.check("starttls: injected bytes", is_refused(done, "STARTTLS injection"), done)
        hello = [b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n", b""]
        tally.check("starttls: nothing follows the injection", received == hello, received)

        done = attempt(lambda *ends: until_starttls(*ends, offers=b"PIPELINING"))
        tally.check("starttls: not offered", is_refused(done, "does not offer STARTTLS"), done)
        tally.check("starttls: nothing is sent in the clear", received == hello[:1] + [b""],
                    received)

        def handshake(client, lines):
            until_starttls(client, lines)
            client.sendall(b"220 go ahead\r\n")
            with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as it:
                received.append(it.recv(1))

        with tempfile.TemporaryDirectory() as other:
            done = attempt(handshake, trusted=make_certificate(other)[0])
        tally.check("starttls: an unknown certificate",
                    is_refused(done, "invalid peer certificate"), done)
        tally.check("starttls: nothing is sent to a stranger", received == hello[:2], received)


def main():
    tally, began = Tally(), time.monotonic()
    redis(tally)
    socks5(tally)
    redis_client(tally)
    postgres(tally)
    nats(tally)
    smtp(tally)
    starttls(tally)
    print(f"{time.monotonic() - began:.1f} s")
    tally.close()


main()
