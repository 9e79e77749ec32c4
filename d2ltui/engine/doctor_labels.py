"""The doctor's look at the data: what no other setting would mend."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.diagnosis.labels import BALANCE, RARE, share_in_words, too_frequent
from d2ltui.diagnosis.remedies import Remedy, in_words
from d2ltui.diagnosis.thresholds import AT_START, FOUND, GAIN, KNOWN, NEIGHBOURS, UNRELATED
from d2ltui.engine.patient import Patient, Score
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent
from d2ltui.spec.versions import fields_of


def of_broken_data(patient: Patient) -> events.Finding | None:
    """That its data hold values that are not finite; None where they do not."""
    broken = [
        {"inputs": _("inputs"), "labels": _("labels")}[name]
        for name, part in _parts(patient.data)
        if not bool(torch.isfinite(part).all())
    ]
    if not broken:
        return None
    return _label_finding(
        patient,
        "data-scale",
        math.inf,
        _("The {parts} hold values that are not finite.").format(parts=_(" and the ").join(broken)),
        _("Whatever is computed from them is not finite either: after one step, no weight is."),
        _("Leave those samples out, or fill in what is missing."),
    )


def _parts(data: Dataset) -> tuple[tuple[str, Tensor], ...]:
    return ("inputs", data.x_train), ("labels", data.y_train)


def of_labels(patient: Patient, score: Score) -> events.Finding | None:
    """That its labels are unbalanced, or belong to other inputs; None where they do not explain what it has learned."""
    if not patient.classes:
        return None
    labels = patient.data.y_train
    counts = torch.bincount(labels, minlength=patient.classes)
    most = float(counts.max()) / len(labels)
    if most >= too_frequent(patient.classes, AT_START["label_share"].alarm) and score.val < most - GAIN:
        return _label_finding(
            patient,
            "label-imbalance",
            most,
            _("{share}, and the validation part is not like that: accuracy {val} there, {train} in training.").format(
                share=share_in_words(most, int(counts.argmax())), val=number(score.val), train=number(score.train)
            ),
            RARE,
            BALANCE,
        )
    same, n = _same_label_as_neighbour(patient.data)
    chance = float((counts.double() / len(labels)).square().sum())
    # Of few samples, so many may have their neighbour's label by chance that nothing follows from it.
    by_chance = chance + 3 * _error(chance, n)
    unrelated = same <= by_chance <= chance + UNRELATED * (1 - chance)
    # In noisy data a neighbour may tell nothing either, where the network has found something all the same.
    if unrelated and score.val < KNOWN and (_guessed(patient, score) or _validation_is_related(patient.data, chance)):
        less = _less_noise(patient.config)
        return _label_finding(
            patient,
            "labels-random",
            same,
            _(
                "The labels have nothing to do with the inputs: of {n} samples, {same} have the label of their nearest "
                "neighbour, and {chance} would by chance."
            ).format(n=n, same=whole_percent(same), chance=whole_percent(chance)),
            _("Such labels can only be learned by heart, which does not help with new samples."),
            _("Train with {change}: so much noise hides what they have to do with each other.").format(
                change=in_words(less)
            )
            if less
            else _("Check that inputs and labels are still in the same order."),
            less,
        )
    return None


def _label_finding(
    patient: Patient, rule: str, figure: float, what: str, why: str, try_: str, remedy: Remedy | None = None
) -> events.Finding:
    return events.Finding(rule, "alarm", None, patient.step, figure, what, why, try_, remedy or {})


def _less_noise(config: RunConfig) -> Remedy:
    """The usual noise, where somebody has asked for more of it; else nothing."""
    if "noise" not in fields_of(config):
        return {}
    usual = catalogue.defaults(config.model, config.dataset, config.optimizer, config.activation)["noise"]
    return {"noise": usual} if config.noise > float(str(usual)) else {}


def _error(share: float, samples: int) -> float:
    """The standard error of a share that is measured on so many samples."""
    return math.sqrt(share * (1 - share) / max(1, samples))


def _guessed(patient: Patient, score: Score) -> bool:
    """Whether its best on the validation part is no better than always giving the same answer."""
    labels = patient.data.y_val
    shares = torch.bincount(labels).double() / len(labels)
    most, entropy = float(shares.max()), -float(torch.special.xlogy(shares, shares).sum())
    lowest = min((epoch.val_loss for epoch in patient.epochs), default=math.inf)
    return score.val <= most + 3 * _error(most, len(labels)) and lowest >= FOUND * entropy


def _validation_is_related(data: Dataset, chance: float) -> bool:
    """Whether labels of the validation part, which are not trained on, do go with their inputs."""
    x, y = _spread(data.x_val, data.y_val)
    others = _distances(x, x).fill_diagonal_(math.inf).argmin(dim=1)
    same = float((y[others] == y).double().mean())
    return len(y) > 1 and same > chance + 6 * _error(chance, len(y))


def _same_label_as_neighbour(data: Dataset) -> tuple[float, int]:
    """The share of samples whose nearest neighbour in the validation part has their label; of how many samples."""
    x, y = _spread(data.x_train, data.y_train)
    other, labels = _spread(data.x_val, data.y_val, 4 * NEIGHBOURS)
    nearest = _distances(x, other).argmin(dim=1)
    return float((labels[nearest] == y).double().mean()), len(y)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Of each sample x (n, ...) from each y (m, ...): (n, m). They are computed from products, which must be exact."""
    x, y = x.double().flatten(1), y.double().flatten(1)
    centre = x.mean(0)
    return torch.cdist(x - centre, y - centre)


def _spread(x: Tensor, y: Tensor, most: int = NEIGHBOURS) -> tuple[Tensor, Tensor]:
    index = torch.linspace(0, len(x) - 1, min(most, len(x)), dtype=torch.float64).long()
    return x[index], y[index]
