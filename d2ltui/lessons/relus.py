"""Lessons about ReLUs that die, and what keeps them alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
SICK = {**DIGITS, "hidden": "256,256", "init": "normal", "init_std": 1.0, "epochs": 10}


class Deaths(NamedTuple):
    """Of the first hidden layer, on all training samples: the dead units at the start and after each epoch."""

    dead: list[set[int]]
    units: int
    accuracy: float

    @property
    def share(self) -> float:
        """The dead share at the end."""
        return len(self.dead[-1]) / self.units

    @property
    def revived(self) -> int:
        """How many units that were dead at the end of an epoch were not at the end of the next."""
        return sum(len(before - after) for before, after in zip(self.dead[1:], self.dead[2:], strict=False))


def _follow(bench: Bench, role: str, seed: int) -> Deaths:
    data = bench.data(bench.config(role, seed))
    dead: list[set[int]] = []
    units = bench.config(role).hidden[0]

    def look(network: Network, data: Dataset = data) -> None:
        from d2ltui.diagnosis.probes import probe

        device = next(network.parameters()).device
        layers = probe(network, data.x_train.to(device), data.y_train.to(device), units=True).layers
        # Only a ReLU's units can be dead; a saturated one still has some slope.
        relu = next((layer for layer in layers if layer.dead is not None), None)
        activity = relu.unit_activity if relu is not None else None
        dead.append({unit for unit, active in enumerate(activity or ()) if active == 0})

    run = bench.train(role, seed, each_epoch=look)
    return Deaths(dead, units, run.accuracy)


def dead_relu(bench: Bench) -> Measured:
    """Dead units over time, counted on every training sample: gone for good is a claim about all of them."""
    found = {e.role: [_follow(bench, e.role, seed) for seed in bench.seeds] for e in bench.lesson.experiments}

    def share(role: str) -> float:
        return mean(deaths.share for deaths in found[role])

    high, large = "a rate of 3", "large weights"
    revived = sum(deaths.revived for role in (high, large) for deaths in found[role])
    died = sum(len(deaths.dead[-1]) for role in (high, large) for deaths in found[role])
    at_start = mean(len(deaths.dead[0]) / deaths.units for deaths in found[high])
    after_one = mean(len(deaths.dead[1]) / deaths.units for deaths in found[high])
    shallow = share("large weights, one hidden layer")
    return Measured(
        [
            figure("a rate of 3: dead at the start", at_start, 0, 0.1, "of the units"),
            figure("a rate of 3: dead after one epoch", after_one, low=0.5, unit="of the units"),
            figure("a rate of 3: dead at the end", share(high), low=0.5, unit="of the units"),
            figure("a rate of 3: accuracy", mean(deaths.accuracy for deaths in found[high])),
            figure("large weights, two hidden layers: dead at the end", share(large), low=0.5, unit="of the units"),
            figure("large weights, one hidden layer: dead at the end", shallow, unit="of the units"),
            figure("torch.nn's start, the usual rate: dead at the end", share("healthy"), 0, 0.15, "of the units"),
            figure(f"dead units, of {died}, that came back in a later epoch", revived, 0, 0),
        ],
        f"Of the first layer's units that start from the same large weights, {100 * share(large):.0f} % are dead at "
        f"the end where a second hidden layer follows, and {100 * shallow:.0f} % where none does.",
    )


DEAD_RELU = Lesson(
    name="dead-relu",
    title="ReLUs die",
    section="5.1.2",
    claim="Too high a rate kills ReLUs, and so does a bad initialisation; for good.",
    formula="ReLU(wx + b) = 0 for all x  ⟹  ∂L/∂w = 0 and ∂L/∂b = 0: w and b stay what they are",
    text="""\
A step that is too long can throw a unit's weights and bias so far into the negative that its input is below 0 for
every sample. Its output is 0 then, and so is its slope: no gradient arrives, and nothing will move it back. The
network goes on with fewer units; when all of a layer are dead, it knows nothing of its inputs any more.

A unit that is dead for one batch is not dead: another sample may wake it. So the lesson asks all training samples,
in the first hidden layer, whose inputs do not change. Units of later layers may come back, when the layers below
them move; weight decay and momentum can move weights without a gradient, too.

