"""The echo on asyncio, or on asyncio with uvloop's loop: `python_echo.py asyncio|uvloop echo N`.

Protocols, not streams: the fastest that each of them has. The loop sizes its own buffers, so N is
taken and ignored.
"""

import asyncio
import os
import sys

loop_name, workload, _buffer = sys.argv[1:]
if workload != "echo":
    sys.exit(3)
if loop_name == "uvloop":
    try:
        import uvloop
    except ImportError:
        sys.exit(3)
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.new_event_loop


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(f"port={server.sockets[0].getsockname()[1]} pid={os.getpid()}", flush=True)
    await server.serve_forever()


with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
