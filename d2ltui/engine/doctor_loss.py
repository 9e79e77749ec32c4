"""The doctor's look at the loss of a classifier whose accuracy is good: a setting may still have spoiled it."""

from __future__ import annotations

import math

import msgspec

from d2ltui.diagnosis.causes import Cause, possible_causes, with_remedy
from d2ltui.diagnosis.thresholds import BETTER_LOSS, FOUND, GAIN, SUSPICIOUS
from d2ltui.engine.doctor_trials import Progress, Trial, epochs_in_words, in_words_of, scaled, trial_epochs
from d2ltui.engine.patient import Patient
from d2ltui.spec import events
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

SPOILED = ("overconfidence", "oscillation", "overfitting")  # what is seen of a loss that is worse than its accuracy


def by_loss(patient: Patient, trial: Trial, tell: Progress) -> tuple[events.Finding | None, int]:
    """The suspicious setting without which the validation loss is much smaller; and how many were tried.

    Nothing is tried where the loss is as good as the accuracy, or where no setting is far from the usual ones.
    """
    epochs = trial_epochs(patient.config, patient.data)
    if not patient.classes or patient.diverged or not 0 < epochs <= len(patient.epochs):
        return None, 0
    own = patient.epochs[epochs - 1]
    if own.val_loss <= FOUND * patient.guess_loss and not any(symptom.rule in SPOILED for symptom in patient.symptoms):
        return None, 0
    scale = float(patient.data.x_train.double().square().mean().sqrt())
    causes = [
        cause
        for cause in possible_causes(patient.config, patient.data.info, scale)
        if cause.suspicion >= SUSPICIOUS and cause.rule != "underfitting" and "epochs" not in cause.remedy
    ]
    best: tuple[Cause, events.EpochEnded] | None = None
    tried = 0
    for done, cause in enumerate(causes):
        changed = with_remedy(patient.config, cause.remedy)
        if changed is None:
            continue
        doing = _("training is over; looking for the cause, trying {change}").format(change=in_words_of(cause))
        tell(doing, done / len(causes))
        ended = trial(msgspec.structs.replace(changed, epochs=epochs), scaled(patient.data, cause.factor))
        tried += 1
        if not ended or not math.isfinite(ended[-1].val_loss) or ended[-1].val_metric < own.val_metric - GAIN:
            continue
        if ended[-1].val_loss < (best[1] if best is not None else own).val_loss:
            best = cause, ended[-1]
    if best is None or best[1].val_loss > BETTER_LOSS * own.val_loss:
        return None, tried
    return _finding(patient, own, *best), tried


def _finding(patient: Patient, own: events.EpochEnded, cause: Cause, after: events.EpochEnded) -> events.Finding:
    change = in_words_of(cause)
    times = epochs_in_words(own.epoch, patient.config.epochs)
    return events.Finding(
        rule=cause.rule,
        severity="warning",
        layer=None,
        step=patient.step,
        figure=own.val_loss / after.val_loss if after.val_loss > 0 else math.inf,
        what=_("{what}: validation loss {value} after {epochs}, though the accuracy is {accuracy}.").format(
            what=f"{cause.what[0].upper()}{cause.what[1:]}",
            value=number(own.val_loss),
            epochs=times,
            accuracy=number(own.val_metric),
        ),
        why=_("{why}. With {change}, and all else as it was, it is {value} after {epochs}.").format(
            why=cause.why, change=change, value=number(after.val_loss), epochs=times
        ),
        try_=_("Train again with {change}.").format(change=change),
        remedy=cause.remedy,
    )
