"""Real clients for the examples with crates of the ecosystem.

usage: ecosystem_clients.py FOLDER-OF-THE-EXAMPLES [NAME...]

Each function below checks one example; with names, only those run.
"""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import PATIENCE, Server, Tally, install, wait_until
from tls_clients import make_certificate

HERE = Path(__file__).parent
EXAMPLES = Path(sys.argv[1])
ANY = "127.0.0.1:0"
PACKAGES = {"curl": "curl", "wrk": "wrk", "ab": "apache2-utils", "h2load": "nghttp2-client",
            "nghttp": "nghttp2-client", "openssl": "openssl"}

tally = Tally()


def run(*command, stdin=None):
    """Returns what a client prints."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, input=stdin,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def axum():
    """HTTP/1 and HTTP/2 on one port, under load, and an end with a request in flight."""
    server = Server([EXAMPLES / "axum", ANY])
    url = f"http://127.0.0.1:{server.port}"
    # Now its listener for signals exists, and the timer that a short wait needs. A sleep that is due
    # before the loop waits needs none.
    slept = [run("curl", "-sS", f"{url}/sleep/1") for _ in range(20)]
    tally.check("axum: short sleeps", set(slept) == {"slept 1 ms\n"}, slept)
    code = run("curl", "-sS", "-w", "%{http_code}", f"{url}/sleep/60000")
    tally.check("axum: the time limit of a request", code == "504", code)
    idle = server.descriptors()
    for version in ["--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge"]:
        curl = ["curl", "-sS", version]
        tally.check(f"axum: curl {version}", run(*curl, f"{url}/hello/you") == "hello you\n")
        body = "abc" * 100_000
        upper = run(*curl, "--data-binary", "@-", f"{url}/upper", stdin=body)
        tally.check(f"axum: a body of 300 KB, curl {version}", upper == body.upper())
    many = run("nghttp", *(f"{url}/sleep/{ms}" for ms in range(100, 121)))
    tally.check("axum: 21 sleeps side by side", many.count("slept") == 21, many)

    hello = f"{url}/hello/you"
    out = run("ab", "-q", "-n", 2000, "-c", 16, hello)
    tally.check("axum: ab without keep-alive", number(r"Complete requests:\s+(\d+)", out) == 2000
                and number(r"Failed requests:\s+(\d+)", out) == 0, out)
    out = run("ab", "-q", "-k", "-n", 5000, "-c", 16, hello)
    tally.check("axum: ab with keep-alive", number(r"Keep-Alive requests:\s+(\d+)", out) == 5000
                and number(r"Failed requests:\s+(\d+)", out) == 0, out)
    out = run("wrk", "-t1", "-c64", "-d2s", hello)
    tally.check("axum: wrk", (number(r"(\d+) requests in", out) or 0) > 100
                and "Socket errors" not in out and "Non-2xx" not in out, out)
    out = run("h2load", "-n5000", "-c8", "-m16", hello)
    tally.check("axum: h2load", number(r"(\d+) succeeded", out) == 5000, out)
    out = run("nghttp", "-v", hello)
    tally.check("axum: nghttp", ":status: 200" in out and "hello you" in out, out)
    tally.check("axum: all connections are closed",
                wait_until(lambda: server.descriptors() <= idle), server.descriptors())

    # Both requests are in one packet: with the first answer, the second has begun.
    client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    requests = [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in ("/hello/you", "/sleep/500")]
    client.sendall("".join(requests).encode())
    with client.makefile("rb") as reader:
        while reader.readline() != b"hello you\n":
            pass
        status = server.interrupt()
        rest = reader.read()
    tally.check("axum: a request in flight is completed", b"slept 500 ms\n" in rest, rest)
    tally.check("axum: it ends by itself", status == 0, server.stderr())


def axum_tls():
    """TLS 1.2 and 1.3, the protocols of ALPN, and clients that end no handshake."""
    server = Server([EXAMPLES / "axum-tls", ANY, "2000"])
    url = f"https://localhost:{server.port}/hello/you"
    idle = server.descriptors()
    for version in ["1.2", "1.3"]:
        tls = [f"--tlsv{version}", "--tls-max", version]
        for http in ["1.1", "2"]:
            out = run("curl", "-sSk", *tls, f"--http{http}", "-w", "%{http_version}", url)
            tally.check(f"axum-tls: curl, TLS {version}, HTTP {http}",
                        out == f"hello you\n{http}", out)
    address = f"127.0.0.1:{server.port}"
    out = run("openssl", "s_client", "-connect", address, "-alpn", "h2", stdin="")
    tally.check("axum-tls: s_client selects h2", "ALPN protocol: h2" in out, out)
    out = run("h2load", "-n2000", "-c8", "-m16", url)
    tally.check("axum-tls: h2load", number(r"(\d+) succeeded", out) == 2000, out)
    # Nothing; the beginning of a hello.
    stopped = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
               for _ in range(8)]
    for client in stopped[4:]:
        client.sendall(b"\x16\x03\x01\x00\xff\x01")
    tally.check("axum-tls: a handshake beside eight that stop",
                run("curl", "-sSk", url) == "hello you\n")
    tally.check("axum-tls: a client that stops in the handshake is closed",
                all(client.recv(1) == b"" for client in stopped))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        tally.check("axum-tls: garbage instead of a hello is answered by an alert",
                    client.recv(100)[:1] == b"\x15")
    tally.check("axum-tls: all connections are closed",
                wait_until(lambda: server.descriptors() <= idle), server.descriptors())
    tally.check("axum-tls: it ends by itself", server.interrupt() == 0, server.stderr())


def hyper_client():
    """The pool of hyper-util's client, with the example `axum` as its server."""
    server = Server([EXAMPLES / "axum", ANY])
    urls = [f"http://127.0.0.1:{server.port}/sleep/{ms}" for ms in (200, 201, 202)]
    for flags, connections in ([], 3), (["--http2"], 1):
        out = run(EXAMPLES / "hyper-client", *flags, *urls)
        name = " ".join(["hyper-client", *flags])
        tally.check(f"{name}: six answers", out.count("200 OK 13 bytes") == 6, out)
        made = number(r"(\d+) connections", out)
        tally.check(f"{name}: {connections} connections", made == connections, out)
    refused = run(EXAMPLES / "hyper-client", "http://127.0.0.1:1/")
    tally.check("hyper-client: an error is reported", "0 bytes" not in refused and refused, refused)


