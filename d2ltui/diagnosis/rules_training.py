"""Rules about training: divergence, the learning rate, overfitting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.evidence import Run, finding, name_of
from d2ltui.diagnosis.thresholds import (
    GAIN,
    KNOWN,
    LIMITS,
    LOW_STEPS,
    LR_STEPS,
    MEMORISED,
    OVERFIT_EPOCHS,
    RECENT,
    severity_of,
)
from d2ltui.spec.events import Finding, LayersProbed, Severity
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number, percent, setting
from d2ltui.spec.text import counted


def divergence(run: Run) -> Iterator[Finding]:
    """The loss is not finite, or far above that of the start and of a guess."""
    broken = [layer for layer in run.layers if layer.nonfinite]
    severity: Severity = "alarm"
    if run.diverged_at is not None or broken or not math.isfinite(run.loss):
        figure, layer = math.inf, broken[0].index if broken else None
        what = _("The loss has blown up {when}").format(when=run.when)
        # Weights that are broken may well give a small one again; and one that is not finite stands in no chart.
        if run.diverged_at is None and max(run.start, run.guess) <= run.loss < math.inf:
            what += _(", {loss}").format(loss=number(run.loss))
        if broken:
            count = broken[0].nonfinite
            said = ngettext(
                ": {outputs} of {layer} is nan or infinite", ": {outputs} of {layer} are nan or infinite", count
            )
            what += said.format(outputs=counted(count, "output", ","), layer=name_of(broken[0]))
        what += _(".")
    else:
        start, guess = run.start, run.guess
        figure, layer = run.loss / max(start, guess, math.ulp(0.0)), None
        if run.step == 0 or figure < LIMITS["diverging"].warning:
            return
        severity = severity_of("diverging", figure)
        said = (
            _("The loss grows: it is {loss} {when}, and it started at {start}.")
            if start > guess
            else _("The loss grows: it is {loss} {when}, and a guess would give {guess}.")
        )
        what = said.format(loss=number(run.loss), when=run.when, start=number(start), guess=number(guess))
    remedy = remedies.stabilise(run.config)
    yield finding(
        run,
        "divergence",
        severity,
        figure,
        layer=layer,
        what=what,
        why=_("Steps that are too long overshoot the valley, land higher on its other side, and get longer still."),
        try_=_("Train again with {change}.").format(change=remedies.in_words(remedy)),
        remedy=remedy,
    )


def learning_rate(run: Run) -> Iterator[Finding]:
    """Steps that are too long, or too short, beside the weights."""
    measured = _measured_steps(run.probes)
    if len(measured) < 2 or run.diverged_at is not None:
        return  # one long or short step may be chance; two of them are a habit
    figure, lr = measured[-1], run.config.lr
    high, low, learned = LIMITS["lr_high"], LIMITS["lr_low"], LIMITS["not_learning"]
    # Weights that hover around 0 because there is nothing to learn move by long steps, too: what tells is a loss that
    # a guess would beat.
    if min(measured[-2:]) >= high.warning and run.loss > learned.alarm * run.guess:
        remedy = remedies.stabilise(run.config)
        yield finding(
            run,
            "learning-rate-high",
            severity_of("lr_high", figure),
            figure,
            what=_(
                "The learning rate {lr} is too high: one step moves a layer's weights by {share} of their norm, and "
                "the loss is {loss} {when}."
            ).format(lr=setting(lr), share=percent(figure), loss=number(run.loss), when=run.when),
            why=_("About 0.1 % is usual; steps as long as the weights themselves undo what was learned."),
            try_=_("Train again with {change}.").format(change=remedies.in_words(remedy)),
            remedy=remedy,
        )
    slow = 0 < max(measured[-2:]) < low.warning and run.step >= LOW_STEPS
    if slow and run.loss > learned.warning * run.start and _gradient_arrives(run):
        remedy = remedies.raise_lr(run.config)
        yield finding(
            run,
            "learning-rate-low",
            "warning",
            figure,
            what=_(
                "The learning rate {lr} is too low: one step moves the weights by {share} of their norm at most, and "
                "the loss is {loss} {when}; it started at {start}."
            ).format(
                lr=setting(lr),
                share=percent(figure, 2, tiny=True),
                loss=number(run.loss),
                when=run.when,
                start=number(run.start),
            ),
            why=_("About 0.1 % is usual; much shorter steps learn, too, but far too slowly."),
            try_=_("Train with {change}.").format(change=remedies.in_words(remedy)),
            remedy=remedy,
        )


def weight_decay(run: Run) -> Iterator[Finding]:
    """The penalty has shrunk every layer's weights, and nothing was learned: what else is seen follows from that."""
    decay, first = run.config.weight_decay, run.probes[0]
    if decay <= 0 or run.diverged_at is not None or first.step > 0 or not run.has_learned_nothing:
        return
    kept = [
        now.weight_norm / before.weight_norm
        for before, now in zip(first.layers, run.layers, strict=False)
        if before.weight_norm and now.weight_norm is not None
    ]
    figure = max(kept, default=math.inf)
    if not figure <= LIMITS["shrunk"].warning:
        return
    yield finding(
        run,
        "over-regularised",
        "alarm" if figure <= LIMITS["shrunk"].alarm else "warning",
        figure,
        what=_(
            "Weight decay {decay} has shrunk the weights to {share} of their norm at the start, or less, {when}, and "
            "the loss is {loss}."
        ).format(decay=setting(decay), share=percent(figure), when=run.when, loss=number(run.loss)),
        why=_("The penalty's gradient is λw: where it is larger than the loss's, nothing is learned."),
        try_=_("Train again with weight_decay 0."),
        remedy={"weight_decay": 0.0},
    )


