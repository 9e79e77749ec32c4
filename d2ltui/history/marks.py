"""What happened to a run on its way, and when: another learning rate, a pause, something that was found."""

from __future__ import annotations

import math
from typing import NamedTuple

from d2ltui.history.live import LiveRun
from d2ltui.spec.events import Finding, Severity
from d2ltui.spec.findings import MARKS, passed_in_words, tally
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting

_LASTING = frozenset(("not-zero-centred",))  # what a layer always is; its own view tells it


class RunMark(NamedTuple):
    """Something that happened after `step` steps: a character for it, what that stands for, and a sentence."""

    step: int
    sign: str
    meaning: str
    sentence: str
    severity: Severity | None = None  # of a finding


def marks_of(live: LiveRun) -> list[RunMark]:
    """Everything that there is to mark in `live`, the most important last."""
    return [*_resumptions(live), *_pauses(live), *_rates(live), *_findings(live)]


def _resumptions(live: LiveRun) -> list[RunMark]:
    return [
        RunMark(step, "R", "resumed", _("resumed from its checkpoint after step {step:,}").format(step=step))
        for step in live.resumed
    ]


def _pauses(live: LiveRun) -> list[RunMark]:
    return [
        RunMark(
            first,
            "P",
            "paused",
            (
                _("paused after step {first:,}, and step by step to {last:,}")
                if last > first
                else _("paused after step {first:,}")
            ).format(first=first, last=last),
        )
        for first, last in live.pauses
    ]


def _rates(live: LiveRun) -> list[RunMark]:
    marks, before = [], live.header.lr
    for change in live.lr_changes:
        known = "" if math.isnan(before) else f"{setting(before)} → "
        marks.append(
            RunMark(
                change.step,
                "L",
                "lr",
                _("lr {known}{lr} after step {step:,}").format(known=known, lr=setting(change.lr), step=change.step),
            )
        )
        before = change.lr
    return marks


def _findings(live: LiveRun) -> list[RunMark]:
    """Each finding where it was found, the gravest last; what has passed in a run that is well now, as such."""
    found: list[RunMark] = []
    before: set[tuple[str, int | None]] = set()
    now_well = tally(live.findings).severity is None and bool(live.looked_at)
    for event in live.findings_history:
        now = {(finding.rule, finding.layer) for finding in event.findings}
        found += [
            _mark(event.step, finding, passed=now_well and finding.severity != "note")
            for finding in event.findings
            if (finding.rule, finding.layer) not in before and finding.rule not in _LASTING
        ]
        before = now
    order: list[Severity] = ["note", "warning", "alarm"]
    return sorted(found, key=lambda mark: order.index(mark.severity or "note"))


def _mark(step: int, finding: Finding, *, passed: bool) -> RunMark:
    if not passed:
        return RunMark(step, MARKS[finding.severity], finding.severity, finding.what, finding.severity)
    return RunMark(step, MARKS["note"], "passed", passed_in_words(finding), "note")