def python_of(package):
    """Returns a Python with a package of PyPI, or None if the package cannot be had."""
    folder = EXAMPLES / f"python-{package}"
    python = folder / "bin" / "python"
    commands = [
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
    ]
    if all(subprocess.run(command).returncode == 0 for command in commands):
        return python
    print(f"!!! SKIPPED: without {package}, its client is not run", file=sys.stderr)
    return None


def grpc():
    """tonic's service under its own client, Google's library, and a client that breaks off."""
    server = Server([EXAMPLES / "grpc", "serve", ANY])
    addr = f"127.0.0.1:{server.port}"
    out = run(EXAMPLES / "grpc", "call", addr, "you")
    tally.check("grpc: its client", out == "hello you\n3 2 1\n", out)
    out = run(EXAMPLES / "grpc", "call", addr, "")
    tally.check("grpc: a status is an error of the client", "the name is empty" in out, out)
    if python := python_of("grpcio"):
        lines = run(python, HERE / "grpc_client.py", server.port).splitlines()
        expected = {
            "one answer": "hello you", "100 calls at once": "100",
            "a stream of answers": "9 8 7 6 5 4 3 2 1",
            "an invalid argument": "INVALID_ARGUMENT the name is empty",
            "an unknown method": "UNIMPLEMENTED no method /evloop.Greeter/Unknown",
            "a stream that is cancelled": "100 99", "a call after that": "hello again",
        }
        for (name, line), found in zip(expected.items(), lines + [""] * len(expected)):
            tally.check(f"grpc: grpcio: {name}", found == line, lines)
    tally.check("grpc: it ends by itself", server.interrupt() == 0, server.stderr())