A bad initialisation kills in the same way: large weights make large gradients, and those make long steps at the
usual rate. How large the gradients are depends on how many layers multiply them.""",
    measure=dead_relu,
    experiments=(
        Experiment("a rate of 3", {**DIGITS, "lr": 3.0, "epochs": 10}),
        Experiment("large weights", {**SICK}),
        Experiment("large weights, one hidden layer", {**SICK, "hidden": "256"}),
        Experiment("healthy", {**DIGITS, "epochs": 10}),
    ),
)


def _dead(run: Trained) -> float:
    """The dead share of the layer that has the most dead units, on all training samples."""
    layers = run.layers(run.data.x_train, run.data.y_train)
    return max((layer.dead for layer in layers if layer.dead is not None), default=0.0)


def revive(bench: Bench) -> Measured:
    """Each remedy against the sick run that it is for."""
    dead: dict[str, float] = {}
    accuracy: dict[str, float] = {}
    for experiment in bench.lesson.experiments:
        runs = [bench.train(experiment.role, seed) for seed in bench.seeds]
        dead[experiment.role] = mean(map(_dead, runs))
        accuracy[experiment.role] = mean(run.accuracy for run in runs)
    figures, remedies, failed = [], 0, []
    for role in dead:
        low, high = {"sick": (None, 0.5), "helps": (0.75, None)}.get(_KIND[role], (None, None))
        figures.append(figure(f"{role}: accuracy", accuracy[role], low, high))
        low, high = {"sick": (0.5, None), "helps": (None, 0.3)}.get(_KIND[role], (None, None))
        figures.append(figure(f"{role}: dead in its worst layer", dead[role], low, high, "of the units"))
        if _KIND[role] == "helps":
            remedies += 1
            failed += [] if all(figure.holds for figure in figures[-2:]) else [role]
    helped = f"All {remedies} remedies help" if not failed else f"{remedies - len(failed)} of {remedies} remedies help"
    return Measured(
        figures,
        f"{helped} against the cause that each is for{'; these do not: ' if failed else ''}{'; '.join(failed)}. "
        "Against another one: Xavier's weights with a rate of 3 end with an accuracy of "
        f"{accuracy['too high a rate, Xavier']:.2f}, "
        f"Adagrad with that rate with {accuracy['too high a rate, Adagrad']:.2f}.",
    )


REVIVE_RUNS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("large weights", "sick", {}),
    ("large weights, Xavier", "helps", {"init": "xavier"}),
    ("large weights, Kaiming", "helps", {"init": "kaiming"}),
    ("large weights, a lower rate", "helps", {"lr": 0.01}),
    ("large weights, Adagrad", "helps", {"optimizer": "adagrad"}),
    ("too high a rate", "sick", {"lr": 3.0, "init": "default"}),
    ("too high a rate, a lower one", "helps", {"init": "default"}),
    ("too high a rate, Xavier", "told", {"lr": 3.0, "init": "xavier"}),
    ("too high a rate, Adagrad", "told", {"lr": 3.0, "init": "default", "optimizer": "adagrad"}),
)
_KIND = {role: kind for role, kind, _ in REVIVE_RUNS}

REVIVE = Lesson(
    name="revive",
    title="Keeping ReLUs alive",
    section="5.4.2, 12.7",
    claim="Xavier's or Kaiming's initialisation, a lower rate, Adagrad keep ReLUs alive, each against its own cause.",
    formula="Xavier: sd = √(2 / (n_in + n_out))\nKaiming: sd = √(2 / n_in)\nAdagrad: w ← w − η g / √(Σ g²)",
    text="""\
The dead cannot be woken; one trains again, differently. Xavier's and Kaiming's rules choose the weights' sd so that
signals neither grow nor shrink from layer to layer, and the first gradients are of a bearable size. A lower rate
makes the same gradient a shorter step. Adagrad divides each weight's step by the size of its past gradients, so
that even the first step is no longer than its rate.

Each works against what it is for. A good start does not survive a rate of 3, and at that rate Adagrad's steps are
long as well. If you know only that ReLUs are dying: start with Xavier or Kaiming, and with the usual rate.""",
    measure=revive,
    experiments=tuple(Experiment(role, {**SICK, **given}) for role, _, given in REVIVE_RUNS),
)

LESSONS: tuple[Lesson, ...] = (DEAD_RELU, REVIVE)
