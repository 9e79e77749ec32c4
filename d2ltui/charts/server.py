"""The helper process that draws: `python -m d2ltui.charts.server`.

It reads requests from standard input and writes replies to standard output, each a length (4 bytes, big-endian) and
a MessagePack value, and ends with its input. It has a process of its own because drawing holds the interpreter's lock,
which training needs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
import time
from typing import BinaryIO

import msgspec

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Reply, Request

LENGTH = struct.Struct(">I")
_decode_spec = msgspec.msgpack.Decoder(ChartSpec).decode


def answer(request: Request) -> Reply:
    """The drawing, or what prevented it, in words: a wrong request must not end the process."""
    began = time.process_time()
    try:
        drawing = draw(_decode_spec(request.spec))
        return Reply(request.id, drawing, seconds=time.process_time() - began)
    except Exception as error:
        return Reply(request.id, error=f"{type(error).__name__}: {error}")


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until `requests` ends or says what is no request."""
    decode = msgspec.msgpack.Decoder(Request).decode
    encode = msgspec.msgpack.Encoder().encode
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        (size,) = LENGTH.unpack(head)
        body = encode(answer(decode(requests.read(size))))
        replies.write(LENGTH.pack(len(body)) + body)
        replies.flush()


def main() -> None:
    # The terminal's interrupt key is for the application; who closes the pipe ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    # Nothing is left to flush, and the interpreter would try to, into a pipe that may be gone.
    os._exit(0)


if __name__ == "__main__":
    main()
