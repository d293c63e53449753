"""The Python program of the example python-guest: see python-guest.rs."""

import asyncio
import socket

import python_guest


async def shout(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed_port = unused.getsockname()[1]

    with python_guest.Guest(asyncio.get_running_loop()) as guest:
        # Tasks of both loops run at the same time.
        answer, slept = guest.ask(port, "hello"), guest.sleep(30)
        print("python: tick 1")
        print("rust:", await answer)
        await asyncio.sleep(0.01)
        print("python: tick 2")
        print("rust:", await slept)
        try:
            await guest.ask(closed_port, "hello")
        except OSError as error:
            print("python: the task raised", type(error).__name__)
    server.close()


asyncio.run(main())
