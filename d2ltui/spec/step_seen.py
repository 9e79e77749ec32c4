"""A training step, line by line: which tensors there are, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from d2ltui.spec.layers import LayerSpec

Phase: TypeAlias = Literal["", "forward", "loss", "backward", "update"]

STEP = "step"  # the kind of picture that shows the step that comes next


class NamedLayer(NamedTuple):
    """A layer with the names of its parameters, "" where it has none, of its input and of its output."""

    spec: LayerSpec
    weight: str
    bias: str
    before: str
    after: str


def named_layers(plan: Sequence[LayerSpec]) -> list[NamedLayer]:
    """The layers, with names as the book gives them: Z before an activation function, H behind it."""
    number = pooled = 0
    before = "X"
    found = []
    for spec in plan:
        weight = bias = ""
        if spec.kind in ("linear", "convolution"):
            number += 1
            weight, bias = f"{'W' if spec.kind == 'linear' else 'K'}{number}", f"b{number}"
            after = f"Z{number}"
        elif spec.kind == "pooling":
            pooled += 1
            after = f"P{pooled}"
        elif spec.kind == "flatten":
            after = "F"
        else:
            after = f"H{number}"
        if len(plan) == 1:
            weight, bias = "W", "b"
        if spec is plan[-1]:
            after = "y_hat"
        found.append(NamedLayer(spec, weight, bias, before, after))
        before = after
    return found


def of_layer(index: int) -> str:
    """The key of the line that computes layer `index` (from 1), in `code.lines.Line.moment` and `Moment.line`."""
    return f"layer {index}"


class TensorSeen(msgspec.Struct, frozen=True):
    """A tensor: its shape, its smallest, mean and largest number, and a few `values`, evenly spread.

    Those are of the first sample, where it has samples, so that one may follow them from line to line.
    """

    name: str
    shape: tuple[int, ...]
    values: tuple[float, ...]
    low: float
    mean: float
    high: float


def spread(number: int, most: int) -> list[int]:
    """At most `most` places among `number`, evenly spread: the middles of as many equal parts."""
    return list(range(number)) if number <= most else [number * (2 * i + 1) // (2 * most) for i in range(most)]


class Moment(msgspec.Struct, frozen=True):
    """A line of the step that has run: its part of the step, its key, and its tensors, the result last."""

    phase: Phase
    line: str
    tensors: tuple[TensorSeen, ...]


class StepSeen(msgspec.Struct, frozen=True, eq=False):
    """The step on batch `batch` of `batches` of an epoch, both from 1, moment by moment."""

    epoch: int
    batch: int
    batches: int
    moments: tuple[Moment, ...]
