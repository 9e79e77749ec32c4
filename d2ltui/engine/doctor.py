"""The doctor: what is wrong with a run that has not learned, found by trying what would mend it.

Where a run ends well, nothing is tried. Where it does not, each change that `diagnosis.causes` proposes is trained for
some epochs with everything else as it was, and compared with the run itself after as many. The change that helps most
names the cause. Everything is counted in steps, not in seconds: the same run has the same diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from d2ltui.diagnosis.causes import Cause, none_helps, possible_causes, with_remedy
from d2ltui.diagnosis.evidence import floors
from d2ltui.diagnosis.live import without_opposites
from d2ltui.diagnosis.remedies import in_words, regularise
from d2ltui.diagnosis.rules_loss import stands_still, stood_still
from d2ltui.diagnosis.thresholds import (
    ALIKE,
    ALIKE_SHARE,
    ALWAYS,
    FALLS,
    GAIN,
    GRAVE,
    KNOWN,
    LITTLE,
    NEAR_GUESS,
    ROOM,
    SUSPICIOUS,
)
from d2ltui.engine.doctor_labels import of_broken_data, of_labels
from d2ltui.engine.doctor_loss import by_loss
from d2ltui.engine.doctor_trials import (
    Progress,
    Trial,
    affordable_epochs,
    epochs_in_words,
    in_words_of,
    scaled,
    trial_epochs,
)
from d2ltui.engine.observers import OF_DATA
from d2ltui.engine.patient import Patient, Score, score_of
from d2ltui.spec import events
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted

WORTH_A_TRY = ("overfitting", "overconfidence")  # notes on a network that learns, and might know more


class Examination(NamedTuple):
    """What is to be said of a run, the cause first; and what was really looked at for it, in words."""

    findings: tuple[events.Finding, ...]
    looked_at: tuple[str, ...]


def examine(patient: Patient, trial: Trial | None, tell: Progress) -> Examination:
    """All that is to be said of the run, the cause first, and what was looked at.

    `trial(config, data)` trains a run and returns its epochs; before each of them `tell` is told which one it is.
    Without it, nothing is tried: of a run that has learned nothing, the cause is what was found before its first step.
    """
    looked_at = list(patient.looked_at)
    if patient.epochs:
        metric = metric_title(patient.classes)
        said = _("loss and {metric} of {epochs}")
        looked_at.insert(0, said.format(metric=metric, epochs=counted(len(patient.epochs), "epoch")))
    findings = _find(patient, trial, tell, looked_at)
    return Examination(without_opposites(findings), tuple(looked_at))


def _find(patient: Patient, trial: Trial | None, tell: Progress, looked_at: list[str]) -> tuple[events.Finding, ...]:
    """What is to be said of the run; `looked_at` gets what is looked at for it."""
    score = patient.score_after(len(patient.epochs)) if len(patient.epochs) else Score(patient.guess, patient.guess)
    beyond = patient.guess + NEAR_GUESS * (1 - patient.guess)
    if not patient.diverged and 1 - score.worse <= ROOM:  # of one class, a guess knows everything, too
        return _in_peace(patient, score, trial, tell, looked_at)
    clueless = patient.diverged or score.val <= beyond
    by_heart = _knows_by_heart(patient, score)
    little = not (clueless or by_heart) and score.val <= patient.guess + patient.little * (1 - patient.guess)
    ahead = not patient.diverged and _far_ahead(patient, score)
    tried: list[Cause] = []
    cause = of_broken_data(patient) or of_labels(patient, score)
    if patient.classes:
        looked_at += [part for part in OF_DATA if part not in looked_at]
    if cause is None and trial is not None:
        cause, tried = _by_trial(patient, trial, tell, others=clueless and not by_heart)
        still = None if clueless or by_heart else _stands_still(patient)
        if cause is None and still is not None:
            # A loss that stands still may have come down as far as the data allow: only trying tells.
            cause, more = _by_trial(patient, trial, tell, suspicious=False, least=2 * GAIN)
            tried += more
        if cause is not None and still is not None:
            patient = patient._replace(
                symptoms=(stood_still(patient.epochs, patient.step, still), *_but(patient.symptoms, "stalled"))
            )
        if cause is None and little and still is None:
            cause, more = _by_trial(patient, trial, tell, suspicious=False, least=GRAVE)
            tried += more
    if cause is None and (by_heart or (ahead and (little or clueless))):
        cause = _overfitting(patient, score)
    if cause is None and little:
        cause = _learned_little(patient, score, tried)
    if cause is None and clueless:
        seen = _seen(patient) if trial is None else None
        cause = seen or _not_learning(patient, score, tried if trial is not None else None)
    if cause is not None:
        _tell_tried(looked_at, len(tried))
        return (cause, *_consequences(patient, cause))
    return _in_peace(patient, score, trial, tell, looked_at, len(tried))


def _tell_tried(looked_at: list[str], tried: int) -> None:
    if tried:
        looked_at.append(_("what {settings} would bring").format(settings=counted(tried, "other setting")))


def _seen(patient: Patient) -> events.Finding | None:
    """The cause of a run that has learned nothing, where it was seen before the first step, or the loss diverged."""
    seen = (*patient.at_start, *(symptom for symptom in patient.symptoms if symptom.rule == "divergence"))
    return next((finding for finding in seen if finding.severity == "alarm"), None)


def _stands_still(patient: Patient) -> int | None:
    lowest, __ = floors(patient.config, patient.classes)
    return stands_still(patient.epochs, patient.guess_loss, lowest)


def _but(symptoms: Sequence[events.Finding], rule: str) -> list[events.Finding]:
    return [symptom for symptom in symptoms if symptom.rule != rule]


def _in_peace(
    patient: Patient, score: Score, trial: Trial | None, tell: Progress, looked_at: list[str], tried: int = 0
) -> tuple[events.Finding, ...]:
    """What was seen of a network that learns is worth a note, unless it knows much more of the training part.

    Or unless its loss is a bad one, for which one of its settings is to blame.
    """
    if trial is not None:
        cause, more = by_loss(patient, trial, tell)
        _tell_tried(looked_at, tried + more)
        if cause is not None:
            milder = [
                msgspec.structs.replace(symptom, severity="warning") if symptom.severity == "alarm" else symptom
                for symptom in patient.symptoms
            ]
            return (cause, *_consequences(patient._replace(symptoms=tuple(milder)), cause))
    kept = {"no-look"} | ({"overfitting"} if score.train - score.val >= GAIN else set())

    def severity(symptom: events.Finding) -> events.Severity:
        if symptom.rule == "divergence" and not patient.diverged:
            return "warning"  # a loss that grows while the metric is well: it is sure of its few mistakes
        return symptom.severity if symptom.rule in (*kept, "divergence") else "note"

    told = (msgspec.structs.replace(symptom, severity=severity(symptom)) for symptom in patient.symptoms)
    return tuple(map(_of_one_that_learns, told))


def _of_one_that_learns(found: events.Finding) -> events.Finding:
    """What is only worth a note has done no harm, and what would be done about it was not tried."""
    if found.severity != "note" or not found.remedy or found.rule in WORTH_A_TRY:
        return found
    why = f"{found.why} {_('The network has learned all the same.')}".strip()
    return msgspec.structs.replace(found, why=why, remedy={}, try_="")


def _consequences(patient: Patient, cause: events.Finding) -> list[events.Finding]:
    """What was seen follows from the cause; then what is worth a note, and what was seen at the start.

    None of it has a remedy of its own: what helped was the cause's.
    """
    others = _but(patient.symptoms, cause.rule)
    follows = [symptom for symptom in others if symptom.severity != "note"]
    told = [msgspec.structs.replace(symptom, because_of=cause.rule, remedy={}, try_="") for symptom in follows]
    rules = {cause.rule, *(symptom.rule for symptom in others)}
    before = [found for found in patient.at_start if found.rule not in rules]
    notes = [symptom for symptom in others if symptom.severity == "note"] + before
    return told + [msgspec.structs.replace(note, severity="note", remedy={}, try_="") for note in notes]


# By trying


def _by_trial(
    patient: Patient, trial: Trial, tell: Progress, *, suspicious: bool = True, others: bool = True, least: float = GAIN
) -> tuple[events.Finding | None, list[Cause]]:
    """The cause, where a change brings `least`; and what was tried, of the `suspicious` ones and the `others`."""
    data, config = patient.data, patient.config
    scale = float(data.x_train.double().square().mean().sqrt())
    oscillates = any(symptom.rule == "oscillation" for symptom in patient.symptoms)
    possible = possible_causes(config, data.info, scale, oscillates=oscillates, falls=_falls(patient))
    wanted = {True: suspicious, False: others}
    causes = [cause for cause in possible if cause.suspicion >= ALWAYS and wanted[cause.suspicion >= SUSPICIOUS]]
    epochs = trial_epochs(config, data)
    own = patient.score_after(epochs)
    tried: list[tuple[float, Score, Cause]] = []
    cured: str | None = None  # the rule whose remedy cures: another remedy of its own may cure more, others cannot
    for done, cause in enumerate(causes):
        if cured not in (None, cause.rule):
            break
        doing = _("training is over; looking for the cause, trying {change}").format(change=in_words_of(cause))
        tell(doing, done / len(causes))
        changed = with_remedy(config, cause.remedy)
        if changed is None or ("epochs" in cause.remedy and changed.epochs > affordable_epochs(config, data)):
            continue
        if "epochs" not in cause.remedy:
            changed = msgspec.structs.replace(changed, epochs=epochs)
        ended = trial(changed, scaled(data, cause.factor))
        after = score_of(ended[-1]) if ended else Score(0.0, 0.0)
        gain = after.val - own.val
        if own.train < KNOWN:
            gain = min(gain, after.train - own.train)
        if not others and gain < cause.least:  # who knows nothing is helped by a little
            gain = min(gain, 0.0)
        tried.append((gain, after, cause))
        if gain >= GRAVE and after.worse >= KNOWN and cause.suspicion >= SUSPICIOUS:
            cured = cause.rule  # it is what is most suspicious
            if 1 - after.worse <= ROOM:
                break
    best = max((gain for gain, _, _ in tried), default=0.0)
    if best < least:
        return None, [cause for *_, cause in tried]
    alike = (entry for entry in tried if entry[0] >= best - max(ALIKE, ALIKE_SHARE * best))
    named = max(alike, key=lambda entry: (entry[2].suspicion, entry[0]))
    better = max((entry for entry in tried if entry[2].rule == named[2].rule), key=lambda entry: entry[0])
    gain, after, cause = better if better[0] > named[0] + ALIKE else named
    found = _finding(patient, cause, own, after, epochs, grave=(suspicious and others) or gain >= GRAVE)
    return found, [cause for *_, cause in tried]


def _falls(patient: Patient) -> bool:
    """Whether it might learn much more in more epochs: its loss was still coming down in the last quarter of them."""
    epochs = patient.epochs
    if patient.diverged or len(epochs) < 4 or score_of(epochs[-1]).worse > 1 - GRAVE:
        return False
    return epochs[-1].train_loss < FALLS * epochs[-1 - len(epochs) // 4].train_loss


def _finding(patient: Patient, cause: Cause, own: Score, after: Score, epochs: int, *, grave: bool) -> events.Finding:
    metric = metric_title(patient.classes)
    times = epochs_in_words(epochs, patient.config.epochs)
    tried = with_remedy(msgspec.structs.replace(patient.config, epochs=epochs), cause.remedy)
    took = times if tried is None or tried.epochs == epochs else counted(tried.epochs, "epoch")
    reached = patient.epochs[epochs - 1].val_metric if epochs <= len(patient.epochs) else own.val  # R² may be below 0
    how = (
        _("the loss diverged at step {step:,}") if patient.diverged else _("validation {metric} {value} after {epochs}")
    ).format(step=patient.step, metric=metric, value=number(reached), epochs=times)
    change = in_words_of(cause)
    return events.Finding(
        rule=cause.rule,
        severity="alarm" if grave else "warning",
        layer=None,
        step=patient.step,
        figure=after.val - own.val,
        what=_("{what}: {how}.").format(what=f"{cause.what[0].upper()}{cause.what[1:]}", how=how),
        why=_("{why}. With {change}, and all else as it was, {metric} is {value} after {epochs}.").format(
            why=cause.why,
            change=change,
            metric=metric,
            value=number(after.val),
            epochs=took,
        ),
        try_=_("Train again with {change}.").format(change=change),
        remedy=cause.remedy,
    )


def _knows_by_heart(patient: Patient, score: Score) -> bool:
    """Whether it knows the training part, and much less of the validation part."""
    return not patient.diverged and score.train >= KNOWN and score.train - score.val >= 2 * GAIN


def _far_ahead(patient: Patient, score: Score) -> bool:
    """Whether it has learned of the training part what the validation part does not bear out."""
    return score.train > patient.guess + LITTLE * (1 - patient.guess) and score.train - score.val >= 2 * GAIN


def _overfitting(patient: Patient, score: Score) -> events.Finding:
    seen = next((symptom for symptom in patient.symptoms if symptom.rule == "overfitting"), None)
    if seen is not None:
        return seen
    metric = metric_title(patient.classes)
    remedy = regularise(patient.config)
    return events.Finding(
        rule="overfitting",
        severity="warning",
        layer=None,
        step=patient.step,
        figure=score.train - score.val,
        what=_(
            "The network overfits: {metric} {train} in training and {val} on the validation part at step {step:,}."
        ).format(metric=metric, train=number(score.train), val=number(score.val), step=patient.step),
        why=_("It has enough weights to learn the training samples by heart, accidents included."),
        try_=_("Train with {change}, or with more data.").format(change=in_words(remedy)),
        remedy=remedy,
    )


def _learned_little(patient: Patient, score: Score, tried: Sequence[Cause]) -> events.Finding:
    return _too_little(
        patient,
        score,
        "warning",
        _("The network has learned little: validation {metric} {value} after step {step:,}, and {guess} for a guess."),
        none_helps(tried, much=True),
        _("Try more epochs, more units or layers, or another model; and look at the data."),
    )


def _not_learning(patient: Patient, score: Score, tried: Sequence[Cause] | None) -> events.Finding:
    """`tried` is None where nothing could be."""
    if tried is not None:
        why = none_helps(tried)
        try_ = _("Look at the data: do inputs and labels belong together, and are there enough of them?")
    else:
        why = _(
            "Its cause was not looked for: that takes further runs, and is done for a run that is trained by itself."
        )
        try_ = _("Train it by itself with d2ltui train, or in the application.")
    return _too_little(
        patient,
        score,
        "alarm",
        _("The network has learned nothing: validation {metric} {value} after step {step:,}, and {guess} for a guess."),
        why,
        try_,
    )


def _too_little(
    patient: Patient, score: Score, severity: events.Severity, what: str, why: str, try_: str
) -> events.Finding:
    what = what.format(
        metric=metric_title(patient.classes),
        value=number(score.val),
        step=patient.step,
        guess=number(patient.guess),
    )
    return events.Finding("not-learning", severity, None, patient.step, score.val, what, why, try_, {})
