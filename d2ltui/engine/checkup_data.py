"""A checkup of the data: scale and balance of inputs and labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2ltui.diagnosis.labels import BALANCE, RARE, SCALE, share_in_words, too_frequent
from d2ltui.diagnosis.thresholds import severity_at_start
from d2ltui.engine.readings import Reading, finding
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.events import Severity
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number, percent

CHUNK = 1 << 18  # values that are added up in single precision


def read_inputs(bench: Workbench) -> Reading:
    """Scale and offset of the training inputs, all features together."""
    rms, mean = _moments(bench.data.x_train)
    figures = {"input_rms": rms, "input_mean": mean}
    line = _("root mean square {rms}, mean {mean}").format(rms=number(rms), mean=number(mean))
    decades = abs(math.log10(rms)) if 0 < rms < math.inf else math.nan
    severity = severity_at_start("input_scale", decades)
    why = _("Weights and rates are made for inputs of about 1: a weight's gradient is in proportion to its input.")
    scale = _("Subtract each feature's mean, and divide by its standard deviation.")
    if severity is None and rms > 0:
        offset = abs(mean) / rms
        what = _("The inputs are all on one side of 0: their mean is {mean}, their root mean square {rms}.").format(
            mean=number(mean), rms=number(rms)
        )
        wrong = finding("data-scale", severity_at_start("input_offset", offset), offset, what, why, scale)
        return Reading("inputs", line, figures, wrong)
    if not math.isfinite(rms):
        what, scale = (
            _("The inputs hold values that are not finite."),
            _("Leave those samples out, or fill in what is missing."),
        )
    elif rms == 0:
        what, scale = _("All inputs are 0."), _("Check how they are read.")
    else:
        said = (
            _("The inputs are too large: their root mean square is {rms}.")
            if rms > 1
            else _("The inputs are too small: their root mean square is {rms}.")
        )
        what = said.format(rms=number(rms))
    return Reading("inputs", line, figures, finding("data-scale", severity, rms, what, why, scale))


def _moments(x: Tensor) -> tuple[float, float]:
    """Root mean square and mean of all values; not finite where one of them is not."""
    total = squares = 0.0
    for part in torch.split(x.flatten(), CHUNK):
        values = part.float()
        total, squares = total + float(values.sum()), squares + float(torch.dot(values, values))
    if not math.isfinite(squares):  # or too large for single precision
        wide = x.double()
        return float(wide.square().mean().sqrt()), float(wide.mean())
    return math.sqrt(squares / x.numel()), total / x.numel()


def read_labels(bench: Workbench) -> Reading:
    """The share of each class, or the scale of the target."""
    y = bench.data.y_train
    if not bench.classes:
        rms, mean = float(y.double().square().mean().sqrt()), float(y.double().mean())
        sd = float(y.double().std(correction=0))
        figures: dict[str, object] = {"label_rms": rms, "label_mean": mean, "label_sd": sd}
        line = _("root mean square {rms}, mean {mean}, sd {sd}").format(
            rms=number(rms), mean=number(mean), sd=number(sd)
        )
        severity: Severity | None = "alarm"
        if not math.isfinite(rms):
            what = _("The labels hold values that are not finite.")
        elif sd == 0:
            said, severity = _("All labels are {mean}: there is nothing to learn."), "warning"
            what = said.format(mean=number(mean))
        else:
            said = (
                _("The labels are too large: their root mean square is {rms}.")
                if rms > 1
                else _("The labels are too small: their root mean square is {rms}.")
            )
            what = said.format(rms=number(rms))
            severity = severity_at_start("label_scale", abs(math.log10(rms)))
        return Reading(
            "labels", line, figures, finding("data-scale", severity, rms, what, SCALE, _("Scale them to about 1."))
        )
    counts = torch.bincount(y, minlength=bench.classes).tolist()
    shares = [count / len(y) for count in counts]
    most, missing = max(shares), sum(not count for count in counts)
    line = ngettext(
        "{classes} class, {least} to {most} each", "{classes} classes, {least} to {most} each", bench.classes
    ).format(classes=bench.classes, least=percent(min(shares)), most=percent(most))
    severity = severity_at_start("label_share", most)
    if severity is None and (missing or most >= too_frequent(bench.classes)):
        severity = "warning"
    what = share_in_words(most, shares.index(most))
    if missing:
        said = _(", and {missing} of {classes} classes have no sample.")
        what += said.format(missing=missing, classes=bench.classes)
    else:
        what += _(".")
    wrong = finding("label-imbalance", severity, most, what, RARE, BALANCE)
    return Reading("labels", line, {"label_shares": shares}, wrong)
