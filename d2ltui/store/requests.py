"""What one process asks of another that trains: a file in the run's directory, read within a second."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from d2ltui.spec.files import read_regular
from d2ltui.spec.language import _
from d2ltui.store import home
from d2ltui.store.errors import StoreError, reason

Verb: TypeAlias = Literal["pause", "resume", "step", "epoch", "stop", "lr"]
PREFIX = "request-"
_MAX_BYTES = 1000
_MAX_AT_ONCE = 1000


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked; `lr` goes with the verb lr alone."""

    verb: Verb
    lr: float | None = None


def ask(path: Path, request: Request) -> None:
    """Ask the process that trains the run in directory `path`.

    Raises:
        StoreError: where it cannot be asked.
    """
    name = f"{PREFIX}{time.time_ns():020d}-{os.getpid()}"
    data = json.dumps(msgspec.to_builtins(request)).encode()
    try:
        home.write_atomically(path / name, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(
            _("run: {name} cannot be asked to {verb} ({reason})").format(
                name=path.name, verb=request.verb, reason=reason(error)
            )
        ) from None


def take_requests(path: Path) -> list[Request]:
    """What has been asked since the last time, in order. What is no request is removed like one."""
    found = []
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(PREFIX))[:_MAX_AT_ONCE]
    except OSError:
        return []
    for name in names:
        with contextlib.suppress(OSError, ValueError, RecursionError, msgspec.MsgspecError):
            try:
                request = msgspec.convert(json.loads(read_regular(path / name, _MAX_BYTES)), Request)
            finally:
                os.unlink(path / name)
            if request.verb != "lr" or (request.lr is not None and 0 < request.lr < float("inf")):
                found.append(request)
    return found
