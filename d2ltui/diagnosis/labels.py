"""What is wrong with labels, in the same words before the first step and at the end of a run."""

from __future__ import annotations

from d2ltui.diagnosis.thresholds import AT_START
from d2ltui.spec.language import _
from d2ltui.spec.numbers import percent

RARE = _("Always answering the most frequent class is nearly always right, and the rare ones have few gradients.")
BALANCE = _("Use as many samples of each class, or give the rare ones more weight.")
SCALE = _("The loss, and all gradients with it, is in proportion to the square of the labels' scale.")


def too_frequent(classes: int, limit: float = AT_START["label_share"].warning) -> float:
    """From which share of the most frequent of `classes` on labels are unbalanced: `limit`, of many classes less."""
    return max(0.6, min(limit, 2.5 / max(1, classes)))


def share_in_words(share: float, label: int) -> str:
    """`97.5 % of the training labels are class 3`."""
    return _("{share} of the training labels are class {label}").format(share=percent(share), label=label)
