"""HTTPS clients under real servers: the example `wget-https` against Python's ssl module.

usage: tls_clients.py BIN

The certificate is made by `openssl`. The pages must be fetched in TLS 1.2 and 1.3. A certificate
that no authority has signed, another version, a server without TLS, and a body that ends without
close_notify must each be an error on stderr.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from harness import PATIENCE, Tally, install

BODY = bytes(range(256)) * 1000
HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


def make_certificate(folder):
    """Returns the paths of a certificate of localhost, which signs itself, and of its key."""
    certificate, key = (os.path.join(folder, name) for name in ("certificate.pem", "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=PATIENCE)
    return certificate, key


class Site:
    """A server on localhost that answers each connection by `answer(connection)`."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}/"
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(PATIENCE)
            try:
                self.answer(connection)
            except OSError:
                pass  # A client that refuses the certificate ends the connection.
            connection.close()


def tls_site(certificate, key, version=None, is_cut=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if version:
        context.minimum_version = context.maximum_version = version

    def answer(connection):
        tls = context.wrap_socket(connection, server_side=True)
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += tls.recv(4096)
        tls.sendall(HEAD + BODY)
        if is_cut:
            tls.shutdown(socket.SHUT_RDWR)
        else:
            tls.unwrap()

    return Site(answer)


def plain_answer(connection):
    connection.sendall(b"220 this is no TLS\r\n")
    connection.recv(4096)


def fetch(binary, certificate, *urls):
    environment = dict(os.environ, SSL_CERT_FILE=certificate)
    return subprocess.run([binary, *urls], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE)


def fails(run, text):
    """Whether the run has failed with one line on stderr that contains `text`."""
    lines = run.stderr.splitlines()
    return run.returncode == 1 and not run.stdout and len(lines) == 1 and text in lines[0]


def main():
    binary, tally = sys.argv[1], Tally()
    if not install(openssl="openssl"):
        sys.exit("openssl is missing")
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(folder)
        versions = {"TLSv1_2": ssl.TLSVersion.TLSv1_2, "TLSv1_3": ssl.TLSVersion.TLSv1_3}
        sites = {name: tls_site(certificate, key, version) for name, version in versions.items()}
        for name, site in sites.items():
            run = fetch(binary, certificate, site.url)
            expected = f"{site.url}: HTTP/1.0 200 OK, {len(BODY)} bytes, {name}\n"
            tally.check(f"a page by {name}", run.stdout == expected and not run.returncode, run)
        urls = [site.url for site in sites.values()] * 5
        run = fetch(binary, certificate, *urls)
        tally.check("ten pages at once", len(run.stdout.splitlines()) == 10, run)

        cut = tls_site(certificate, key, is_cut=True)
        run = fetch(binary, certificate, cut.url)
        tally.check("a body without close_notify", fails(run, "close_notify"), run)
        run = fetch(binary, certificate, Site(plain_answer).url)
        tally.check("a server without TLS", fails(run, "TLS handshake failed"), run)

        with tempfile.TemporaryDirectory() as other:
            stranger, _ = make_certificate(other)
            run = fetch(binary, stranger, cut.url)
        tally.check("an unknown certificate", fails(run, "invalid peer certificate"), run)
        run = fetch(binary, certificate, cut.url.replace("localhost", "127.0.0.1"))
        tally.check("a certificate of another name", fails(run, "not valid for name"), run)
    tally.close()


if __name__ == "__main__":
    main()
