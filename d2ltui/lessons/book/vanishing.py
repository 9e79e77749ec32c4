"""The gradient vanishes (section 5.4.1)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.gradient_norms import geometric_mean, gradient_norms
from d2ltui.lessons.measured import Experiment, Figure, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
DEPTHS = (2, 4, 6, 8, 10)
WIDTH = 64
ROLES = ("sigmoid", "tanh", "ReLU")


def _hidden(depth: int) -> str:
    return ",".join([str(WIDTH)] * depth)


def vanishing(bench: Bench) -> Measured:
    """First-to-last gradient norms of networks of two to ten hidden layers, at the start and after training."""
    start: dict[tuple[str, int], float] = {}
    end: dict[tuple[str, int], float] = {}
    accuracy: dict[str, float] = {}
    drawn: dict[tuple[str, int], list[float]] = {}
    bench.expect(len(bench.lesson.experiments) * len(DEPTHS) * len(bench.seeds))
    for experiment in bench.lesson.experiments:
        role = experiment.role
        for depth in DEPTHS:
            at_start, at_end, accuracies = [], [], []
            for seed in bench.seeds:
                ratios: list[float] = []
                hidden = _hidden(depth)
                data = bench.data(bench.config(role, seed))

                def look(
                    network: Network,
                    ratios: list[float] = ratios,
                    data: Dataset = data,
                    of: tuple[str, int] = (role, depth),
                ) -> None:
                    norms = gradient_norms(network, data)
                    if not ratios and norms[-1] > 0:
                        drawn.setdefault(of, [norm / norms[-1] for norm in norms])
                        bench.show(_picture(drawn), seed=0)
                    ratios.append(norms[0] / norms[-1] if norms[-1] > 0 else 0.0)

                run = bench.train(role, seed, label=f"{role}, {depth} layers", each_epoch=look, hidden=hidden)
                at_start.append(ratios[0])
                at_end.append(ratios[-1])
                accuracies.append(run.accuracy)
            start[role, depth], end[role, depth] = geometric_mean(at_start), geometric_mean(at_end)
            accuracy[role] = mean(accuracies)
    deepest = DEPTHS[-1]
    falling = sum(start["sigmoid", a] > start["sigmoid", b] for a, b in itertools.pairwise(DEPTHS))
    bounds: dict[str, tuple[float | None, float | None]] = {"sigmoid": (None, 1e-4), "tanh": (0.05, None)}
    figures: list[Figure] = []
    for role in ROLES:
        low, high = bounds.get(role, (0.05, None))
        for depth in DEPTHS:
            band = (low, high) if depth == deepest else (None, None)
            plain = (
                _("First layer's gradient, the last's being 1, {depth} layers of {role}").format(depth=depth, role=role)
                if depth == deepest
                else ""
            )
            what = _("{role}, {depth} hidden layers: first to last gradient at the start").format(
                role=role, depth=depth
            )
            figures.append(figure(what, start[role, depth], *band, plain=plain))
            figures.append(
                figure(
                    _("{role}, {depth} hidden layers: after training").format(role=role, depth=depth),
                    end[role, depth],
                    *band,
                )
            )
        figures.append(
            figure(_("{role}, {deepest} hidden layers: accuracy").format(role=role, deepest=deepest), accuracy[role])
        )
    figures.append(
        figure(
            _("of {depths} deeper networks, those in which sigmoid loses still more").format(depths=len(DEPTHS) - 1),
            falling,
            low=len(DEPTHS) - 1,
        )
    )
    least, most = start["sigmoid", deepest], start["sigmoid", DEPTHS[0]]
    comment = _(
        "A slope of ¼, and weights that neither shrink nor grow the gradient, divide it by 4; tanh's slope at 0 is 1."
    )
    if least > 0 and most > 0:  # not where one of them is nan, either
        lost = (most / least) ** (1 / (deepest - DEPTHS[0]))
        comment = _("Each sigmoid layer divides the first layer's gradient by about {lost}. {comment}").format(
            lost=shown(lost), comment=comment
        )
    said = _(
        "On the way through {deepest} layers the first one's gradient is {sigmoid} "
        "of the last one's with sigmoid, {tanh} with tanh and {relu} "
        "with ReLU; after training, sigmoid's accuracy is {accuracy_sigmoid}, ReLU's "
        "{accuracy_relu}."
    ).format(
        deepest=deepest,
        sigmoid=shown(start["sigmoid", deepest]),
        tanh=shown(start["tanh", deepest]),
        relu=shown(start["ReLU", deepest]),
        accuracy_sigmoid=number(accuracy["sigmoid"], 2),
        accuracy_relu=number(accuracy["ReLU"], 2),
    )
    return Measured(figures, comment, said)


def _picture(drawn: dict[tuple[str, int], list[float]]) -> Panels:
    """Each layer's gradient, the last one's being 1; of each activation the deepest network is told by its name."""
    deepest = {role: max(depth for other, depth in drawn if other == role) for role, _ in drawn}
    colours = {role: index for index, role in enumerate(ROLES)}
    curves = [
        Curve(
            role if depth == deepest[role] else "",
            [float(layer) for layer in range(1, len(norms) + 1)],
            norms,
            colours[role],
            mark=role[0] if depth == deepest[role] else "",
            faint=depth != deepest[role],
        )
        for (role, depth), norms in drawn.items()
    ]
    last = float(max(map(len, drawn.values())))
    title = _("Gradient by layer: {depth} hidden, and outputs").format(depth=max(deepest.values()))
    diagram = Curves(tuple(curves), x=(1.0, last), x_label=_("layer"), log=True, whole=True)
    return Panels((Panel(title, diagram),), columns=1, note=_("the last layer's being 1; faint: fewer layers"))


LESSON = book_lesson(
    "vanishing",
    measure=vanishing,
    experiments=tuple(
        # The shallowest of those that are trained.
        Experiment(
            role, {**DIGITS, "activation": role.lower(), "init": "xavier", "hidden": _hidden(DEPTHS[0]), "epochs": 5}
        )
        for role in ROLES
    ),
)
