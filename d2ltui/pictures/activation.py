"""An activation function, its slope, and where a layer's inputs lie on it (sections 5.1, 5.4)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from d2ltui.diagnosis.look import by_unit, unit_activity
from d2ltui.pictures.subject import Subject, to_numpy
from d2ltui.spec.activations import Activation, activation_of
from d2ltui.spec.pictures import ActivationCurve, PictureRequest
from d2ltui.spec.registry import load_object

PLACES = 401  # of a curve; an odd number, so that 0 is one of them where the ends are as far from it
SHOWN = 4.0  # from minus this to this is seen in any case
FURTHEST = 1e4  # inputs beyond it are counted at the ends
FLAT = 1 / 20  # of the largest slope


def of_layer(subject: Subject, request: PictureRequest) -> ActivationCurve:
    """The function of one of the layers of activations, and the inputs that it has for the training samples."""
    layers = [layer for layer in subject.network.layers if layer.spec.kind == "activation"]
    spec, module = layers[request.choice % len(layers)]
    known = activation_of(spec.name)
    inputs: list[Tensor] = []
    active: list[Tensor] = []  # of the samples of each part, how many each unit passes a gradient on for

    def hook(part: torch.nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        inputs.append(given[0].detach().flatten())
        active.append(unit_activity(by_unit(part, output.detach().float()), known) * len(output))

    handle = module.register_forward_hook(hook)
    try:
        subject.outputs(subject.x)
    finally:
        handle.remove()
    activity = tuple((torch.stack(active).sum(dim=0) / max(1, len(subject.x))).tolist())
    values = torch.cat(inputs).float()
    values = values[torch.isfinite(values)].clamp(-FURTHEST, FURTHEST)
    end = max(SHOWN, float(values.abs().max()) if len(values) else 0.0)
    x, y, slope = curve(module, end)
    counts, flat = np.zeros(0, np.int64), 0.0
    if len(values):
        counts = torch.histc(values.cpu(), bins=max(2, request.width), min=-end, max=end).numpy().astype(np.int64)
        # Of each input itself: what is drawn has few places where an input lies far out.
        outputs, slopes = _at(module, values)
        if known and known.flat_ends:  # as everywhere else: by the outputs
            low, high = known.flat_ends
            flat = float(((outputs < low) | (outputs > high)).double().mean())
        else:
            largest = float(_at(module, torch.linspace(-SHOWN, SHOWN, PLACES).to(values))[1].abs().max())
            flat = float((slopes.abs() < FLAT * largest).double().mean())
    title, formula = f"{spec.index} {spec.name}", known.formula if known else ""
    return ActivationCurve(x, y, slope, counts, flat, title, formula, known.flat_ends if known else None, activity)


def of_function(activation: Activation, end: float = 2 * SHOWN) -> ActivationCurve:
    """The function by itself, from -`end` to `end`.

    Raises:
        Exception: whatever another package's function raises.
    """
    module = load_object(activation.module)() if activation.module else torch.nn.Identity()
    x, y, slope = curve(module, end)
    return ActivationCurve(x, y, slope, np.zeros(0, np.int64), 0.0, activation.title, activation.formula)


def curve(function: Callable[[Tensor], Tensor], end: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (m,) from -`end` to `end`, the values of an elementwise `function` there, and its slopes."""
    x = torch.linspace(-end, end, PLACES, dtype=torch.float32)
    y, slope = _at(function, x)
    return to_numpy(x), to_numpy(y), to_numpy(slope)


def _at(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The values of an elementwise `function` at x (m,), and its slopes there."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = function(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope
