"""Keeping ReLUs alive (section 5.4.2, 12.7)."""

from __future__ import annotations

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.numbers import number

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
        f"{number(accuracy['too high a rate, Xavier'], 2)}, "
        f"Adagrad with that rate with {number(accuracy['too high a rate, Adagrad'], 2)}.",
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

LESSON = book_lesson(
    "revive",
    measure=revive,
    experiments=tuple(Experiment(role, {**SICK, **given}) for role, _, given in REVIVE_RUNS),
)