def _measured_steps(probes: Sequence[LayersProbed]) -> list[float]:
    """The largest of the layers' ‖Δw‖/‖w‖ of each training step that was measured, in order, each step once.

    A look tells of the latest step that was measured, so that looks without a new one repeat all of its figures.
    """
    steps: list[float] = []
    before: list[float] = []
    for probed in probes:
        told = (layer.update_ratio for layer in probed.layers)
        ratios = [ratio for ratio in told if ratio is not None and math.isfinite(ratio)]
        if probed.step >= LR_STEPS and ratios and ratios != before:
            steps.append(max(ratios))
        before = ratios
    return steps


def _gradient_arrives(run: Run) -> bool:
    """Whether short steps are the rate's fault and not the gradient's."""
    norms = [layer.gradient_norm for layer in run.layers if layer.gradient_norm is not None]
    return norms[0] >= LIMITS["vanishing"].warning * norms[-1]


def overfitting(run: Run) -> Iterator[Finding]:
    """The validation loss rises while the train loss falls, or does not come down with it at all."""
    epochs = run.epochs
    if len(epochs) <= OVERFIT_EPOCHS:
        return
    first, last = epochs[0], epochs[-1]
    best = epochs.best("val_loss")
    recent = min(epoch.val_loss for epoch in epochs[-3:])  # a single bad epoch may be chance
    if not math.isfinite(recent) or best.val_loss <= 0 or last.train_loss - run.floors[0] >= recent:
        return
    figure = recent / best.val_loss
    left = last.train_loss - run.floors[0]
    if run.config.task == "classification" and left > LIMITS["not_learning"].warning * (run.guess - run.floors[0]):
        return  # it does no better than a guess on the training samples: they are not learned by heart either
    if knows_as_much(run):
        return  # what grows is not what it gets wrong, but how sure it is of that: see `overconfidence`
    rises = figure >= LIMITS["overfitting"].warning and last.epoch - best.epoch >= OVERFIT_EPOCHS
    smoothed = run.floors[0] > 0  # the train loss is another one than the validation loss then
    ahead = not smoothed or last.train_metric >= last.val_metric + GAIN
    forgets = ahead and first.epoch == 1 and recent >= LIMITS["not_learning"].warning * first.val_loss
    if rises:
        what = _(
            "The network overfits: the validation loss was {best} after epoch {best_epoch} and is {last} after epoch "
            "{epoch}, at step {step:,}, while the train loss has come down to {train}."
        )
    elif forgets and left <= MEMORISED * (first.train_loss - run.floors[0]):
        what = _(
            "The network memorises: the train loss has come down to {train} after epoch {epoch}, at step {step:,}, and "
            "the validation loss is {last}; after the first it was {first}."
        )
    else:
        return
    remedy = remedies.regularise(run.config)
    yield finding(
        run,
        "overfitting",
        severity_of("overfitting", figure),
        figure,
        what=what.format(
            best=number(best.val_loss),
            best_epoch=best.epoch,
            last=number(last.val_loss),
            epoch=last.epoch,
            step=last.step,
            train=number(last.train_loss),
            first=number(first.val_loss),
        ),
        why=_("It memorises what is true of the training samples only."),
        try_=_("Regularise it: {change}; or use more data, or fewer epochs.").format(change=remedies.in_words(remedy)),
        remedy=remedy,
    )


def knows_much(run: Run) -> bool:
    """Whether a classifier knows most of what there is to know of the validation part."""
    return run.config.task == "classification" and all(epoch.val_metric >= KNOWN for epoch in run.epochs[-RECENT:])


def knows_as_much(run: Run) -> bool:
    """Whether it knows as much of it as of the training part."""
    recent = run.epochs[-RECENT:]
    return knows_much(run) and all(epoch.val_metric >= epoch.train_metric - GAIN for epoch in recent)


def overconfidence(run: Run) -> Iterator[Finding]:
    """The validation loss grows, or is above a guess's, though the accuracy is good: it is sure of its few mistakes."""
    epochs = run.epochs
    if not epochs or run.diverged_at is not None or not knows_much(run):
        return
    best, last = epochs.best("val_loss"), epochs[-1]
    recent = min(epoch.val_loss for epoch in epochs[-RECENT:])  # a single bad epoch may be chance
    if last.val_metric >= 1 or not math.isfinite(recent) or best.val_loss <= 0:
        return  # without a mistake, there is none of which it could be sure
    grows = recent >= LIMITS["overfitting"].warning * best.val_loss and last.epoch > best.epoch and knows_as_much(run)
    if not grows and recent <= run.guess:
        return
    said = (
        _(
            "The network is too sure of itself: the validation loss was {best} after epoch {best_epoch} and is {last} "
            "after epoch {epoch}, though the accuracy is {accuracy}."
        )
        if grows
        else _(
            "The network is too sure of itself: the validation loss is {last} after epoch {epoch}, more than the "
            "{guess} of a guess, though the accuracy is {accuracy}."
        )
    )
    remedy = remedies.regularise(run.config)
    yield finding(
        run,
        "overconfidence",
        "note",
        recent / best.val_loss,
        what=said.format(
            best=number(best.val_loss),
            best_epoch=best.epoch,
            last=number(last.val_loss),
            epoch=last.epoch,
            accuracy=number(last.val_metric),
            guess=number(run.guess),
        ),
        why=_("Of what it gets wrong it is almost certain, which costs the loss much, and the accuracy nothing."),
        try_=_("Where its probabilities matter: {change}, or fewer epochs.").format(change=remedies.in_words(remedy)),
        remedy=remedy,
    )
