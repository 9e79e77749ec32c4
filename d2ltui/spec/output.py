"""Standard output that cannot be written: what is said of it, and the exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TextIO

from d2ltui.spec.language import _

BROKEN_PIPE = 128 + signal.SIGPIPE  # what a shell tells of a program whose reader has had enough: `… | head`


def unwritable(error: OSError, err: TextIO | None) -> int:
    """Says what is wrong with the output, unless its reader has just had enough; returns the exit status."""
    broken = isinstance(error, BrokenPipeError)
    if not broken and err is not None:
        with contextlib.suppress(OSError, ValueError):
            print(
                _("d2ltui: the output cannot be written ({reason})").format(reason=error.strerror or error),
                file=err,
                flush=True,
            )
    discard()
    return BROKEN_PIPE if broken else 1


def flush() -> int | None:
    """Write what is still buffered; the exit status where that cannot be, else None."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return unwritable(error, sys.stderr)
    return None


def discard() -> None:
    """What is still buffered and has nowhere to go: the interpreter must not try again when it ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
