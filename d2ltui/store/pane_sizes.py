"""How large somebody has made the panes: a small file beside the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from d2ltui.spec.files import read_regular
from d2ltui.store import home
from d2ltui.store.errors import StoreError, reason

FILE = "panes.json"
LEAST, MOST = 0.25, 4.0  # times the usual size
_MAX_BYTES = 10_000


def read() -> dict[str, float]:
    """Factors by the name of a pane, or of a column; empty where nothing has been changed.

    Raises:
        StoreError: where the file cannot be read, or is none of ours.
    """
    path = _path()
    try:
        found = msgspec.convert(json.loads(read_regular(path, _MAX_BYTES)), dict[str, float])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"the panes' sizes cannot be read from {path} ({reason(error)})") from None
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise StoreError(f"the panes have their usual sizes: {path} holds no sizes of panes") from None
    return {name: min(MOST, max(LEAST, factor)) for name, factor in found.items() if factor == factor}


def write(factors: Mapping[str, float]) -> None:
    """Remember them.

    Raises:
        StoreError: where that cannot be.
    """
    data = json.dumps(dict(factors)).encode()
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        home.write_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(f"the panes' sizes cannot be remembered in {path} ({reason(error)})") from None


def _path() -> Path:
    return home.home() / FILE
