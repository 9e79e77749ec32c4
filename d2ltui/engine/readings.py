"""What a checkup reads: a line with its figures, what is wrong with them, and from which figure on it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from d2ltui.diagnosis.evidence import Limit
from d2ltui.diagnosis.remedies import Remedy
from d2ltui.spec.events import Finding, Severity

_DEFAULTS = "measured: the defaults of every model, embedded data set and optimiser stay below the alarm"

LIMITS: dict[str, Limit] = {
    "start_loss": Limit(4.0, 40.0, "times a guess's loss; " + _DEFAULTS + " (at most 1.8)"),
    "input_scale": Limit(0.75, 1.5, "powers of ten from a root mean square of 1; " + _DEFAULTS + " (at most 0.5)"),
    "input_offset": Limit(0.9, 0.99, "|mean| / root mean square; pictures from 0 to 1 have at most 0.8"),
    "label_scale": Limit(1.5, 3.0, "powers of ten from a root mean square of 1, in regression; " + _DEFAULTS),
    "label_share": Limit(0.75, 0.9, "of the most frequent class; 2.5 times an equal share, but 0.6 at least, for many"),
    "fading": Limit(5.0, 6.0, "powers of ten lost from input to output; N(0, 0.01²) of 2-64-64-3 loses 4.6 and learns"),
    "vanishing": Limit(3.0, 5.0, "powers of ten from the last layer's gradient to the first's, as in a run's own rule"),
    "no_gradient": Limit(4.0, 6.0, "powers of ten of the largest gradient's norm below 1; " + _DEFAULTS + " (3.1)"),
    "exploding": Limit(2.0, 3.0, "powers of ten of a gradient's norm above 1, as in a run's own rule"),
    "alike": Limit(0.1, 0.5, "of a hidden layer's units that equal another; none do by chance"),
    "by_heart": Limit(0.4, 0.8, "of 16 samples not learned; measured: defaults leave 0.02 to 0.3, but where the model "
                      "can do no more (linear on diabetes 0.56, softmax on circles 0.91)"),
}  # fmt: skip


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


def severity_of(name: str, figure: float) -> Severity | None:
    """None where the figure is as it should be; what is not finite is grave."""
    limit = LIMITS[name]
    if math.isnan(figure) or figure >= limit.alarm:
        return "alarm"
    return "warning" if figure >= limit.warning else None


def finding(
    rule: str, severity: Severity | None, figure: float, what: str, why: str, try_: str, remedy: Remedy | None = None
) -> Finding | None:
    return severity and Finding(rule, severity, None, 0, figure, what, why, try_, remedy or {})
