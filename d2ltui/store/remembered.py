"""What somebody has set up and finds again the next time: small files beside the runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from d2ltui.spec.files import read_regular
from d2ltui.spec.language import _
from d2ltui.store import home
from d2ltui.store.errors import StoreError, reason

T = TypeVar("T")
_MAX_BYTES = 10_000


def read(name: str, kind: type[T], what: str) -> T | None:
    """What the file `name` holds, or None where there is none; `what` is what it is called in a sentence.

    Raises:
        StoreError: where the file cannot be read, or is none of ours.
    """
    path = _path(name)
    try:
        return msgspec.convert(json.loads(read_regular(path, _MAX_BYTES)), kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            _("{what} cannot be read from {path} ({reason})").format(what=what, path=path, reason=reason(error))
        ) from None
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise StoreError(_("{what} are the usual ones: {path} holds none").format(what=what, path=path)) from None


def write(name: str, value: object, what: str) -> None:
    """Remember it.

    Raises:
        StoreError: where that cannot be.
    """
    data = json.dumps(value).encode()
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        home.write_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(
            _("{what} cannot be remembered in {path} ({reason})").format(what=what, path=path, reason=reason(error))
        ) from None


def _path(name: str) -> Path:
    return home.home() / name
