"""One look into any `nn.Module`: a pass of a fixed batch, outside the training step, turned into figures at once.

Hooks are on the modules for the time of the look only. It happens in evaluation mode and puts random states back, so
that looking never changes a run, and each output is binned on the device before the next layer runs: no activation is
kept.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from d2ltui.diagnosis.figures import NUM_BINS, brief_figures, brief_norm, figures, weight_figures, wide
from d2ltui.nn.network import Network
from d2ltui.spec.activations import ACTIVATIONS, Activation, activation_of
from d2ltui.spec.events import MAX_LISTED_UNITS, LayersProbed, LayerStats
from d2ltui.spec.layers import LayerKind, LayerSpec

FULL = 4  # bytes of a number whose figures are taken as they are
MAX_LISTED_PARAMETERS = 16  # of a layer, told one by one

_CHANNELS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "MaxPool", "AvgPool", "AdaptiveMaxPool")
_KINDS: tuple[tuple[str, LayerKind], ...] = (
    ("Conv", "convolution"),
    ("Dropout", "dropout"),
    ("Flatten", "flatten"),
    ("Pool", "pooling"),
)


class Look(NamedTuple):
    """What a look has found, and the weights that its figures are of, by layer index."""

    probed: LayersProbed
    weights: dict[int, Tensor]


class _Seen(NamedTuple):
    """One use of a layer: what it is, figures of its output, and its weight where it has one."""

    spec: LayerSpec
    row: Tensor
    activity: Tensor | None
    weight: Tensor | None
    units_last: bool
    others: tuple[Tensor, ...] = ()  # the parameters beside the weight, where there are few of them all


def look(
    module: nn.Module,
    x: Tensor,
    y: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    step: int = 0,
    units: bool = False,
    brief: bool = False,
    update_ratios: Mapping[int, float] | None = None,
) -> Look:
    """The figures of every layer of `module` for the samples `x` (n, ...) with labels `y`.

    Layers are the modules that have no others in them, in the order in which they are used; one that is used twice is
    a layer each time. A layer's units are the last dimension of its output, of a convolution its channels.

    `loss(output, y)` is the mean loss, a scalar. Gradients are those of the mean loss of these samples, with smoothed
    labels where the network is trained with them; the parameters' own `.grad` is left alone. `units` asks for
    `LayerStats.unit_activity`; `step` and `update_ratios` (by layer index) are passed on as they are. A `brief` look
    has no histograms and no `sign_share`, and is much faster.
    """
    seen: list[_Seen] = []
    specs = {part: spec for spec, part in module.layers} if isinstance(module, Network) else {}

    def hook(part: nn.Module, inputs: object, output: object) -> None:
        values = _first_tensor(output)
        if values is None or not values.is_floating_point() or not values.numel():
            return
        values = values.detach()
        if values.element_size() < FULL:  # zeros, shares and means of bfloat16 are not to be counted in bfloat16
            values = values.float()
        rows = by_unit(part, values)
        spec = specs.get(part) or _describe(part, len(seen) + 1, _first_tensor(inputs), rows)
        activation = activation_of(spec.name)
        weight = _weight_of(part)
        again = weight is not None and any(weight is other.weight for other in seen)
        active = units and spec.kind == "activation"
        seen.append(
            _Seen(
                spec,
                _output_figures(rows, activation, brief),
                unit_activity(rows, activation) if active else None,
                None if again else weight,
                getattr(part, "units_last", False),
                () if again or brief else _beside(part, weight),
            )
        )

    with evaluating(module), _hooked(module, hook), torch.enable_grad():
        output = module(x)
        trained = mean_loss = loss(output, y)
        if isinstance(module, Network) and module.label_smoothing:
            trained = module.training_loss(output, y)
        having = [use for use in seen if use.weight is not None and use.weight.requires_grad]
        weights = [use.weight for use in having if use.weight is not None]
        gradients: tuple[Tensor | None, ...] = (None,) * len(weights)
        if weights and trained.requires_grad:  # it does not where the module detaches its output
            gradients = torch.autograd.grad(trained, weights, allow_unused=True)
    of_weight = _brief_weight_figures if brief else weight_figures
    of_weights = {
        use.spec.index: of_weight(_matrix(weight.detach(), use), _matrix(_or_zeros(gradient, weight), use))
        for use, weight, gradient in zip(having, weights, gradients, strict=True)
    }
    # A few transfers for the whole network, however many layers it has.
    rows = torch.stack([use.row for use in seen]).tolist() if seen else []
    weight_rows = torch.stack(list(of_weights.values())).tolist() if of_weights else []
    by_layer = dict(zip(of_weights, weight_rows, strict=True))
    activity = _split({use.spec.index: use.activity for use in seen if use.activity is not None})
    listed = _split({use.spec.index: _listed(use) for use in seen if use.others})
    ratios = update_ratios or {}
    layers = tuple(
        _stats(
            use.spec,
            row,
            by_layer.get(use.spec.index),
            activity.get(use.spec.index),
            ratios.get(use.spec.index),
            listed.get(use.spec.index, ()),
        )
        for use, row in zip(seen, rows, strict=True)
    )
    probed = LayersProbed(step, layers, loss=float(mean_loss.detach()))
    return Look(probed, {use.spec.index: weight for use, weight in zip(having, weights, strict=True)})


@contextlib.contextmanager
def evaluating(module: nn.Module, *, keep_random: bool = True) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own mode. With `keep_random`, random states stay as they were."""
    modes = [(part, part.training) for part in module.modules()]
    devices = {parameter.device for parameter in module.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=[device.index or 0 for device in devices], enabled=keep_random):
        module.eval()
        try:
            yield
        finally:
            for part, mode in modes:
                part.training = mode


