"""The helper process that draws: `python -m d2ltui.charts.server`.

It reads requests from standard input and writes replies to standard output, each a length (4 bytes, big-endian) and
a MessagePack value, and ends with its input. It has a process of its own because drawing holds the interpreter's lock,
which training needs.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import struct
import sys
import time
from typing import BinaryIO, cast

import msgspec

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Reply, Request

LENGTH = struct.Struct(">I")
CHUNK = 2**18  # read at once
SIGN_EVERY = 0.1
_decode_spec = msgspec.msgpack.Decoder(ChartSpec).decode


def answer(request: Request) -> Reply:
    """The drawing, or what prevented it, in words: a wrong request must not end the process."""
    began = time.process_time()
    try:
        drawing = draw(_decode_spec(request.spec))
        return Reply(request.id, drawing, seconds=time.process_time() - began)
    except Exception as error:
        return Reply(request.id, error=f"{type(error).__name__}: {error}")


def serve(requests: io.BufferedIOBase, replies: BinaryIO) -> None:
    """Answer until `requests` ends or says what is no request.

    Requests that have come together are answered together: who asked is woken once. But any answer is a sign of life,
    for which nobody is to wait longer than SIGN_EVERY seconds and one chart.
    """
    decode = msgspec.msgpack.Decoder(Request).decode
    encode = msgspec.msgpack.Encoder().encode
    incoming = bytearray()
    while chunk := requests.read1(CHUNK):
        incoming += chunk
        answers, began = bytearray(), time.monotonic()
        while len(incoming) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(incoming)
            end = LENGTH.size + size
            if len(incoming) < end:
                break
            body = encode(answer(decode(bytes(incoming[LENGTH.size : end]))))
            del incoming[:end]
            answers += LENGTH.pack(len(body)) + body
            if time.monotonic() - began > SIGN_EVERY:
                replies.write(answers)
                replies.flush()
                answers.clear()
                began = time.monotonic()
        if answers:
            replies.write(answers)
            replies.flush()


def main() -> None:
    # The terminal's interrupt key is for the application; who closes the pipe ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)
    with contextlib.suppress(BrokenPipeError):
        serve(cast(io.BufferedReader, sys.stdin.buffer), sys.stdout.buffer)
    # Nothing is left to flush, and the interpreter would try to, into a pipe that may be gone.
    os._exit(0)


if __name__ == "__main__":
    main()
