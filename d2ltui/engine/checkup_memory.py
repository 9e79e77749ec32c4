"""A checkup by trying: can a handful of samples be learned by heart, and if not, which setting prevents it?"""

from __future__ import annotations

import math

from d2ltui.diagnosis.causes import Cause, none_helps, possible_causes, with_remedy
from d2ltui.diagnosis.remedies import in_words
from d2ltui.diagnosis.thresholds import (
    AT_START,
    HEART_GAIN,
    HEART_NOTHING,
    HEART_PATIENCE,
    SUSPICIOUS,
    severity_at_start,
)
from d2ltui.engine.by_heart import STEPS, Memory, learn_by_heart
from d2ltui.engine.readings import Reading, finding
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.events import Finding
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted


def read_memory(bench: Workbench) -> Reading:
    """Whether the run's network, optimiser and rate learn a handful of samples; if not, which setting prevents it.

    Raises:
        Cancelled: where the run's control has been asked for an end.
    """
    config = bench.config
    own = learn_by_heart(bench)
    if 1 - own.learned >= AT_START["by_heart"].warning and not own.blown_up:
        steps = min(HEART_PATIENCE, max(STEPS, config.epochs * math.ceil(len(bench.data.x_train) / config.batch_size)))
        own = learn_by_heart(bench, steps=steps) if steps > STEPS else own
    metric = metric_title(bench.classes)
    said = (
        _("{samples}: the loss blows up within {steps:,} steps")
        if own.blown_up
        else _("{samples}: {metric} {score} after {steps:,} steps")
    )
    samples = counted(own.samples, "sample")
    line = said.format(samples=samples, metric=metric, score=number(own.score), steps=own.steps)
    told = {"samples": own.samples, "steps": own.steps, "score": own.score, "learned": own.learned}
    left = 1 - own.learned
    severity = severity_at_start("by_heart", left)
    wrong, tried = _cause(bench, own) if severity is not None else (None, [])
    if wrong is None and left >= HEART_NOTHING:
        why = none_helps(tried)
        try_ = _("Look at the data: are there samples with equal inputs and different labels?")
        what = _("The network can't learn {samples} by heart: {metric} {score}.").format(
            samples=samples, metric=metric, score=number(own.score)
        )
        wrong = finding("not-learning", "warning", left, what, why, try_)
    return Reading("by heart", line, {"by_heart": told}, wrong)


def _cause(bench: Workbench, own: Memory) -> tuple[Finding | None, list[Cause]]:
    """The setting with another value of which the samples are learned, or None where there is none; what was tried."""
    tried: list[Cause] = []
    scale = float(bench.data.x_train.double().square().mean().sqrt())
    best: tuple[float, Cause, Memory] | None = None
    for cause in possible_causes(bench.config, bench.data.info, scale):
        changed = with_remedy(bench.config, cause.remedy)
        if changed is None or "epochs" in cause.remedy or (cause.suspicion < SUSPICIOUS and best is not None):
            continue
        tried.append(cause)
        after = learn_by_heart(bench, changed, cause.factor)
        gain = after.learned - own.learned
        if gain >= HEART_GAIN and (best is None or gain > best[0] + 0.2):
            best = gain, cause, after
        if best is not None and best[2].learned >= 0.9:
            break  # the most suspicious ones come first
    if best is None:
        return None, tried
    gain, cause, after = best
    metric = metric_title(bench.classes)
    grave = 1 - own.learned >= AT_START["by_heart"].alarm and cause.rule != "underfitting"
    change = in_words(cause.remedy) or _("inputs divided by {scale}").format(scale=number(1 / cause.factor))
    result = _("the loss blows up") if own.blown_up else f"{metric} {number(own.score)}"
    return Finding(
        rule=cause.rule,
        severity="alarm" if grave else "warning",
        layer=None,
        step=0,
        figure=gain,
        what=_("{what}: of {samples} to be learned by heart, {result}; with {change}, {after}.").format(
            what=f"{cause.what[0].upper()}{cause.what[1:]}",
            samples=counted(own.samples, "sample"),
            result=result,
            change=change,
            after=number(after.score),
        ),
        why=_("{why}.").format(why=f"{cause.why[0].upper()}{cause.why[1:]}"),
        try_=(_("Train with {change}.") if cause.remedy else _("Train with {change}, or normalise them.")).format(
            change=change
        ),
        remedy=dict(cause.remedy),
    ), tried
