"""A checkup of the network as it starts: its loss, the scale of outputs and gradients, units that are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.causes import with_remedy
from d2ltui.diagnosis.look import evaluating
from d2ltui.diagnosis.remedies import Remedy, in_words
from d2ltui.diagnosis.thresholds import AT_START, ROUNDING, severity_at_start
from d2ltui.engine.readings import Reading, finding
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.events import LayerStats
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number, percent

SHRINKS, GROWS = 0.9, 1.1  # from layer to layer: between them, it is steady


def _better_start(bench: Workbench) -> Remedy:
    good: Remedy = {"init": remedies.good_init(bench.config)}
    return good if with_remedy(bench.config, good) not in (None, bench.config) else {}


def _by_growth(factor: float, shrinking: str, steady: str, growing: str) -> str:
    return shrinking if factor < SHRINKS else growing if factor > GROWS else steady


def _train_with(remedy: Remedy, otherwise: str) -> str:
    """What to try: the remedy, or where there is none, something else."""
    return _("Train with {change}.").format(change=in_words(remedy)) if remedy else otherwise


def read_loss(bench: Workbench, loss: float) -> Reading:
    """The loss at the start beside a guess's."""
    guess = bench.parts.guess
    known = "ln " + str(bench.classes) if bench.classes else _("the variance")
    halved = bench.config.task == "regression" and bench.config.implementation == "scratch"
    least = guess if bench.classes else max(guess, float(bench.y.double().square().mean()) * (0.5 if halved else 1.0))
    ratio = loss / least if least > 0 else 0.0
    figures = {"loss": loss, "guess": guess}
    if not bench.classes and halved:
        known = _("half the variance")
    line = _("{loss}, and {guess} for a guess ({known})").format(loss=number(loss), guess=number(guess), known=known)
    remedy = _better_start(bench)
    wrong = finding(
        "initialisation",
        severity_at_start("start_loss", ratio if math.isfinite(loss) else math.nan),
        ratio,
        _("The loss starts at {loss}, {times} times what a guess would have.").format(
            loss=number(loss), times=number(ratio)
        ),
        _("The network begins with strong opinions about what it has never seen, and has to unlearn them first."),
        _train_with(remedy, _("Look at the scale of the inputs and of the first weights.")),
        remedy,
    )
    return Reading("loss", line, figures, wrong)


def read_outputs(bench: Workbench, layers: Sequence[LayerStats]) -> Reading:
    """The root mean square of the inputs, and of what each of `layers`, those with weights, makes of them."""
    sizes = [math.hypot(layer.mean, layer.sd) for layer in layers]
    entering = float(bench.x.double().square().mean().sqrt())
    figures: dict[str, object] = {"input": entering, "outputs": sizes}
    if not sizes or entering == 0:
        return Reading("outputs", _("none to compare"), figures)
    shown = " > ".join(number(size) for size in (entering, *sizes[:6])) + (" > …" if len(sizes) > 6 else "")
    if len(sizes) == 1:
        return Reading("outputs", shown, figures)
    factor = (sizes[-1] / entering) ** (1 / len(sizes))
    lost = -math.log10(sizes[-1] / entering) if sizes[-1] > 0 else math.inf
    severity = severity_at_start("fading", lost)
    remedy = _better_start(bench)
    wrong = finding(
        "initialisation",
        severity,
        lost,
        _("Outputs fade from layer to layer: the last ones are {times} times as large as the inputs.").format(
            times=number(sizes[-1] / entering, 2)
        ),
        _("Where the outputs hardly depend on the inputs, nor does the gradient, and the first steps lead nowhere."),
        _train_with(remedy, _("Start from larger weights.")),
        remedy,
    )
    said = _by_growth(
        factor,
        _("{shown}: shrinking, ×{factor} per layer"),
        _("{shown}: steady, ×{factor} per layer"),
        _("{shown}: growing, ×{factor} per layer"),
    )
    line = said.format(shown=shown, factor=number(factor))
    return Reading("outputs", line, {**figures, "outputs_per_layer": factor}, wrong)


