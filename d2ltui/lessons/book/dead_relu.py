"""ReLUs die (section 5.1.2)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from d2ltui.lessons.bench import Bench, accuracy_figure, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Panel, Panels, Raster
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
SICK = {**DIGITS, "hidden": "256,256", "init": "normal", "init_std": 1.0, "epochs": 10}
NARROWEST = 28  # columns of a panel, into which its title must fit


class Deaths(NamedTuple):
    """Of the first hidden layer, on all training samples: the dead units at the start and after each epoch."""

    dead: list[set[int]]
    units: int
    accuracy: float
    diverged: bool = False

    @property
    def share(self) -> float:
        """The dead share at the end."""
        return len(self.dead[-1]) / self.units

    @property
    def died(self) -> set[int]:
        """The units that were dead at the end of some epoch."""
        return set().union(*self.dead[1:])

    @property
    def revived(self) -> set[int]:
        """Those of them that were not dead at the end of a later one."""
        return set().union(*(before - after for before, after in itertools.pairwise(self.dead[1:])))


def _follow(bench: Bench, role: str, seed: int, drawn: dict[str, list[set[int]]]) -> Deaths:
    """Train; `drawn` gets the first run of each role."""
    data = bench.data(bench.config(role, seed))
    dead: list[set[int]] = []
    shown = drawn.setdefault(role, dead)
    units = bench.config(role).hidden[0]

    def look(network: Network, data: Dataset = data) -> None:
        from d2ltui.diagnosis.probes import probe

        device = next(network.parameters()).device
        layers = probe(network, data.x_train.to(device), data.y_train.to(device), units=True).layers
        # Only a ReLU's units can be dead; a saturated one still has some slope.
        relu = next((layer for layer in layers if layer.dead is not None), None)
        activity = relu.unit_activity if relu is not None else None
        dead.append({unit for unit, active in enumerate(activity or ()) if active == 0})
        if shown is dead:
            bench.show(_picture(drawn, units), seed=0)

    run = bench.train(role, seed, each_epoch=look)
    return Deaths(dead, units, run.accuracy, run.diverged)


def dead_relu(bench: Bench) -> Measured:
    """Dead units over time, counted on every training sample: gone for good is a claim about all of them."""
    drawn: dict[str, list[set[int]]] = {}
    found = {e.role: [_follow(bench, e.role, seed, drawn) for seed in bench.seeds] for e in bench.lesson.experiments}

    def share(role: str) -> float:
        return mean(deaths.share for deaths in found[role])

    # The titles tell what the verdict tells: the mean of all seeds, though the first is drawn.
    units = bench.config("healthy").hidden[0]
    bench.show(_picture(drawn, units, {role: share(role) for role in found}), seed=0)
    high, large = "a rate of 3", "large weights"
    revived = sum(len(deaths.revived) for role in (high, large) for deaths in found[role])
    died = sum(len(deaths.died) for role in (high, large) for deaths in found[role])
    at_start = mean(len(deaths.dead[0]) / deaths.units for deaths in found[high])
    after_one = mean(len(deaths.dead[1]) / deaths.units for deaths in found[high])
    shallow = share("large weights, one hidden layer")
    return Measured(
        [
            figure(_("a rate of 3: dead at the start"), at_start, 0, 0.1, "of the units"),
            figure(_("a rate of 3: dead after one epoch"), after_one, low=0.5, unit="of the units"),
            figure(
                _("a rate of 3: dead at the end"),
                share(high),
                low=0.5,
                unit="of the units",
                plain=_("Dead with a rate of 3"),
            ),
            accuracy_figure(_("a rate of 3: accuracy"), found[high]),
            figure(_("large weights, two hidden layers: dead at the end"), share(large), low=0.5, unit="of the units"),
            figure(_("large weights, one hidden layer: dead at the end"), shallow, unit="of the units"),
            figure(
                _("torch.nn's start, the usual rate: dead at the end"),
                share("healthy"),
                0,
                0.15,
                "of the units",
                _("Dead with the usual rate and start"),
            ),
            figure(
                _("of {died:,} units that died, those that came back in a later epoch").format(died=died),
                revived,
                0,
                0,
                plain=_("Of {died:,} units that died, alive again later").format(died=died),
            ),
        ],
        _(
            "Of the first layer's units that start from the same large weights, {share} are dead at "
            "the end where a second hidden layer follows, and {shallow} where none does."
        ).format(share=whole_percent(share(large)), shallow=whole_percent(shallow)),
        _(
            "A rate of 3 leaves {high} of the first layer's ReLUs dead, large initial weights "
            "{large}, the usual rate and start {healthy}; of {died:,} units that died {revived} came "
            "back."
        ).format(
            high=whole_percent(share(high)),
            large=whole_percent(share(large)),
            healthy=whole_percent(share("healthy")),
            died=died,
            revived=revived or _("none"),
        ),
    )


def _picture(drawn: dict[str, list[set[int]]], units: int, shares: Mapping[str, float] | None = None) -> Panels:
    """A row for each unit, a column for each epoch, those that die first at the bottom.

    `shares` are those that are dead, by role, where they are not those of what is drawn.
    """
    import numpy as np

    short = {
        "a rate of 3": _("rate 3"),
        "large weights": _("big sd, 2 layers"),
        "large weights, one hidden layer": _("big sd, 1 layer"),
    }
    panels = []
    for role, dead in drawn.items():
        share = (shares or {}).get(role, len(dead[-1]) / units)
        alive_for = [sum(unit not in then for then in dead) for unit in range(units)]
        order = sorted(range(units), key=lambda unit: (alive_for[unit], unit), reverse=True)
        values = np.array([[float(unit in then) for then in dead] for unit in order], np.float32)
        raster = Raster(values, (_("alive"), _("dead")), (_("start"), _("epoch {epoch}").format(epoch=len(dead) - 1)))
        name = short.get(role) or role_in_words(role)
        title = _("{name}: {share} dead").format(name=name, share=whole_percent(share))
        panels.append(Panel(title, raster))
    note = _("{units} units from top to bottom; in between: some dead").format(units=units)
    return Panels(tuple(panels), columns=4, note=note, narrowest=NARROWEST, main=(0, 3))


LESSON = book_lesson(
    "dead-relu",
    measure=dead_relu,
    experiments=(
        Experiment("a rate of 3", {**DIGITS, "lr": 3.0, "epochs": 10}),
        Experiment("large weights", {**SICK}),
        Experiment("large weights, one hidden layer", {**SICK, "hidden": "256"}),
        Experiment("healthy", {**DIGITS, "epochs": 10}),
    ),
)