@contextlib.contextmanager
def _hooked(module: nn.Module, hook: Callable[[nn.Module, object, object], None]) -> Iterator[None]:
    handles = []
    try:
        # What computes a weight anew each time, such as weight normalisation, is a part of its layer.
        inner = {of for part in module.modules() for of in _parametrizations(part)}
        for part in module.modules():
            if part not in inner and inner.issuperset(part.children()):
                handles.append(part.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _parametrizations(part: nn.Module) -> list[nn.Module]:
    return list(part.parametrizations.modules()) if is_parametrized(part) else []  # type: ignore[union-attr]


def _first_tensor(value: object) -> Tensor | None:
    """`value`, or the first tensor in a tuple, a list or a mapping."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return next((tensor for tensor in map(_first_tensor, value) if tensor is not None), None)
    return None


def by_unit(part: nn.Module, values: Tensor) -> Tensor:
    """Outputs (m, units): samples, and positions where there are any, in rows."""
    if values.dim() < 2:
        return values.reshape(-1, 1)
    if values.dim() == 2:
        return values
    # Images have their channels in dimension 1, also behind an activation; sequences their features in the last one.
    channels = _class_name(part).startswith(_CHANNELS_FIRST) or values.dim() > 3
    return (values.movedim(1, -1) if channels else values).reshape(-1, values.shape[1 if channels else -1])


def _describe(part: nn.Module, index: int, inputs: Tensor | None, by_unit: Tensor) -> LayerSpec:
    """What a module is that no plan describes."""
    name = _class_name(part)
    weight = _weight_of(part)
    num_units = by_unit.shape[1]
    classes = {activation.module.rpartition(":")[2]: activation for activation in ACTIVATIONS.values()}
    kind: LayerKind = "other"
    num_inputs = num_units
    if name in classes:
        kind, name = "activation", classes[name].title
    elif weight is not None and isinstance(part, nn.Linear):
        kind, num_inputs = "linear", weight.shape[1]
    else:
        kind = next((kind for start, kind in _KINDS if start in name), kind)
        if weight is not None and weight.dim() > 2:
            num_inputs = weight.shape[1]
        elif inputs is not None and inputs.dim() > 1:
            num_inputs = inputs.shape[1]
    parameters = sum(parameter.numel() for parameter in part.parameters())
    return LayerSpec(index, kind, name, num_inputs, num_units, parameters)


def _class_name(part: nn.Module) -> str:
    name = type(part).__name__
    return name.removeprefix("Parametrized") if is_parametrized(part) else name


def _weight_of(part: nn.Module) -> Tensor | None:
    """The module's own weight: what is called so, or its largest parameter."""
    weight = None if is_parametrized(part) else getattr(part, "weight", None)
    if isinstance(weight, nn.Parameter):
        return weight
    return max(part.parameters(), key=lambda parameter: parameter.numel(), default=None)


def _beside(part: nn.Module, weight: Tensor | None) -> tuple[Tensor, ...]:
    """The parameters beside the weight; none where all of them are too many to be told one by one."""
    own = list(part.parameters(recurse=False))
    if weight is None or sum(parameter.numel() for parameter in own) > MAX_LISTED_PARAMETERS:
        return ()
    return tuple(parameter.detach() for parameter in own if parameter is not weight)


def _listed(use: _Seen) -> Tensor:
    assert use.weight is not None
    return torch.cat([_matrix(use.weight.detach(), use).flatten(), *(other.flatten() for other in use.others)])


def _matrix(weight: Tensor, use: _Seen) -> Tensor:
    """A weight or its gradient as a matrix (units, inputs)."""
    if use.units_last:
        return weight.T
    return weight.flatten(1) if weight.dim() > 1 else weight.reshape(-1, 1)


def _or_zeros(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return gradient if gradient is not None else torch.zeros_like(weight)


@torch.no_grad()
def _output_figures(by_unit: Tensor, activation: Activation | None, brief: bool) -> Tensor:
    """A layer's output (m, units): the share of units that are 0 in every row, then `figures`."""
    flat_ends = activation.flat_ends if activation is not None else None
    if not brief:
        row = figures(by_unit, flat_ends)
        return torch.cat(((by_unit == 0).all(dim=0).to(row.dtype).mean().reshape(1), row))
    row = brief_figures(by_unit, flat_ends)
    dead = row.new_zeros(1)
    if activation is not None and activation.can_die:
        dead = (by_unit.abs().amax(dim=0) == 0).to(row.dtype).mean().reshape(1)
    return torch.cat((dead, row))


def _brief_weight_figures(weight: Tensor, gradient: Tensor) -> Tensor:
    norms = torch.stack((brief_norm(gradient), brief_norm(weight)))
    return torch.cat((norms, norms.new_tensor((math.nan,))))  # no sign share, no histograms


@torch.no_grad()
def unit_activity(rows: Tensor, activation: Activation | None) -> Tensor:
    """The share of rows that each unit of (m, units) passes a gradient for; the first MAX_LISTED_UNITS of them."""
    rows = rows[:, :MAX_LISTED_UNITS]
    if activation is not None and activation.flat_ends is not None:
        low, high = activation.flat_ends
        active = (rows >= low) & (rows <= high)
    else:
        active = rows != 0
    return active.to(wide(rows)).mean(dim=0)


def _split(activities: Mapping[int, Tensor]) -> dict[int, tuple[float, ...]]:
    if not activities:
        return {}
    values = iter(torch.cat(list(activities.values())).tolist())
    return {index: tuple(itertools.islice(values, len(activity))) for index, activity in activities.items()}


def _stats(
    spec: LayerSpec,
    row: list[float],
    weights: list[float] | None,
    activity: tuple[float, ...] | None,
    update_ratio: float | None,
    parameters: tuple[float, ...],
) -> LayerStats:
    dead, low, high, mean, sd, zeros, saturated, nonfinite, *counts = row
    gradient_norm, weight_norm, sign_share = weights[:3] if weights else (None, None, None)
    of_gradient, of_weight = _histogram(weights, 3), _histogram(weights, 3 + 2 + NUM_BINS)
    activation = activation_of(spec.name)
    return LayerStats(
        index=spec.index,
        title=spec.title,
        kind=spec.kind,
        num_units=spec.num_outputs,
        counts=_counts(counts),
        mean=mean,
        sd=sd,
        minimum=low,
        maximum=high,
        zeros=zeros,
        dead=dead if activation is not None and activation.can_die else None,
        saturated=saturated if activation is not None and activation.flat_ends is not None else None,
        nonfinite=int(nonfinite),
        gradient_norm=gradient_norm,
        weight_norm=weight_norm,
        update_ratio=update_ratio,
        sign_share=sign_share if sign_share is not None and math.isfinite(sign_share) else None,
        gradient_minimum=of_gradient[0],
        gradient_maximum=of_gradient[1],
        gradient_counts=of_gradient[2],
        unit_activity=activity,
        weight_minimum=of_weight[0],
        weight_maximum=of_weight[1],
        weight_counts=of_weight[2],
        parameters=parameters,
    )


def _histogram(figures: list[float] | None, at: int) -> tuple[float, float, tuple[int, ...]]:
    """Minimum, maximum and counts among the figures of a layer's weights; a brief look has none."""
    low, high, *counts = (figures or [])[at : at + 2 + NUM_BINS] or (0.0, 0.0)
    return low, high, _counts(counts)


def _counts(figures: list[float]) -> tuple[int, ...]:
    return tuple(int(count) for count in figures)
