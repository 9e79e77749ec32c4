"""What is told of a run while it trains: one cause, and nothing that its end would have to take back.

Most of what a network looks like in its first steps passes. A finding is graver than a note only where the network has
still learned nothing after a good part of its steps; whether something would mend it, only the end can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from d2ltui.diagnosis.evidence import Run
from d2ltui.diagnosis.thresholds import GAP, PATIENCE, PATIENT_SHARE, RECENT
from d2ltui.spec.events import Finding

# Of two findings, the cause is that which stands first here. What is in no place here says nothing of the network.
_CAUSES = (
    "divergence", "over-regularised", "symmetry", "initialisation", "learning-rate-high", "oscillation",
    "exploding-gradient", "dead-relu", "saturation", "vanishing-gradient", "stalled", "learning-rate-low",
    "overfitting",
)  # fmt: skip


def in_peace(found: Sequence[Finding], run: Run, steps: int) -> tuple[Finding, ...]:
    """`found` in a run of so many `steps`, none graver than is certain now."""
    if run.diverged_at is not None or not math.isfinite(run.loss) or any(layer.nonfinite for layer in run.layers):
        return tuple(found)
    hopeless = run.step >= max(PATIENCE, PATIENT_SHARE * steps) and run.has_learned_nothing
    by_heart = len(run.epochs) >= RECENT and all(
        epoch.train_metric - epoch.val_metric >= GAP for epoch in run.epochs[-RECENT:]
    )

    def certain(rule: str) -> bool:
        return rule not in _CAUSES or (by_heart if rule == "overfitting" else hopeless)

    return tuple(finding if certain(finding.rule) else _of_note(finding) for finding in found)


def one_cause(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """`found`, the gravest first, with one cause under which what follows from it stands, and no opposite remedies."""
    grave = [one for one in found if one.severity != "note" and one.rule in _CAUSES]
    heads = [one for one in grave if not one.because_of]
    cause = min(heads, key=lambda one: _CAUSES.index(one.rule), default=None)
    if cause is not None:
        others = [one for one in found if one is not cause]
        follows = [_following(one, cause.rule) if one in grave else one for one in others]
        first = [one for one in follows if one.because_of and one.severity != "note"]
        rest = [one for one in follows if one not in first]
        found = [cause, *first, *rest]
        found.sort(key=lambda one: one.severity == "note")
    return without_opposites(found)


def _following(finding: Finding, cause: str) -> Finding:
    return msgspec.structs.replace(finding, because_of=cause, remedy={}, try_="")


def _of_note(finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, severity="note")


def without_opposites(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Where two remedies want different values of one field, only the first is told."""
    wanted: dict[str, object] = {}
    kept: list[Finding] = []
    for finding in found:
        if any(wanted.get(name, value) != value for name, value in finding.remedy.items()):
            finding = msgspec.structs.replace(finding, remedy={}, try_="")
        wanted |= finding.remedy
        kept.append(finding)
    return tuple(kept)
