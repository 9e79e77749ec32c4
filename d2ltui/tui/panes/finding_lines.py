"""From findings to lines of text. No widgets here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from d2ltui.charts.spec import Style
from d2ltui.spec.events import Finding
from d2ltui.spec.findings import MARKS
from d2ltui.spec.language import _
from d2ltui.spec.width import cells, cut, wrapped
from d2ltui.tui.panes.layer_lines import TextLine

_STYLES = {"alarm": Style.WARNING, "warning": Style.VALIDATION, "note": Style.TEXT}


def finding_lines(
    findings: Sequence[Finding],
    selected: int,
    width: int,
    well: str = "",
    below: Finding | None = None,
    now: Collection[str] | None = None,
) -> tuple[list[TextLine], list[int]]:
    """What, why and what to try of each finding, wrapped; and each finding's first line. What follows from a cause is
    told below it.

    The selected one is marked: its remedy is the one that the key applies. Above all stands `well`, what was looked at
    in a run that is well. What to try of the finding `below` is shown elsewhere: see `remedy_lines`. Of findings of an
    earlier moment it is said whether they hold still: `now` are the rules of those that are found now.
    """
    lines: list[TextLine] = _wrapped(well, width, Style.TEXT, " ✓ ") if well else []
    starts: list[int] = []
    for index, finding in enumerate(findings):
        starts.append(len(lines))
        pointer = "›" if index == selected and len(findings) > 1 else " "
        if finding.because_of:  # the cause has the remedy
            lines += _wrapped(_("because of this: {what}").format(what=finding.what), width, Style.TEXT, f"{pointer}  ")
            continue
        head = f"{pointer}{MARKS[finding.severity]} "
        lines += _wrapped(finding.what, width, _STYLES[finding.severity], head)
        if now is not None and finding.rule in now:
            lines += _wrapped(_("So it was then, and it is now."), width, Style.TEXT, "   ")
        elif now is not None and finding.severity != "note":  # a note may be told no longer, and hold all the same
            lines += _wrapped(_("So it was then; it has passed."), width, Style.TEXT, "   ")
        lines += _wrapped(finding.why, width, Style.AXIS, "   ")
        if finding.try_ and finding is not below:
            lines += _wrapped(_remedy(finding), width, Style.TEXT, "   ")
    return lines, starts


def remedy_lines(finding: Finding, width: int, most: int) -> list[TextLine]:
    """What to try, in `most` lines at most: fewer words where there is little room."""
    from d2ltui.diagnosis.remedies import in_words

    texts = [_remedy(finding)]
    if finding.remedy:
        texts += [
            _("Try: {try_} (key f)").format(try_=finding.try_),
            _("Try {remedy} (key f)").format(remedy=in_words(finding.remedy)),
        ]
    for text in texts:
        lines = _wrapped(text, width, Style.TEXT, "   ")
        if len(lines) <= most:
            return lines
    return [*lines[: most - 1], _going_on(lines[most - 1], width)]


def with_cut(lines: Sequence[TextLine], starts: Sequence[int], last: int, width: int) -> list[TextLine]:
    """`lines`, of which number `last` is the last to be seen: it says so where its sentence goes on below it.

    `starts` are the first lines of the findings.
    """
    below = last + 1
    if not 0 < below < len(lines) or below in starts or lines[below][0][0] != lines[last][0][0]:
        return [*lines]
    return [*lines[:last], _going_on(lines[last], width), *lines[below:]]


def _going_on(line: TextLine, width: int) -> TextLine:
    style, text = line[0]
    return [(style, cut(text, max(0, width - 1)).rstrip(" .,，。") + "…")]


def is_cut(lines: Sequence[TextLine]) -> bool:
    """Whether `remedy_lines` had no room for all."""
    return bool(lines) and lines[-1][-1][1].endswith("…")


def _remedy(finding: Finding) -> str:
    said = _("Try: {try_} (key f puts it into the form)") if finding.remedy else _("Try: {try_}")
    return said.format(try_=finding.try_)


def _wrapped(text: str, width: int, style: Style, head: str) -> list[TextLine]:
    body = wrapped(text, max(8, width - cells(head))) or [""]
    return [[(int(style), (head if i == 0 else " " * len(head)) + line)] for i, line in enumerate(body)]
