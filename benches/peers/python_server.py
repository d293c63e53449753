"""Servers on asyncio, or on asyncio with uvloop's loop: `python_server.py asyncio|uvloop echo N`.

Protocols, not streams: the fastest that each of them has. The loop sizes its own buffers, so N is
taken and ignored.
"""

import asyncio
import os
import sys

loop_name, workload, _buffer = sys.argv[1:]
if loop_name == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.new_event_loop


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Redis(asyncio.Protocol):
    """GET and SET of values without line ends: a command is twice as many lines as words, and one.

    All commands that are there are answered with one write.
    """

    values = {}

    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        lines = (self.rest + data).split(b"\r\n")
        replies, at = [], 0
        while at + 1 < len(lines) and (end := at + 1 + 2 * int(lines[at][1:])) < len(lines):
            replies.append(self.execute(lines[at + 2:end:2]))
            at = end
        self.rest = b"\r\n".join(lines[at:])
        self.transport.write(b"".join(replies))

    def execute(self, command):
        match command:
            case b"SET", key, value:
                self.values[key] = value
                return b"+OK\r\n"
            case b"GET", key:
                value = self.values.get(key)
                return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)
        return b"-ERR unknown command\r\n"


servers = {"echo": Echo, "redis": Redis}
if workload not in servers:
    sys.exit(3)


async def main():
    protocol = servers[workload]
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    print(f"port={server.sockets[0].getsockname()[1]} pid={os.getpid()}", flush=True)
    await server.serve_forever()


with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
