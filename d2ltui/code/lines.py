"""Lines of code that know which part of a training step they are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

Phase: TypeAlias = Literal["", "forward", "loss", "backward", "update"]


class Line(NamedTuple):
    """A line of Python, the part of a training step that it carries out, and the tensor that it gives a name to.

    Both are "" where there is none.
    """

    text: str
    phase: Phase = ""
    tensor: str = ""


def block(text: str) -> list[Line]:
    """The lines of `text`, without the indentation that they share, and without empty ones around them."""
    return [Line(line) for line in textwrap.dedent(text).strip("\n").splitlines()]


def indented(lines: Iterable[Line], by: int = 4) -> list[Line]:
    """The same `by` columns further to the right."""
    return [line._replace(text=" " * by + line.text if line.text else "") for line in lines]


def text_of(lines: Iterable[Line]) -> str:
    """Python, as a file has it."""
    return "".join(f"{line.text}\n" for line in lines)
