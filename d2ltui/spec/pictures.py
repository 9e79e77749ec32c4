"""Pictures of a network: which ones there are of a run, what is asked for, and what comes back.

Whoever shows a picture asks for one by a `PictureRequest`; whoever has the network answers with arrays that are ready
to be drawn. Neither knows the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from d2ltui.spec.dataset_source import DatasetInfo
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.step_seen import StepSeen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]
    Bytes: TypeAlias = npt.NDArray[np.uint8]
    Integers: TypeAlias = npt.NDArray[np.int64]

MAX_UNITS = 4096  # whose pictures can be leafed through


class PictureKind(msgspec.Struct, frozen=True):
    """A kind of picture that there is of a run.

    `choices` is how many there are of it, such as one for each input; `choosing` names what is chosen, "" where there
    is one only. Pages are as many as the samples, units or kernels that do not fit on one, and not counted here.
    """

    name: str
    title: str
    choices: int = 1
    choosing: str = ""


class PictureRequest(msgspec.Struct, frozen=True):
    """A picture of `kind` for an area of `width` × `height` pixels, two pixels a character: one above the other.

    `choice` counts from 0, and is taken modulo the number of choices.
    """

    kind: str
    width: int
    height: int
    choice: int = 0


class Regions(msgspec.Struct, frozen=True, eq=False):
    """What the network predicts over a plane: (height, width) classes and their probabilities, the top row first.

    `points` (n, 2) are samples with their `labels` (n,); `x` and `y` are the plane's limits.
    """

    classes: Bytes
    confidence: Floats
    points: Floats
    labels: Integers
    x: tuple[float, float]
    y: tuple[float, float]
    axes: tuple[str, str]
    names: tuple[str, ...]


class Surface(msgspec.Struct, frozen=True, eq=False):
    """The same for a number: `values` (height, width), the top row first, and samples with their `targets` (n,)."""

    values: Floats
    points: Floats
    targets: Floats
    x: tuple[float, float]
    y: tuple[float, float]
    axes: tuple[str, str]


class Fit(msgspec.Struct, frozen=True, eq=False):
    """A prediction as a function of one input: the line (m,), and the samples (n,) with their residuals.

    Other inputs are at their mean; each sample then lies as far from the line as its prediction from its target.
    `truth` (m,) is the true line, where it is known.
    """

    line_x: Floats
    line_y: Floats
    truth: Floats | None
    x: Floats
    y: Floats
    residuals: Floats
    axis: str
    others: int  # inputs that are at their mean


class Images(msgspec.Struct, frozen=True, eq=False):
    """Samples: (n, height, width, 1 or 3) from 0 to 255, what is said of each, and whether it was mistaken.

    They are those from number `first` (from 0) on, of `total`; `note` begins with that number, and says what they are.
    `short` are captions of fewer words, for where the others have no room. `key` says how to read those of mistakes, in
    one way after the other, each shorter than the one before.
    """

    images: Bytes
    captions: tuple[str, ...]
    wrong: tuple[bool, ...]
    first: int
    total: int
    note: str
    short: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


class Maps(msgspec.Struct, frozen=True, eq=False):
    """Numbers in the plane, (n, height, width): one map for each unit or kernel. The rest is as in `Images`.

    `limit` is the largest magnitude of all maps, on this page and the others: one scale is for all of them. It is 0
    where no number is finite; None where nobody says it, and then that of these maps counts.
    """

    maps: Floats
    captions: tuple[str, ...]
    first: int
    total: int
    note: str
    short: tuple[str, ...] = ()
    limit: float | None = None


class Confusion(msgspec.Struct, frozen=True, eq=False):
    """How often a sample of each class (rows) was taken for each (columns): `counts` (q, q)."""

    counts: Integers
    names: tuple[str, ...]
    note: str


class SoftmaxSteps(msgspec.Struct, frozen=True, eq=False):
    """Softmax of one sample, step by step, naive and stable, each (q,) in single precision."""

    logits: Floats
    naive_exp: Floats
    naive: Floats
    shifted: Floats
    exp: Floats
    probabilities: Floats
    names: tuple[str, ...]
    label: int
    sample: int
    total: int


class ActivationCurve(msgspec.Struct, frozen=True, eq=False):
    """An activation function and its slope at `x` (m,), and where the inputs of a layer lie.

    `activity` is, for each unit of that layer, the share of samples for which it passes a gradient on, as in
    `LayerStats.unit_activity`; empty where there is no layer.

    `counts` (bins,) are of equal bins from `x[0]` to `x[-1]`, empty where there is no layer; `flat` is the share of
    inputs that saturate it, with outputs beyond its `flat_ends`; without those, of inputs where the slope is less than
    a twentieth of its largest. `about` says what the function is.
    """

    x: Floats
    y: Floats
    slope: Floats
    counts: Integers
    flat: float
    title: str
    about: str
    flat_ends: tuple[float, float] | None = None
    activity: tuple[float, ...] = ()


Picture: TypeAlias = "ActivationCurve | Regions | Surface | Fit | Images | Maps | Confusion | SoftmaxSteps"


class PictureMade(msgspec.Struct, frozen=True, eq=False):
    """The answer to `request` after `step` steps: a picture, or a sentence that says why there is none.

    To a request of the kind `STEP` it is `next_step` instead: what the step that comes next will do, line by line.
    """

    request: PictureRequest
    step: int
    picture: Picture | None
    problem: str = ""
    next_step: StepSeen | None = None


def is_image(info: DatasetInfo) -> bool:
    """Whether samples are images: one channel (height, width), or (channels, height, width)."""
    return len(info.input_shape) in (2, 3) and (len(info.input_shape) == 2 or info.input_shape[0] in (1, 3))


def pairs(number: int) -> list[tuple[int, int]]:
    """Every pair of `number` inputs, in order."""
    return [(first, second) for first in range(number) for second in range(first + 1, number)]


def picture_kinds(info: DatasetInfo, layers: Sequence[LayerSpec], *, chain: bool = True) -> tuple[PictureKind, ...]:
    """The kinds of picture that there are of a run, the most telling one first.

    `chain`: whether the network is its layers one after another, so that they can be looked at one by one.
    """
    found = _of_data(info, layers, chain)
    activations = sum(layer.kind == "activation" for layer in layers)
    if activations and chain:
        found.append(PictureKind("activation", "activation", activations, "layer" if activations > 1 else ""))
    return tuple(found)


def _of_data(info: DatasetInfo, layers: Sequence[LayerSpec], chain: bool) -> list[PictureKind]:
    inputs, found = info.num_inputs, list[PictureKind]()
    hidden = [layer for layer in layers[:-1] if layer.kind in ("activation", "linear", "convolution", "other")]
    if info.task == "regression":
        found.append(PictureKind("fit", "fit", inputs, "input" if inputs > 1 else ""))
        if inputs > 1:
            number = math.comb(inputs, 2)
            found.append(PictureKind("surface", "prediction", number, "inputs" if number > 1 else ""))
        return found
    if is_image(info):
        found.append(PictureKind("mistakes", "worst mistakes", choosing="page"))
        found.append(PictureKind("samples", "samples", choosing="page"))
        found.append(PictureKind("confusion", "confusion matrix"))
        if chain and layers and layers[0].kind in ("linear", "convolution"):
            found.append(PictureKind("weights", "first layer's weights", choosing="page"))
        if chain and any(layer.kind == "convolution" for layer in layers):
            found.append(PictureKind("features", "feature maps", choosing="page"))
    elif inputs > 1:
        number = math.comb(inputs, 2)
        found.append(PictureKind("regions", "decision regions", number, "inputs" if number > 1 else ""))
        if inputs == 2 and hidden and chain:
            found.append(PictureKind("units", "hidden units", choosing="page"))
        found.append(PictureKind("confusion", "confusion matrix"))
    else:
        found.append(PictureKind("confusion", "confusion matrix"))
    found.append(PictureKind("softmax", "softmax", choosing="sample"))
    return found
