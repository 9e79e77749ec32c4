"""Keeping ReLUs alive (section 5.4.2, 12.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, accuracy_figure, mean, outcome
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

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
    trained: dict[str, list[Trained]] = {}
    drawn: dict[str, list[float]] = {}
    for experiment in bench.lesson.experiments:
        runs = [_train(bench, experiment.role, seed, drawn) for seed in bench.seeds]
        dead[experiment.role] = mean(map(_dead, runs))
        trained[experiment.role] = runs
    figures, remedies, failed = [], 0, []
    for role in dead:
        low, high = {"sick": (None, 0.5), "helps": (0.75, None)}.get(_KIND[role], (None, None))
        figures.append(
            accuracy_figure(_("{role}: accuracy").format(role=role_in_words(role)), trained[role], low, high)
        )
        low, high = {"sick": (0.5, None), "helps": (None, 0.3)}.get(_KIND[role], (None, None))
        figures.append(
            figure(
                _("{role}: dead in its worst layer").format(role=role_in_words(role)),
                dead[role],
                low,
                high,
                "of the units",
                _plain(role),
            )
        )
        if _KIND[role] == "helps":
            remedies += 1
            failed += [] if all(figure.holds for figure in figures[-2:]) else [role]
    helped = (
        _("All {remedies} remedies help").format(remedies=remedies)
        if not failed
        else _("{failed} of {remedies} remedies help").format(failed=remedies - len(failed), remedies=remedies)
    )
    return Measured(
        figures,
        _(
            "{helped} against the cause that each is for{failed}. Against another one, a rate of 3: with "
            "Xavier's weights {xavier}; with Adagrad {adagrad}."
        ).format(
            helped=helped,
            failed=_("; these do not: {remedies}").format(remedies=_("; ").join(map(role_in_words, failed)))
            if failed
            else "",
            xavier=outcome(trained["too high a rate, Xavier"]),
            adagrad=outcome(trained["too high a rate, Adagrad"]),
        ),
        _(
            "{helped} against the cause that each is for: large weights leave {sick} of"
            " the worst layer's units dead, Kaiming's {kaiming}; too high a rate "
            "leaves {high}, a lower one {lower}."
        ).format(
            helped=helped,
            sick=whole_percent(dead["large weights"]),
            kaiming=whole_percent(dead["large weights, Kaiming"]),
            high=whole_percent(dead["too high a rate"]),
            lower=whole_percent(dead["too high a rate, a lower one"]),
        ),
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
    causes = {"large weights": _("large weights"), "too high a rate": _("rate too high")}
    colours: dict[str, int] = {}
    for cause in causes:
        curves = []
        for role, shares in drawn.items():
            if not role.startswith(cause):
                continue
            label = role.removeprefix(cause).removeprefix(", ").replace("one", "rate") or "no remedy"
            index = colours.setdefault(label, len(colours))
            x = [float(epoch) for epoch in range(len(shares))]
            curves.append(Curve(role_in_words(label), x, [100 * share for share in shares], index, mark=label[0]))
        if curves:
            last = max(len(curve.x) for curve in curves) - 1.0
            diagram = Curves(
                tuple(curves), x=(0.0, max(last, 1.0)), x_label=_("epoch"), low=0.0, high=100.0, whole=True
            )
            panels.append(Panel(_("{cause}: % dead").format(cause=causes[cause]), diagram))
    note = _("Kaiming: against large weights only") if len(panels) == len(causes) else ""
    return Panels(tuple(panels), columns=2, note=note)


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


def _plain(role: str) -> str:
    """What is said first of the dead in the runs of that role; "" of the others."""
    said = {
        "large weights": _("Dead with large weights"),
        "large weights, Kaiming": _("Dead with Kaiming's instead"),
        "too high a rate, a lower one": _("Dead with a lower rate instead of 3"),
    }
    return said.get(role, "")


LESSON = book_lesson(
    "revive",
    measure=revive,
    experiments=tuple(Experiment(role, {**SICK, **given}) for role, _, given in REVIVE_RUNS),
)
