"""A WebSocket client on a plain socket (RFC 6455), for the examples that echo its messages.

usage: websocket_client.py BIN
"""

import base64
import hashlib
import os
import socket
import struct
import sys

from harness import PATIENCE, Server, Tally

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.reader = self.socket.makefile("rb")

    def shake_hands(self):
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        lines = []
        while line := self.reader.readline().strip():
            lines.append(line)
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        answers = [line.partition(b": ")[2] for line in lines if b"accept" in line.lower()]
        return lines[0].startswith(b"HTTP/1.1 101") and answers == [accept]

    def send(self, opcode, payload, final=True):
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", final << 7 | opcode, 0x80 | length)
        elif length < 1 << 16:
            head = struct.pack("!BBH", final << 7 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", final << 7 | opcode, 0x80 | 127, length)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def receive(self):
        first, length = self.reader.read(2)
        if length == 126:
            length = struct.unpack("!H", self.reader.read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.reader.read(8))[0]
        return first & 0xF, self.reader.read(length)

    def echoes(self, opcode, payload):
        self.send(opcode, payload)
        return self.receive() == (opcode, payload)


def main():
    tally, server = Tally(), Server([sys.argv[1], "127.0.0.1:0"])
    client = Client(server.port)
    tally.check("the handshake", client.shake_hands)
    for length in 0, 1, 125, 126, 65_535, 65_536, 1_000_000:
        payload = os.urandom(length)
        tally.check(f"{length} bytes", lambda: client.echoes(BINARY, payload))
    tally.check("a text", lambda: client.echoes(TEXT, "grüß dich".encode()))
    client.send(TEXT, b"two ", final=False)
    client.send(PING, b"between")
    client.send(CONTINUATION, b"parts")
    tally.check("a ping is answered", lambda: client.receive() == (PONG, b"between"))
    tally.check("a message in parts", lambda: client.receive() == (TEXT, b"two parts"))

    other = Client(server.port)
    other.socket.sendall(b"nonsense\r\n\r\n")
    tally.check("an invalid request is refused", lambda: b"101" not in other.reader.read())
    code = struct.pack("!H", 1000)
    client.send(CLOSE, code)
    tally.check("the closing handshake", lambda: client.receive() == (CLOSE, code))
    tally.check("end of stream", lambda: client.reader.read() == b"")
    tally.close()


if __name__ == "__main__":
    main()
