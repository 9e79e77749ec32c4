"""Runs from scratch and concise beside each other: in which unit their losses are, and why their curves differ.

Both draw the same initial weights where `init` is anything but `default`, and both take the same batches. So softmax
regression and the multilayer perceptron follow one trajectory, but for rounding, unless there is dropout. A
regression does not: its two losses, the book's (sections 3.4 and 3.5), differ by the factor ½.
"""

from __future__ import annotations

from collections.abc import Sequence

from d2ltui.spec.config import RunConfig
from d2ltui.spec.header import RunHeader, header_of
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import printable

LOSS_UNIT = _(
    "losses of a regression are shown as (ŷ − y)², which is twice what training from scratch "
    "reports: its loss is ½(ŷ − y)²"
)
_HALF = _(
    "the ½ in the loss from scratch halves the gradient: with the same lr, concise moves "
    "twice as far in a step (from scratch, {scratch} moves as concise does with {concise})"
)
_INIT = _(
    "with init default the weights start differently: N(0, 0.01²), biases 0, from scratch; "
    "torch.nn's own in concise. Every other init gives both the same"
)
_DROPOUT = _("with dropout each draws masks of its own, so that other units are dropped")
_CLIPPING = _(
    "with clip_norm, weight decay is clipped with the rest of the gradient from scratch, "
    "where it is a penalty in the loss; in concise the optimizer adds it afterwards"
)
_SAME = _("from scratch and concise follow the same trajectory here, but for rounding")


def differences(headers: Sequence[RunHeader]) -> list[tuple[str, list[str]]]:
    """The hyperparameters in which runs differ, each with its value in every run: a dash where a run has none."""
    names = dict.fromkeys(name for header in headers for name in header.params)
    rows = [(name, [printable(setting(header.params.get(name))) for header in headers]) for name in names]
    return [(printable(name), values) for name, values in rows if len(set(values)) > 1]


def loss_factors(headers: Sequence[RunHeader]) -> list[float]:
    """What to multiply each run's losses with, so that they can be compared: 1 where they are comparable as they are.

    Where a regression from scratch stands beside a concise one, its ½(ŷ − y)² is shown as (ŷ − y)².
    """
    built = [header.params.get("implementation") for header in headers if header.task == "regression"]
    mixed = len(set(built)) > 1
    halved = [header.task == "regression" and header.params.get("implementation") == "scratch" for header in headers]
    return [2.0 if mixed and half else 1.0 for half in halved]


def explanations(configs: Sequence[RunConfig]) -> list[str]:
    """Why the curves of runs from scratch and of concise ones differ, or that they do not, a sentence each."""
    pairs = [
        (scratch, concise)
        for scratch in configs
        for concise in configs
        if scratch.implementation == "scratch" and concise.implementation == "concise"
        if (scratch.model, scratch.dataset) == (concise.model, concise.dataset)
    ]
    found: dict[str, None] = {}
    for scratch, concise in pairs:
        sentences = reasons(scratch, concise)
        if not sentences and not _differ(scratch, concise):
            sentences = [_SAME]
        found |= dict.fromkeys(sentences)
    if 2.0 in loss_factors([header_of(config) for config in configs]):
        found = {LOSS_UNIT: None, **found}
    return list(found)


def reasons(scratch: RunConfig, concise: RunConfig) -> list[str]:
    """Why these two, of one model and data set, do not follow the same trajectory, whatever else is equal."""
    found = []
    if concise.task == "regression":
        found.append(_HALF.format(scratch=_pace(concise, 2.0), concise=_pace(concise, 1.0)))
    if concise.model != "linear" and "default" in (scratch.init, concise.init):
        found.append(_INIT)
    if "dropout" in MODELS[concise.model].fields and min(scratch.dropout, concise.dropout) > 0:
        found.append(_DROPOUT)
    if _clips_penalty(scratch) and _clips_penalty(concise):
        found.append(_CLIPPING)
    return found


def _pace(config: RunConfig, factor: float) -> str:
    """A learning rate and, where there is one, the weight decay that goes with it: its penalty has no ½ to lose."""
    decay = (
        _(" and weight_decay {decay}").format(decay=setting(config.weight_decay / factor))
        if config.weight_decay > 0
        else ""
    )
    return f"lr {setting(factor * config.lr)}{decay}"


def beside_concise(config: RunConfig) -> str:
    """In few words, what training from scratch has in common with concise where all fields are `config`'s."""
    found = []
    if config.task == "regression":
        found.append(_("its loss ½(ŷ − y)² has half of concise's gradient"))
    if config.model != "linear" and config.init == "default":
        found.append(_("with init default other weights than concise's"))
    if "dropout" in MODELS[config.model].fields and config.dropout > 0:
        found.append(_("other dropout masks than concise's"))
    if _clips_penalty(config):
        found.append(_("the penalty's gradient is clipped, too, and concise's is not"))
    return "; ".join(found) or _("the trajectory is concise's, but for rounding")


def _clips_penalty(config: RunConfig) -> bool:
    """Whether weight decay's part of the gradient is clipped from scratch, where it is part of the loss."""
    return min(config.clip_norm, config.weight_decay) > 0 and config.optimizer != "adamw"  # which adds none to it


def _differ(a: RunConfig, b: RunConfig) -> bool:
    """Whether anything but how they are built, and where, is different."""
    apart = ("implementation", "device", "data_dir")
    return any(getattr(a, name) != getattr(b, name) for name in RunConfig.__struct_fields__ if name not in apart)
