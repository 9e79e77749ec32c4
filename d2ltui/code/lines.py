"""Lines of code that know which part of a training step they are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from d2ltui.spec.config import RunConfig
from d2ltui.spec.step_seen import Phase


class Line(NamedTuple):
    """A line of Python, the part of a training step that it carries out, and the key by which `Moment.line` means it.

    Both are "" where there is none. Keys are `input`, `layer 1` and so on, `output`, `loss`, `penalty`, `backward`,
    `clip` and `update`.
    """

    text: str
    phase: Phase = ""
    moment: str = ""


AUTOCAST = "torch.autocast(X.device.type, torch.bfloat16)"  # takes products in bfloat16 while it is entered


def forward_lines(config: RunConfig) -> list[Line]:
    """From a batch X to its outputs, in the precision of the run."""
    line = Line("    y_hat = net(X)", "forward", "output")
    if config.precision != "bf16":
        return [line]
    return [
        Line(f"    with {AUTOCAST}:", "forward"),
        *indented([line]),
        Line("    y_hat = y_hat.float()", "forward"),
    ]


def block(text: str) -> list[Line]:
    """The lines of `text`, without the indentation that they share, and without empty ones around them."""
    return [Line(line) for line in textwrap.dedent(text).strip("\n").splitlines()]


def indented(lines: Iterable[Line], by: int = 4) -> list[Line]:
    """The same `by` columns further to the right."""
    return [line._replace(text=" " * by + line.text if line.text else "") for line in lines]


def text_of(lines: Iterable[Line]) -> str:
    """Python, as a file has it."""
    return "".join(f"{line.text}\n" for line in lines)
