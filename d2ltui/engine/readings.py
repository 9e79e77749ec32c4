"""What a checkup reads: a line with its figures, what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from d2ltui.diagnosis.remedies import Remedy
from d2ltui.spec.events import Finding, Severity


class Reading(NamedTuple):
    """One thing that was looked at: its figures by name, a line about them, and what is wrong, if anything."""

    name: str
    line: str
    figures: Mapping[str, object]
    finding: Finding | None = None

    @property
    def finite(self) -> bool:
        """Whether all of its figures are: whoever looks further has numbers to look at."""
        return all(math.isfinite(value) for value in self.figures.values() if isinstance(value, float))


def finding(
    rule: str, severity: Severity | None, figure: float, what: str, why: str, try_: str, remedy: Remedy | None = None
) -> Finding | None:
    return severity and Finding(rule, severity, None, 0, figure, what, why, try_, remedy or {})
