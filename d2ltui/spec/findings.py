"""What is found in a run, in words, numbers and marks: the same wherever people and programs look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from d2ltui.spec.events import Finding, Severity
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.text import counted

# Each severity has a mark of its own, also where only ASCII can be shown: "!", "^" and ".".
MARKS: Mapping[Severity, str] = {"alarm": "▲", "warning": "△", "note": "·"}


# What a curve shows to everybody: beside it, all is not simply well.
_OF_LOSSES = frozenset(("overconfidence", "overfitting", "oscillation", "divergence", "stalled"))


def severity_word(severity: Severity) -> str:
    """As people read it."""
    return {"alarm": _("alarm"), "warning": _("warning"), "note": _("note")}[severity]


def passed_in_words(finding: Finding) -> str:
    """What was found, and is no more; of a note that is not known: it gives way to graver findings."""
    if finding.severity == "note":
        said = _("{severity} at that time: {what}")
    else:
        said = _("{severity} at that time, which has passed: {what}")
    return said.format(severity=severity_word(finding.severity), what=finding.what)


class Tally(NamedTuple):
    """How many alarms and warnings there are. Notes are no reason to look."""

    alarms: int = 0
    warnings: int = 0

    @property
    def severity(self) -> Severity | None:
        """Of the gravest; None where all is well."""
        return "alarm" if self.alarms else "warning" if self.warnings else None

    @property
    def words(self) -> str:
        """`2 alarms, 1 warning`; "" where all is well."""
        counts = ((self.alarms, "alarm"), (self.warnings, "warning"))
        return _(", ").join(counted(number, noun) for number, noun in counts if number)

    @property
    def marks(self) -> str:
        """The same where there is little room: `▲2 △1`."""
        counts = ((self.alarms, MARKS["alarm"]), (self.warnings, MARKS["warning"]))
        return " ".join(f"{mark}{number}" for number, mark in counts if number)


def rule_in_words(rule: str) -> str:
    """The name of a rule where people read it; in English it is the one that filters take."""
    return pgettext("rule", rule)


def tally(findings: Iterable[Finding]) -> Tally:
    """Count them."""
    severities = [finding.severity for finding in findings]
    return Tally(severities.count("alarm"), severities.count("warning"))


def of_losses(finding: Finding) -> bool:
    """Whether it is of the losses, which everybody sees: where one is noted, all is not simply well."""
    return finding.rule in _OF_LOSSES


def all_well(findings: Iterable[Finding], looked_at: Sequence[str]) -> str:
    """What was looked at, in one line, where neither an alarm nor a warning has come of it; else "".

    "" also where it is not known: nobody has examined the run. What is noted of its losses is not all well.
    """
    found = tuple(findings)
    if not looked_at or tally(found).severity is not None:
        return ""
    *first, last = looked_at
    what = _(" and ").join(filter(None, (_(", ").join(first), last)))
    noted = any(map(of_losses, found))
    said = _("Looked at {what}: all well, but for what is noted.") if noted else _("Looked at {what}: all well.")
    return said.format(what=what)


def finding_values(finding: Finding) -> dict[str, object]:
    """What `--json` says of a finding: plain values, of which every number is finite or None."""
    figure = finding.figure if math.isfinite(finding.figure) else None
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "layer": finding.layer,
        "step": finding.step,
        "figure": figure,
        "what": finding.what,
        "why": finding.why,
        "try": finding.try_,
        "remedy": finding.remedy,
        "because_of": finding.because_of or None,
    }


def findings_in_words(
    findings: Iterable[Finding], command: Callable[[dict[str, object]], str] | None = None
) -> list[str]:
    """Lines of text: what each is, why, and what to try; what follows from a cause in a line below it.

    `command(remedy)` is what does that in a shell, to be pasted: what is added to a command may contradict the rest.
    """
    lines: list[str] = []
    for finding in findings:
        if finding.because_of:
            lines.append("    " + _("because of this: {what}").format(what=finding.what))
            continue
        lines += [f"{severity_word(finding.severity)}: {finding.what}", f"    {finding.why}"]
        if finding.try_:
            lines.append("    " + _("try: {what}").format(what=finding.try_))
            if command is not None and (line := command(finding.remedy)):
                lines.append(f"        {line}")
    return lines
