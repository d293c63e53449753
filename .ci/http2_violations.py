"""Violations of HTTP/2 (RFC 9113), frame by frame, against a server of plain HTTP/2.

usage: http2_violations.py SERVER [ARGUMENT...]

The server answers each with the error that the RFC names, and serves the next client.
"""

import socket
import struct
import sys

from harness import PATIENCE, Server, Tally, wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PROTOCOL, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, COMPRESSION, CALM = 1, 3, 5, 6, 9, 11

# Of the static table of HPACK (RFC 7541): `:method: GET`, `:method: POST`, `:scheme: http`.
GET, POST, SCHEME = b"\x82", b"\x83", b"\x86"


def text(string):
    return bytes([len(string)]) + string


def field(name, value):
    """A field that is in no table."""
    return b"\0" + text(name) + text(value)


PATH = b"\x04" + text(b"/hello/you")
HOST = b"\x01" + text(b"a")
REQUEST = GET + SCHEME + PATH + HOST
BODY = POST + SCHEME + b"\x04" + text(b"/upper") + HOST


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack("!I", length)[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def headers(stream, block=REQUEST, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, block)


def setting(name, value):
    return frame(SETTINGS, payload=struct.pack("!HI", name, value))


def number(kind, stream, value):
    return frame(kind, 0, stream, struct.pack("!I", value))


class Client:
    def __init__(self, port, preface=PREFACE + frame(SETTINGS)):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.reader = self.socket.makefile("rb")
        self.socket.sendall(preface)

    def receive(self):
        """Returns (kind, flags, stream, payload), or None at the end."""
        try:
            head = self.reader.read(9)
            if len(head) < 9:
                return None
            length = int.from_bytes(head[:3], "big")
            return head[3], head[4], int.from_bytes(head[5:], "big"), self.reader.read(length)
        except ConnectionError:
            return None

    def until(self, wanted):
        while found := self.receive():
            if wanted(*found):
                return found
        return None

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # what the server has sent before is still read

    def error(self):
        """Returns ("connection" or "stream", code) of the first error, or None at the end."""
        found = self.until(lambda kind, *_: kind in (GOAWAY, RST_STREAM))
        if not found:
            return None
        at = 4 if found[0] == GOAWAY else 0
        scope = "connection" if found[0] == GOAWAY else "stream"
        return scope, int.from_bytes(found[3][at:at + 4], "big")

    def get(self, stream=1):
        """Returns the body of a response."""
        self.send(headers(stream))
        body = b""
        while found := self.receive():
            kind, flags, of, payload = found
            if of == stream and kind == DATA:
                body += payload
            if of == stream and flags & END_STREAM and kind in (DATA, HEADERS):
                return body
        return None

    def close(self):
        self.reader.close()
        self.socket.close()


# What is sent after the preface, and the codes that the RFC names. A stream's error may be one of
# the connection (5.4.2). The crate h2, which finds these errors on every runtime, reports some of
# them by the general PROTOCOL_ERROR.
CONNECTION_ERRORS = [
    ("4.2: a frame that is too large", frame(DATA, 0, 1, b"x" * 16385), [FRAME_SIZE]),
    ("4.3: a header block with an index of no table", headers(1, b"\xff\x80\x7f"), [COMPRESSION]),
    ("5.1: DATA on an idle stream", frame(DATA, 0, 1, b"x"), [PROTOCOL]),
    ("5.1: RST_STREAM on an idle stream", number(RST_STREAM, 1, 8), [PROTOCOL]),
    ("5.1: WINDOW_UPDATE on an idle stream", number(WINDOW_UPDATE, 1, 1), [PROTOCOL]),
    ("5.1.1: an even stream id", headers(2), [PROTOCOL]),
    ("5.1.1: a stream id that is lower than the last", headers(5) + headers(3),
     [PROTOCOL, STREAM_CLOSED]),
    ("5.1.1: a stream id that is used again", headers(1) + headers(1), [PROTOCOL, STREAM_CLOSED]),
    ("6.1: DATA on stream 0", frame(DATA, 0, 0, b"x"), [PROTOCOL]),
    ("6.1: padding longer than the frame", headers(1, BODY, END_HEADERS)
     + frame(DATA, 8, 1, b"\x09x"), [PROTOCOL]),
    ("6.2: HEADERS on stream 0", headers(0), [PROTOCOL]),
    ("6.2: HEADERS without an end, then another frame", headers(1, flags=END_STREAM)
     + frame(PING, payload=bytes(8)), [PROTOCOL]),
    ("6.4: RST_STREAM on stream 0", number(RST_STREAM, 0, 8), [PROTOCOL]),
    ("6.4: RST_STREAM of 3 bytes", headers(1, BODY, END_HEADERS)
     + frame(RST_STREAM, 0, 1, b"abc"), [FRAME_SIZE]),
    ("6.5: SETTINGS on a stream", frame(SETTINGS, 0, 1), [PROTOCOL]),
    ("6.5: SETTINGS of 5 bytes", frame(SETTINGS, payload=bytes(5)), [FRAME_SIZE]),
    ("6.5: an acknowledgement with a payload", frame(SETTINGS, ACK, payload=bytes(6)),
     [FRAME_SIZE]),
    ("6.5.2: ENABLE_PUSH of 2", setting(2, 2), [PROTOCOL]),
    ("6.5.2: INITIAL_WINDOW_SIZE above the maximum", setting(4, 1 << 31), [FLOW_CONTROL]),
    ("6.5.2: MAX_FRAME_SIZE below the minimum", setting(5, 16383), [PROTOCOL]),
    ("6.6: PUSH_PROMISE of a client", headers(1, BODY, END_HEADERS)
     + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!I", 2) + REQUEST), [PROTOCOL]),
    ("6.7: PING on a stream", frame(PING, 0, 1, bytes(8)), [PROTOCOL]),
    ("6.7: PING of 7 bytes", frame(PING, payload=bytes(7)), [FRAME_SIZE]),
    ("6.8: GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), [PROTOCOL]),
    ("6.9: WINDOW_UPDATE of 0", number(WINDOW_UPDATE, 0, 0), [PROTOCOL]),
    ("6.9: WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, payload=bytes(3)), [FRAME_SIZE]),
    ("6.9.1: the connection's window overflows", number(WINDOW_UPDATE, 0, (1 << 31) - 1),
     [FLOW_CONTROL]),
    ("6.10: CONTINUATION after nothing", frame(CONTINUATION, END_HEADERS, 1, REQUEST), [PROTOCOL]),
    ("10.5: a flood of requests that are reset",
     b"".join(headers(id) + number(RST_STREAM, id, 8) for id in range(1, 20001, 2)), [CALM]),
    ("10.5: a header block without an end", headers(1, flags=END_STREAM)
     + frame(CONTINUATION, 0, 1, field(b"x", b"y" * 100) * 150) * 100,
     [CALM, COMPRESSION, PROTOCOL]),
]
OPEN = headers(1, BODY, END_HEADERS)
STREAM_ERRORS = [
    ("5.1: DATA on a stream that the client has closed", headers(1) + frame(DATA, 0, 1, b"x"),
     [STREAM_CLOSED]),
    ("6.9: WINDOW_UPDATE of 0 on a stream", OPEN + number(WINDOW_UPDATE, 1, 0), [PROTOCOL]),
    ("6.9.1: a stream's window overflows", OPEN + number(WINDOW_UPDATE, 1, (1 << 31) - 1),
     [FLOW_CONTROL]),
    ("8.1.1: less data than content-length", headers(1, BODY + field(b"content-length", b"5"),
     END_HEADERS) + frame(DATA, END_STREAM, 1, b"abc"), [PROTOCOL]),
    ("8.2.1: a field's name in capitals", headers(1, REQUEST + field(b"X", b"y")), [PROTOCOL]),
    ("8.2.2: a field of the connection", headers(1, REQUEST + field(b"connection", b"close")),
     [PROTOCOL]),
    ("8.3: an unknown pseudo field", headers(1, REQUEST + field(b":x", b"y")), [PROTOCOL]),
    ("8.3: a pseudo field after another one", headers(1, GET + field(b"x", b"y") + SCHEME + PATH),
     [PROTOCOL]),
    ("8.3.1: no path", headers(1, GET + SCHEME + HOST), [PROTOCOL]),
    ("8.3.1: two methods", headers(1, GET + REQUEST), [PROTOCOL]),
    ("8.1: trailers without an end", OPEN + headers(1, field(b"x", b"y"), END_HEADERS),
     [PROTOCOL]),
]


def lawful(port, tally):
    client = Client(port)
    first = client.receive()
    tally.check("3.4: SETTINGS come first", first and first[0] == SETTINGS, first)
    tally.check("6.5.3: SETTINGS are acknowledged",
                client.until(lambda kind, flags, *_: kind == SETTINGS and flags & ACK))
    client.send(frame(PING, payload=b"12345678"))
    tally.check("6.7: PING is answered with its payload",
                client.until(lambda kind, flags, *rest: kind == PING)[1:] == (ACK, 0, b"12345678"))
    client.send(frame(0xEE, 0xFF, 0, b"unknown") + frame(PRIORITY, 0, 1, bytes(4) + b"\x10"))
    client.send(setting(0xEEEE, 1))
    tally.check("5.5: what is unknown is ignored", client.get() == b"hello you\n")
    client.send(headers(3, GET, END_STREAM) + frame(CONTINUATION, 0, 3, SCHEME + PATH)
                + frame(CONTINUATION, END_HEADERS, 3, HOST))
    tally.check("6.10: a header block in three frames",
                client.until(lambda kind, flags, stream, _: (kind, stream) == (HEADERS, 3)))
    # A window of 3 bytes: the body comes in pieces.
    client.close()
    client = Client(port, PREFACE + setting(4, 3))
    client.send(headers(1))
    data = client.until(lambda kind, *_: kind == DATA)
    tally.check("6.9: no more data than the window takes", data and data[3] == b"hel", data)
    client.send(setting(4, 5))
    data = client.until(lambda kind, *_: kind == DATA)
    tally.check("6.9.2: a larger initial window", data and data[3] == b"lo", data)
    client.send(number(WINDOW_UPDATE, 1, 100))
    data = client.until(lambda kind, *_: kind == DATA)
    tally.check("6.9: a window that is opened", data and data[3] == b" you\n", data)
    client.close()


def main():
    server = Server(sys.argv[1:])
    tally = Tally()
    lawful(server.port, tally)
    idle = server.descriptors() - 1
    for cases, scopes in (CONNECTION_ERRORS, ["connection"]), (STREAM_ERRORS,
                                                              ["stream", "connection"]):
        for name, sent, codes in cases:
            client = Client(server.port)
            client.send(sent)
            seen = client.error()
            tally.check(name, seen and seen[0] in scopes and seen[1] in [*codes, PROTOCOL],
                        seen)
            if seen and seen[0] == "stream":
                tally.check(f"{name}: other streams go on", client.get(9) == b"hello you\n")
            client.close()
            other = Client(server.port)
            tally.check(f"{name}: the next client is served", other.get() == b"hello you\n")
            other.close()
    client = Client(server.port, PREFACE[:-2] + b"XX" + frame(SETTINGS))
    tally.check("3.4: a wrong preface closes the connection",
                client.until(lambda kind, *_: kind == DATA) is None)
    client.close()
    tally.check("all connections are closed", wait_until(lambda: server.descriptors() <= idle),
                server.descriptors())
    tally.check("it ends by itself", server.interrupt() == 0, server.stderr())
    tally.close()


if __name__ == "__main__":
    main()
