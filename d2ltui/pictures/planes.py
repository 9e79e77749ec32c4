"""Pictures over one or two inputs: decision regions, predictions, fitted lines, and what hidden units answer to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from d2ltui.pictures.subject import Subject, largest, to_numpy
from d2ltui.spec.language import _
from d2ltui.spec.pictures import MAX_UNITS, Fit, Maps, PictureRequest, Regions, Surface, pairs

LINE = 200  # places of a fitted line
LARGEST, SMALLEST = 40, 10  # pixels of a unit's map, across and up
TALL = 40  # pixels of a picture that has room to spare below
CAPTION = 4  # pixels: two more lines of what is said below, where it is narrow


def regions(subject: Subject, request: PictureRequest) -> Regions:
    """The class that is predicted at each place of a plane, and its probability."""
    first, second, axes = _axes(subject, request.choice)
    x, (left, right, bottom, top) = subject.grid(first, second, request.width, request.height)
    probabilities = torch.softmax(subject.outputs(x).float(), dim=1)
    confidence, classes = probabilities.max(dim=1)
    shape = request.height, request.width
    return Regions(
        classes=classes.to("cpu", torch.uint8).reshape(shape).numpy(),
        confidence=np.nan_to_num(to_numpy(confidence)).reshape(shape),
        points=to_numpy(subject.x[:, [first, second]]),
        labels=subject.y.cpu().numpy(),
        x=(left, right),
        y=(bottom, top),
        axes=axes,
        names=subject.info.named,
    )


def surface(subject: Subject, request: PictureRequest) -> Surface:
    """The number that is predicted at each place of a plane."""
    first, second, axes = _axes(subject, request.choice)
    x, (left, right, bottom, top) = subject.grid(first, second, request.width, request.height)
    values = to_numpy(subject.outputs(x)[:, 0]).reshape(request.height, request.width)
    points, targets = to_numpy(subject.x[:, [first, second]]), to_numpy(subject.y[:, 0])
    return Surface(values, points, targets, (left, right), (bottom, top), axes)


def fit(subject: Subject, request: PictureRequest) -> Fit:
    """The prediction along one input, and each training sample as far from it as its residual says."""
    inputs = subject.info.num_inputs
    axis = request.choice % inputs
    low, high = float(subject.low[axis]), float(subject.high[axis])
    line = subject.mean.expand(LINE, -1).clone()
    line[:, axis] = torch.linspace(low, high, LINE, device=subject.device)
    at = subject.mean.expand(len(subject.x), -1).clone()
    at[:, axis] = subject.x[:, axis]
    residuals = (subject.y - subject.outputs(subject.x))[:, 0]
    truth = None
    if subject.truth is not None:
        weight, bias = (value.to(subject.device) for value in subject.truth)
        truth = to_numpy((line @ weight + bias)[:, 0])
    elif subject.curve is not None:
        truth = to_numpy(subject.curve(line)[:, 0])
    return Fit(
        line_x=to_numpy(line[:, axis]),
        line_y=to_numpy(subject.outputs(line)[:, 0]),
        truth=truth,
        x=to_numpy(subject.x[:, axis]),
        y=to_numpy(subject.outputs(at)[:, 0] + residuals),
        residuals=to_numpy(residuals),
        axis=f"x{axis + 1}",
        others=inputs - 1,
    )


def units(subject: Subject, request: PictureRequest) -> Maps:
    """The output of each hidden unit at each place of the plane of both inputs."""
    total = sum(min(MAX_UNITS, values.shape[1]) for _, values in _hidden_outputs(subject, subject.x[:1]))
    side, room = _tiles(request, total)
    x, __ = subject.grid(0, 1, side, side)
    outputs = _hidden_outputs(subject, x)
    captions = [
        _("layer {title} unit {unit}").format(title=title, unit=unit + 1)
        if len(outputs) > 1
        else _("unit {number}").format(number=unit + 1)
        for title, values in outputs
        for unit in range(min(MAX_UNITS, values.shape[1]))
    ]
    # The layer's number, which its title begins with, and the unit's.
    short = [
        f"{title.split()[0]}.{unit + 1}" if len(outputs) > 1 else str(unit + 1)
        for title, values in outputs
        for unit in range(min(MAX_UNITS, values.shape[1]))
    ]
    first = page_start(request.choice, room, total)
    every = torch.cat([values[:, :MAX_UNITS] for _, values in outputs], dim=1)
    return Maps(
        to_numpy(every.T[first : first + room]).reshape(-1, side, side),
        tuple(captions[first : first + room]),
        first,
        total,
        _("{total:,} hidden units: each over both inputs").format(total=total),
        tuple(short[first : first + room]),
        largest(every),
    )


def _tiles(request: PictureRequest, number: int) -> tuple[int, int]:
    """The side of a tile, as large as lets all `number` of them be on one page, and how many of them are on one."""
    room, height = 1, request.height - (CAPTION if request.height > TALL else 0)
    for side in range(LARGEST, SMALLEST - 1, -2):
        room = max(1, (request.width + 1) // (side + 1)) * max(1, height // (side + 2))
        if room >= number:
            break
    return side, room


def page_start(page: int, room: int, total: int) -> int:
    """The first of what is on a page of `room`; pages are counted round."""
    pages = max(1, -(-total // max(1, room)))
    return page % pages * room


def _hidden_outputs(subject: Subject, x: Tensor) -> list[tuple[str, Tensor]]:
    """What hidden activations put out, or linear layers where there are no activations: (n, units) each."""
    found: list[tuple[nn.Module, str]] = []
    hidden = subject.network.layers[:-1]
    kinds = {spec.kind for spec, _ in hidden}
    for spec, module in hidden:
        if spec.kind == ("activation" if "activation" in kinds else "linear"):
            found.append((module, str(spec.index)))
    seen: dict[nn.Module, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda part, __, output: seen.__setitem__(part, output)) for module, _ in found
    ]
    try:
        subject.network(x)
    finally:
        for handle in handles:
            handle.remove()
    return [(title, seen[module]) for module, title in found]


def _axes(subject: Subject, choice: int) -> tuple[int, int, tuple[str, str]]:
    every = pairs(subject.info.num_inputs)
    first, second = every[choice % len(every)]
    return first, second, (f"x{first + 1}", f"x{second + 1}")