def reverse_proxy():
    """curl over TLS and both versions of HTTP, to the examples `http-server` and `axum`."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(folder)

        def proxy(upstream):
            url = f"http://127.0.0.1:{upstream.port}"
            server = Server([EXAMPLES / "reverse-proxy", certificate, key, url, ANY])
            return server, f"https://localhost:{server.port}"

        curl = ["curl", "-sS", "--cacert", certificate]
        upstream = Server([EXAMPLES / "examples" / "http-server", ANY, "100000"])
        server, url = proxy(upstream)
        page = run("curl", "-sS", f"http://127.0.0.1:{upstream.port}/")
        for flag, version in ("--http1.1", "1.1"), ("--http2", "2"):
            for tls in "1.2", "1.3":
                flags = [flag, f"--tlsv{tls}", "--tls-max", tls]
                out = run(*curl, *flags, "-w", " HTTP/%{http_version}", f"{url}/")
                tally.check(f"reverse-proxy: curl {flag}, TLS {tls}",
                            out == f"{page} HTTP/{version}", out)
        pages = [f"{url}/?{number}" for number in range(50)]
        out = run(*curl, "--http2", "--parallel", *pages)
        tally.check("reverse-proxy: 50 pages at once", out.count(page) == 50, out)
        out = run("h2load", "-n2000", "-c4", "-m8", f"{url}/")
        tally.check("reverse-proxy: h2load", number(r"(\d+) 2xx", out) == 2000, out)
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            tally.check("reverse-proxy: a client without TLS is refused",
                        lambda: b"HTTP" not in client.makefile("rb").read())
        upstream.interrupt()
        out = run(*curl, "-w", "%{http_code}", f"{url}/")
        tally.check("reverse-proxy: without a server, 502", out.endswith("502"), out)
        tally.check("reverse-proxy: it ends by itself", server.interrupt() == 0, server.stderr())
        made = number(r"(\d+) connections to the server", server.stdout())
        tally.check("reverse-proxy: its connections to the server are reused", 0 < made < 200, made)

        server, url = proxy(Server([EXAMPLES / "axum", ANY]))
        body = "abc" * 100_000
        for flag in "--http1.1", "--http2":
            upper = run(*curl, flag, "--data-binary", "@-", f"{url}/upper", stdin=body)
            tally.check(f"reverse-proxy: a body of 300 KB, {flag}", upper == body.upper())
            out = run(*curl, flag, "-w", "%{http_code}", f"{url}/nothing")
            tally.check(f"reverse-proxy: a status is passed on, {flag}", out == "404", out)


def quic_echo():
    """quinn under its own client, and under aioquic."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(folder)
        server = Server([EXAMPLES / "quic-echo", "serve", certificate, key, ANY])
        addr = f"127.0.0.1:{server.port}"
        for streams, size in (1, 0), (1, 1), (20, 100_000), (3, 3_000_000):
            out = run(EXAMPLES / "quic-echo", "send", certificate, addr, streams, size)
            expected = f"{streams} streams of {size} bytes returned\n"
            tally.check(f"quic-echo: {streams} streams of {size} bytes", out == expected, out)
        with tempfile.TemporaryDirectory() as other:
            out = run(EXAMPLES / "quic-echo", "send", make_certificate(other)[0], addr, 1, 1)
            tally.check("quic-echo: an unknown certificate", "certificate" in out, out)
        if python := python_of("aioquic"):
            out = run(python, HERE / "quic_client.py", server.port, 10, 100_000)
            tally.check("quic-echo: aioquic", out == "10 streams returned\n", out)
        tally.check("quic-echo: it ends by itself", server.interrupt() == 0, server.stderr())


CHECKS = [axum, axum_tls, hyper_client, grpc, reverse_proxy, quic_echo]

if __name__ == "__main__":
    missing = set(PACKAGES) - install(**PACKAGES)
    tally.check("the clients are installed", not missing, missing)
    for check in CHECKS:
        if check.__name__ in (sys.argv[2:] or [each.__name__ for each in CHECKS]):
            check()
    tally.close()
