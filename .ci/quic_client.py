"""A client of the example `quic-echo` by aioquic.

usage: quic_client.py PORT STREAMS BYTES
"""

import asyncio
import os
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.quic.configuration import QuicConfiguration


async def exchange(connection, size):
    """Returns whether a stream returns what is sent."""
    reader, writer = await connection.create_stream()
    text = os.urandom(size)
    writer.write(text)
    writer.write_eof()
    return await reader.read() == text


async def main():
    port, streams, size = map(int, sys.argv[1:])
    configuration = QuicConfiguration(alpn_protocols=["echo"], verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", port, configuration=configuration) as connection:
        returned = await asyncio.gather(*(exchange(connection, size) for _ in range(streams)))
    print(sum(returned), "streams returned")


asyncio.run(main())
