"""What was found before the first step, beside what is found while a run trains: each thing once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from d2ltui.spec.events import Finding, Severity

OF_DATA = ("data-scale", "label-imbalance")  # no finding about a network follows from another cause, nor do these
SEVERITY_ORDER: dict[Severity, int] = {"alarm": 0, "warning": 1, "note": 2}


def beside(found: Sequence[Finding], start: Sequence[Finding], seen_at_start: Collection[str]) -> tuple[Finding, ...]:
    """`found` now, and what of `start` is still to be told, the gravest first, each cause before what follows from it.

    What is found now knows more than what was found before: of two findings of one rule it is the one that counts,
    and of two remedies that contradict each other. `seen_at_start` are the rules of what a look at the untrained
    network had found already: that follows from the cause in `start`, where there is one about the network.
    """
    rules = {finding.rule for finding in found}
    since = [finding for finding in found if finding.rule not in seen_at_start]
    told = [one for one in start if one.rule not in rules and not any(_contradict(one, other) for other in since)]
    cause = next((one.rule for one in told if not one.because_of and one.remedy and one.rule not in OF_DATA), "")
    if not cause and "divergence" in seen_at_start:  # before any step: only the data can have done that
        cause = next((one.rule for one in told if one.rule in OF_DATA and one.severity == "alarm"), "")
    if cause:
        found = [_following(finding, cause) if finding.rule in seen_at_start else finding for finding in found]
    told = [one for one in told if not any(_contradict(one, other) for other in found)]
    kept = {finding.rule for finding in (*told, *found)}
    everything = [one for one in (*told, *found) if not one.because_of or one.because_of in kept]
    heads = sorted((one for one in everything if not one.because_of), key=lambda one: SEVERITY_ORDER[one.severity])
    return tuple(
        one for head in heads for one in (head, *(other for other in everything if other.because_of == head.rule))
    )


def _following(finding: Finding, cause: str) -> Finding:
    if finding.severity == "note":
        return finding
    return msgspec.structs.replace(finding, because_of=cause, remedy={}, try_="")


def _contradict(one: Finding, other: Finding) -> bool:
    return any(name in other.remedy and other.remedy[name] != value for name, value in one.remedy.items())
