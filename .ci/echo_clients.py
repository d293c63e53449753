"""Real clients for the echo server: curl, nc, and 1,000 concurrent connections of asyncio.

usage: echo_clients.py BIN

The server must return every byte, except to the connections that are reset. Its memory must not
grow from one round to an identical second one. It must close all descriptors and use one thread.
SIGINT must end it with status 0.
"""

import asyncio
import random
import socket
import struct
import subprocess
import sys

from harness import PATIENCE, Server, Tally, install, raise_descriptor_limit, wait_until

CONNECTIONS = 1000
SEED = 20_000
GROWTH_MAX = 4 * 1024  # KiB: memory that an allocator may keep
RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST


def curl_echoes(port):
    """Curl's telnet mode never closes by itself: it is terminated after its last line."""
    command = ["curl", "--silent", "--no-buffer", "--max-time", str(PATIENCE)]
    command.append(f"telnet://127.0.0.1:{port}")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
        echoes = True
        for line in [b"hello\n", b"and again\n"]:
            curl.stdin.write(line)
            curl.stdin.flush()
            echoes = echoes and curl.stdout.readline() == line
        curl.terminate()
    return echoes


def nc_echoes(port):
    """nc -N half-closes after its input and reads on until the server closes."""
    data = random.Random(SEED).randbytes(300_000)
    command = ["nc", "-N", "127.0.0.1", str(port)]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, timeout=PATIENCE)
    return done.returncode == 0 and done.stdout == data


def fresh_echoes(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as fresh:
        fresh.sendall(b"still there?")
        fresh.shutdown(socket.SHUT_WR)
        return fresh.makefile("rb").read() == b"still there?"


async def send_in_pieces(writer, data, rng):
    while data:
        size = rng.choice([1, 10, 1000, 100_000])
        size = rng.randint(1, size)
        writer.write(data[:size])
        await writer.drain()
        data = data[size:]
        if rng.random() < 0.1:
            await asyncio.sleep(rng.random() / 100)


async def connection(port, number, all_open):
    """Runs a connection. Its number decides how it ends. Returns whether all bytes came back."""
    rng = random.Random(SEED + number)
    data = rng.randbytes(rng.randint(0, rng.choice([10, 1000, 10_000, 200_000])))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await all_open()
    if number % 10 == 0:
        part = rng.randint(0, len(data))
        sending = asyncio.create_task(send_in_pieces(writer, data, rng))
        echo = await reader.readexactly(part)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        sending.cancel()
        writer.transport.abort()
        return echo == data[:part]

    async def send():
        await send_in_pieces(writer, data, rng)
        if number % 10 <= 3:
            writer.write_eof()

    # A size of -1 reads until the server closes, which it does after a half-close.
    reading = reader.read(-1) if number % 10 <= 3 else reader.readexactly(len(data))
    _, echo = await asyncio.gather(send(), reading)
    writer.close()
    await writer.wait_closed()
    return echo == data


async def round_of_connections(port):
    """Opens `CONNECTIONS` at the same time. Returns how many received the right bytes."""
    opened, gate = 0, asyncio.Event()

    async def all_open():
        nonlocal opened
        opened += 1
        if opened == CONNECTIONS:
            gate.set()
        await gate.wait()

    every = (connection(port, number, all_open) for number in range(CONNECTIONS))
    every = [asyncio.wait_for(each, PATIENCE) for each in every]
    results = await asyncio.gather(*every, return_exceptions=True)
    for number, result in enumerate(results):
        if result is not True:
            print(f"connection {number}: {result!r}")
    return results.count(True)


def main():
    raise_descriptor_limit()
    tally = Tally()
    server = Server([sys.argv[1], "127.0.0.1:0"])
    tools = install(curl="curl", nc="netcat-openbsd")
    for tool, echoes in [("curl", curl_echoes), ("nc", nc_echoes)]:
        if tool in tools:
            tally.check(f"{tool} gets its echo", lambda: echoes(server.port))
        else:
            print(f"skipped: {tool} is missing, and installing it needs root and apt-get")

    # One connection stays open: SIGINT must end the server nevertheless.
    idle = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    idle.sendall(b"a")
    idle.recv(1)
    before, sizes = server.descriptors(), []
    for number in (1, 2):
        good = asyncio.run(round_of_connections(server.port))
        what = f"round {number}: {CONNECTIONS} connections get every byte"
        tally.check(what, good == CONNECTIONS, f"only {good}")
        closed = wait_until(lambda: server.descriptors() <= before)
        tally.check(f"round {number}: all are closed", closed, server.descriptors())
        tally.check(f"round {number}: one thread", server.threads() == 1, server.threads())
        sizes.append(server.rss())
    growth = sizes[1] - sizes[0]
    tally.check(f"memory after the rounds: {sizes} KiB", growth <= GROWTH_MAX, f"grew by {growth}")

    tally.check("a fresh connection works", lambda: fresh_echoes(server.port))
    status = server.interrupt()
    tally.check("SIGINT ends it with status 0", status == 0, f"{status}\n{server.stderr()}")
    idle.close()
    tally.close()


main()
