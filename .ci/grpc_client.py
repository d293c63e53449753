"""A client of the example `grpc` by grpcio, which is Google's library in C.

usage: grpc_client.py PORT

It has no generated code: the few messages are encoded here.
"""

import sys

import grpc


def text(string):
    """A message with a string, shorter than 128 bytes, in its field 1."""
    return b"\x0a" + bytes([len(string.encode())]) + string.encode()


def number(value):
    """A message with a number below 128 in its field 1; zeros are left out."""
    return b"\x08" + bytes([value]) if value else b""


def main():
    channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}")
    hello = channel.unary_unary("/evloop.Greeter/Hello")
    countdown = channel.unary_stream("/evloop.Greeter/Countdown")
    unknown = channel.unary_unary("/evloop.Greeter/Unknown")

    print(hello(text("you"), timeout=60)[2:].decode())
    answers = [hello.future(text(f"number {n}"), timeout=60) for n in range(100)]
    print(sum(answer.result() == text(f"hello number {n}") for n, answer in enumerate(answers)))
    print(*(message[1] for message in countdown(number(9), timeout=60)))
    for method in hello, unknown:
        try:
            method(b"", timeout=60)
        except grpc.RpcError as error:
            print(error.code().name, error.details())
    # Dropped after two answers: the stream is reset, and the connection serves on.
    stream = countdown(number(100), timeout=60)
    print(next(stream)[1], next(stream)[1])
    stream.cancel()
    print(hello(text("again"), timeout=60)[2:].decode())
    channel.close()


main()