def read_gradients(bench: Workbench, layers: Sequence[LayerStats]) -> Reading:
    """The gradient's norm in each of `layers`, those with weights."""
    norms = [layer.gradient_norm for layer in layers if layer.gradient_norm is not None]
    figures: dict[str, object] = {"gradients": norms}
    if not norms:
        return Reading("gradients", _("none"), figures)
    largest = max(norms)
    shown = " < ".join(number(norm) for norm in norms[:6]) + (" < …" if len(norms) > 6 else "")
    if largest >= 10 ** AT_START["exploding"].warning or not math.isfinite(largest):
        high = math.log10(largest) if math.isfinite(largest) else math.nan
        remedy = remedies.stabilise(bench.config)
        wrong = finding(
            "exploding-gradient",
            severity_at_start("exploding", high),
            largest,
            _("The gradient is too large from the first step on: its norm is {norm}.").format(norm=number(largest)),
            _("A step is the rate times the gradient: one that long can land anywhere."),
            _("Train with {change}, or with smaller inputs.").format(change=in_words(remedy)),
            remedy,
        )
        return Reading("gradients", shown, figures, wrong)
    smallness = -math.log10(largest) if largest > 0 else math.inf
    if (severity := severity_at_start("no_gradient", smallness)) is not None:
        remedy = _better_start(bench)
        wrong = finding(
            "vanishing-gradient",
            severity,
            largest,
            _("There is hardly any gradient: the largest norm of a layer's is {norm}.").format(norm=number(largest)),
            _("A step is the rate times the gradient: without one, nothing moves."),
            _train_with(remedy, _("Start from other weights.")),
            remedy,
        )
        return Reading("gradients", shown, figures, wrong)
    if len(norms) < 2 or not norms[0] or not norms[-1]:
        return Reading("gradients", shown, figures)
    factor = (norms[0] / norms[-1]) ** (1 / (len(norms) - 1))
    lost = -math.log10(norms[0] / norms[-1])
    remedy = (
        remedies.carry_gradient(bench.config)
        if "activation" in MODELS[bench.config.model].fields
        else _better_start(bench)
    )
    wrong = finding(
        "vanishing-gradient",
        severity_at_start("vanishing", lost),
        norms[0] / norms[-1],
        _("The gradient vanishes on its way back: the first layer's is {share} of the last one's.").format(
            share=number(10**-lost, 2)
        ),
        _("Going backward, the gradient is multiplied by each layer's weights and slopes; small ones make it shrink."),
        _train_with(remedy, _("Take fewer layers.")),
        remedy,
    )
    said = _by_growth(
        factor,
        _("{shown}: shrinking backward, ×{factor} per layer"),
        _("{shown}: steady backward, ×{factor} per layer"),
        _("{shown}: growing backward, ×{factor} per layer"),
    )
    line = said.format(shown=shown, factor=number(factor))
    return Reading("gradients", line, {**figures, "gradients_per_layer": factor}, wrong)


def read_units(bench: Workbench) -> Reading:
    """Units of a hidden layer with equal weights and equal gradients: equal they stay."""
    modules = [part for part in bench.network.modules() if _matrix(part, None) is not None]
    hidden = modules[:-1]
    if not hidden:
        return Reading("units", _("no hidden layer"), {"units_alike": 0.0})
    weights = [part.weight for part in hidden]
    with evaluating(bench.network), torch.enable_grad():
        loss = bench.network.training_loss(bench.network(bench.x), bench.y)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)  # type: ignore[arg-type]
    worst, units = 0.0, 0
    for part, gradient in zip(hidden, gradients, strict=True):
        matrix, slopes = _matrix(part, None), _matrix(part, gradient)
        if matrix is not None and slopes is not None and len(matrix) > 1:
            worst, units = max((worst, units), (_share_alike(matrix, slopes), len(matrix)))
    said = _("no two of a layer are alike") if worst == 0 else _("{share} of {units} are alike")
    line = said.format(share=percent(worst), units=units)
    remedy = _better_start(bench)
    wrong = finding(
        "symmetry",
        severity_at_start("alike", worst),
        worst,
        _("{share} of the units of a hidden layer start with the weights and the gradient of another.").format(
            share=percent(worst)
        ),
        _("Units that start equal get equal gradients, and stay equal for ever: together they do what one would."),
        _train_with(remedy, _("Draw the first weights at random.")),
        remedy,
    )
    return Reading("units", line, {"units_alike": worst}, wrong)


def _share_alike(weights: torch.Tensor, gradients: torch.Tensor) -> float:
    """The share of units with an earlier one's weights and, but for rounding, its gradient."""
    _, group = torch.unique(weights, dim=0, return_inverse=True)
    first: dict[int, int] = {}
    alike = 0
    for unit, number_of_group in enumerate(group.tolist()):
        earlier = first.setdefault(number_of_group, unit)
        if earlier != unit:
            apart = (gradients[unit] - gradients[earlier]).norm()
            alike += bool(apart <= ROUNDING * gradients[earlier].norm())
    return alike / (len(weights) - 1)


def _matrix(part: nn.Module, instead: torch.Tensor | None) -> torch.Tensor | None:
    """The weight of a layer, or a tensor of its shape, as (units, inputs); None where it has no such weight."""
    weight = getattr(part, "weight", None)
    if not isinstance(weight, nn.Parameter) or weight.dim() < 2:
        return None
    values = (weight if instead is None else instead).detach()
    return values.T if getattr(part, "units_last", False) and values.dim() == 2 else values.flatten(1)
