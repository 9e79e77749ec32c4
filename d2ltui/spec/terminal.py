"""What is known of a terminal before anything is drawn on it: its size, and what it can show.

Imports nothing that costs time: the command line asks before the application is imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import IO, Any

UNKNOWN_SIZE = (80, 24)  # columns, lines: of a serial line, or `docker exec -t`, which say 0×0
LARGEST = 1000  # columns or lines: a terminal that claims more is mistaken, and each cell takes memory
_WITHOUT_CURSOR = ("", "dumb", "unknown")


def size(*streams: IO[Any] | int | None) -> tuple[int, int]:
    """Columns and lines: what the first of `streams` that is a terminal says, else `COLUMNS` and `LINES`, else 80×24.

    The terminal is asked first: exported variables are of the time when they were set.
    """
    columns = lines = 0
    for stream in streams:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no terminal, closed, or none at all
            columns, lines = os.get_terminal_size(stream if isinstance(stream, int) else stream.fileno())  # type: ignore[union-attr]
            break
    return (
        _within(columns or _from_environment("COLUMNS") or UNKNOWN_SIZE[0]),
        _within(lines or _from_environment("LINES") or UNKNOWN_SIZE[1]),
    )


def _from_environment(name: str) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0


def _within(cells: int) -> int:
    return min(cells, LARGEST)


def moves_cursor(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal's type, `TERM`, is of one whose cursor can be moved: `dumb` is not, nor is none at all."""
    return environment.get("TERM", "").lower() not in _WITHOUT_CURSOR


def is_kernel_console(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether it is Linux's own console: its font has 256 or 512 characters, with neither braille nor round corners."""
    return environment.get("TERM", "") == "linux"
