"""Keeping ReLUs alive (section 5.4.2, 12.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
SICK = {**DIGITS, "hidden": "256,256", "init": "normal", "init_std": 1.0, "epochs": 10}


def _dead(run: Trained) -> float:
    """The dead share of the layer that has the most dead units, on all training samples."""
    layers = run.layers(run.data.x_train, run.data.y_train)
    return max((layer.dead for layer in layers if layer.dead is not None), default=0.0)


def revive(bench: Bench) -> Measured:
    """Each remedy against the sick run that it is for."""
    dead: dict[str, float] = {}
    accuracy: dict[str, float] = {}
    drawn: dict[str, list[float]] = {}
    for experiment in bench.lesson.experiments:
        runs = [_train(bench, experiment.role, seed, drawn) for seed in bench.seeds]
        dead[experiment.role] = mean(map(_dead, runs))
        accuracy[experiment.role] = mean(run.accuracy for run in runs)
    figures, remedies, failed = [], 0, []
    for role in dead:
        low, high = {"sick": (None, 0.5), "helps": (0.75, None)}.get(_KIND[role], (None, None))
        figures.append(figure(f"{role}: accuracy", accuracy[role], low, high))
        low, high = {"sick": (0.5, None), "helps": (None, 0.3)}.get(_KIND[role], (None, None))
        figures.append(
            figure(f"{role}: dead in its worst layer", dead[role], low, high, "of the units", _PLAIN.get(role, ""))
        )
        if _KIND[role] == "helps":
            remedies += 1
            failed += [] if all(figure.holds for figure in figures[-2:]) else [role]
    helped = f"All {remedies} remedies help" if not failed else f"{remedies - len(failed)} of {remedies} remedies help"
    return Measured(
        figures,
        f"{helped} against the cause that each is for{'; these do not: ' if failed else ''}{'; '.join(failed)}. "
        "Against another one: Xavier's weights with a rate of 3 end with an accuracy of "
        f"{number(accuracy['too high a rate, Xavier'], 2)}, "
        f"Adagrad with that rate with {number(accuracy['too high a rate, Adagrad'], 2)}.",
        f"{helped} against the cause that each is for: large weights leave "
        f"{whole_percent(dead['large weights'])} of the "
        f"worst layer's units dead, Kaiming's {whole_percent(dead['large weights, Kaiming'])}; too "
        f"high a rate leaves {whole_percent(dead['too high a rate'])}, a lower one "
        f"{whole_percent(dead['too high a rate, a lower one'])}.",
    )


def _train(bench: Bench, role: str, seed: int, drawn: dict[str, list[float]]) -> Trained:
    """Train; `drawn` gets the dead share over the epochs of the first run of each role."""
    shares: list[float] = []
    shown = drawn.setdefault(role, shares)
    data = bench.data(bench.config(role, seed))

    def look(network: Network) -> None:
        from d2ltui.diagnosis.probes import probe

        device = next(network.parameters()).device
        layers = probe(network, data.x_train.to(device), data.y_train.to(device)).layers
        shares.append(max((layer.dead for layer in layers if layer.dead is not None), default=0.0))
        bench.show(_picture(drawn), seed=0)

    return bench.train(role, seed, each_epoch=look if shown is shares else None)


def _picture(drawn: dict[str, list[float]]) -> Panels:
    """The dead share of the worst layer over the epochs, for each cause with the remedies that were tried."""
    panels = []
    colours: dict[str, int] = {}
    for cause in ("large weights", "too high a rate"):
        curves = []
        for role, shares in drawn.items():
            if not role.startswith(cause):
                continue
            label = role.removeprefix(cause).removeprefix(", ").replace("one", "rate") or "no remedy"
            index = colours.setdefault(label, len(colours))
            x = [float(epoch) for epoch in range(len(shares))]
            curves.append(Curve(label, x, [100 * share for share in shares], index, mark=label[0]))
        if curves:
            last = max(len(curve.x) for curve in curves) - 1.0
            diagram = Curves(tuple(curves), x=(0.0, max(last, 1.0)), x_label="epoch", low=0.0, high=100.0, whole=True)
            panels.append(Panel(f"Dead in %: {cause}", diagram))
    return Panels(tuple(panels), columns=2)


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
_PLAIN = {
    "large weights": "Dead with large weights",
    "large weights, Kaiming": "Dead with Kaiming's instead",
    "too high a rate, a lower one": "Dead with a lower rate instead of 3",
}
_KIND = {role: kind for role, kind, _ in REVIVE_RUNS}

LESSON = book_lesson(
    "revive",
    measure=revive,
    experiments=tuple(Experiment(role, {**SICK, **given}) for role, _, given in REVIVE_RUNS),
)
