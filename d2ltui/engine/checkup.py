"""What would go wrong with a run, before its first step: figures of the data and of the network as it starts, and
whether it can learn a handful of samples by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import torch

from d2ltui.diagnosis.probes import probe
from d2ltui.engine.checkup_data import read_inputs, read_labels
from d2ltui.engine.checkup_memory import read_memory
from d2ltui.engine.checkup_network import read_gradients, read_loss, read_outputs, read_units
from d2ltui.engine.readings import Reading
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.events import Finding

_OF_DATA = ("data-scale", "label-imbalance")


class Checkup(NamedTuple):
    """All that was looked at, and what is wrong: the cause first."""

    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]

    @property
    def alarmed(self) -> bool:
        """Whether anything is grave."""
        return any(finding.severity == "alarm" for finding in self.findings)


def check(bench: Workbench) -> Checkup:
    """Look at a run before its first step. Nothing of the run itself is changed.

    Raises:
        Cancelled: where the run's control has been asked for an end.
    """
    readings = [read_inputs(bench), read_labels(bench)]
    if all(bool(torch.isfinite(part).all()) for part in (bench.data.x_train, bench.data.y_train)):
        probed = probe(bench.network, bench.x, bench.y)
        weighted = [layer for layer in probed.layers if layer.weight_norm is not None]
        readings += [read_loss(bench, probed.loss), read_outputs(bench, weighted), read_gradients(bench, weighted)]
        bench.go_on()
        readings += [read_units(bench), read_memory(bench)]
    return Checkup(tuple(readings), _in_order(readings))


def _in_order(readings: Sequence[Reading]) -> tuple[Finding, ...]:
    """One finding a rule, the cause first: what was found by trying, else what is gravest. The others follow."""
    tried = [reading.finding for reading in readings if reading.finding is not None and reading.name == "by heart"]
    tried = [finding for finding in tried if finding.rule != "not-learning"]
    seen = [reading.finding for reading in readings if reading.finding is not None]
    ordered = [*tried, *sorted(seen, key=lambda finding: (finding.severity != "alarm", finding.rule != "symmetry"))]
    by_rule: dict[str, Finding] = {}
    for finding in ordered:
        known = by_rule.setdefault(finding.rule, finding)
        if finding.severity == "alarm" != known.severity:
            by_rule[finding.rule] = msgspec.structs.replace(known, severity="alarm")
    first, *others = by_rule.values() or (None,)
    if first is None:
        return ()
    independent = (*_OF_DATA, first.rule)
    return (
        first,
        *(
            other
            if other.rule in independent
            else msgspec.structs.replace(other, because_of=first.rule, remedy={}, try_="")
            for other in others
        ),
    )
