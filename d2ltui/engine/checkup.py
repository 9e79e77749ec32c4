"""What would go wrong with a run, before its first step: figures of the data and of the network as it starts, and
whether it can learn a handful of samples by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from d2ltui.diagnosis.at_start import OF_DATA
from d2ltui.diagnosis.probes import probe
from d2ltui.engine.checkup_data import read_inputs, read_labels
from d2ltui.engine.checkup_memory import read_memory
from d2ltui.engine.checkup_network import read_gradients, read_loss, read_outputs, read_units
from d2ltui.engine.readings import Reading
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.events import Finding, LayersProbed


class Checkup(NamedTuple):
    """All that was looked at, and what is wrong: the cause first."""

    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]

    @property
    def alarmed(self) -> bool:
        """Whether anything is grave."""
        return any(finding.severity == "alarm" for finding in self.findings)


def check(bench: Workbench, tell: Callable[[Reading], None] = lambda reading: None) -> Checkup:
    """Look at a run before its first step. Nothing of the run itself is changed.

    `tell` is called with each reading as soon as it is there.

    Raises:
        Cancelled: where the run's control has been asked for an end.
    """
    readings: list[Reading] = []
    for read in _all_readings(bench):
        bench.go_on()
        readings.append(read)
        tell(read)
    return Checkup(tuple(readings), _in_order(readings))


def check_start(bench: Workbench, probed: LayersProbed | None) -> tuple[Finding, ...]:
    """What is wrong with the data and with the network as it starts, the cause first: what takes no training to see.

    `probed` is a look at the untrained network; without one, only the data are looked at.
    """
    readings = list(_of_data(bench))
    if probed is not None and all(reading.finite for reading in readings):
        readings += _of_network(bench, probed)
    return _in_order(readings)


def _all_readings(bench: Workbench) -> Iterator[Reading]:
    of_data = list(_of_data(bench))
    yield from of_data
    if all(reading.finite for reading in of_data):
        yield from _of_network(bench, probe(bench.network, bench.x, bench.y))
        yield read_memory(bench)


def _of_data(bench: Workbench) -> Iterator[Reading]:
    yield read_inputs(bench)
    yield read_labels(bench)


def _of_network(bench: Workbench, probed: LayersProbed) -> Iterator[Reading]:
    weighted = [layer for layer in probed.layers if layer.weight_norm is not None]
    yield read_loss(bench, probed.loss)
    yield read_outputs(bench, weighted)
    yield read_gradients(bench, weighted)
    yield read_units(bench)


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
    independent = (*OF_DATA, first.rule)
    return (
        first,
        *(
            other
            if other.rule in independent
            else msgspec.structs.replace(other, because_of=first.rule, remedy={}, try_="")
            for other in others
        ),
    )
