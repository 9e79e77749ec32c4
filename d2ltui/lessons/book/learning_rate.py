"""The learning rate: too low, about right, too high (section 3.4.6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.gradient_norms import geometric_mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.step_losses import loss_curve, losses_of
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent, setting

if TYPE_CHECKING:
    from d2ltui.nn import Network

LINEAR = {"model": "linear", "dataset": "synthetic-linear"}
ROLES = ("too low", "about right", "too high")
LOWEST, HIGHEST = 1e-5, 1e10  # losses that are drawn: those of a rate that is too high grow beyond any screen
LAST = 10  # steps whose loss is that at the end


def learning_rate(bench: Bench) -> Measured:
    """Three rates, and what each leaves of the loss."""
    drawn: dict[str, list[float]] = {}
    left: dict[str, float] = {}
    for role in ROLES:
        left[role] = geometric_mean([_train(bench, role, seed, drawn) for seed in bench.seeds])
    rates = {role: setting(bench.config(role).lr) for role in ROLES}
    steps = bench.config("about right").total_steps
    low, right, high = (left[role] for role in ROLES)
    return Measured(
        [
            figure(
                _("a rate of {rate}: what is left of the loss").format(rate=rates["too low"]),
                low,
                low=0.3,
                high=1.0,
                unit="of the first loss",
                plain=_("Loss that is left with a rate of {rate}").format(rate=rates["too low"]),
            ),
            figure(
                _("a rate of {rate}: what is left of the loss").format(rate=rates["about right"]),
                right,
                high=1e-3,
                unit="of the first loss",
                plain=_("Loss that is left with a rate of {rate}").format(rate=rates["about right"]),
            ),
            figure(
                _("a rate of {rate}: the last loss, the first one's being 1").format(rate=rates["too high"]),
                high,
                low=100.0,
                plain=_("Last loss with a rate of {rate}, the first being 1").format(rate=rates["too high"]),
            ),
        ],
        _(
            "{steps} steps each, means over {seeds} draws of the data. With the middle rate what is "
            "left is the noise of the labels, below which no line can get."
        ).format(steps=steps, seeds=len(bench.seeds)),
        _(
            "After {steps} steps {low} of the loss is left with the low rate and {right} with the "
            "middle one; with the high one the loss is {high} times what it was."
        ).format(steps=steps, low=percent(low), right=percent(right, tiny=True), high=number(high, 2)),
    )


def _train(bench: Bench, role: str, seed: int, drawn: dict[str, list[float]]) -> float:
    """The loss of the last steps, that of the whole training part at the start being 1; `drawn` gets the first run."""
    data = bench.data(bench.config(role, seed))
    starts: list[float] = []

    def look(network: Network) -> None:
        if not starts:
            import torch

            device = next(network.parameters()).device
            with torch.no_grad():
                starts.append(float(network.loss(network(data.x_train.to(device)), data.y_train.to(device))))
        show()

    def show() -> None:
        if seed == 0:
            drawn[role] = losses_of(bench.runs[-1].live)
            bench.show(_picture(bench, drawn), seed=bench.seeds[0])

    bench.train(role, seed, each_epoch=look)
    show()  # also of a run whose loss is no number any more, and which has ended early
    losses = [loss for loss in losses_of(bench.runs[-1].live) if math.isfinite(loss)]
    return mean(losses[-LAST:]) / starts[0]


def _picture(bench: Bench, drawn: dict[str, list[float]]) -> Panels:
    """The loss of each step on a logarithmic axis, a line for each rate: low, middle, high."""
    curves = tuple(
        loss_curve(setting(bench.config(role).lr), losses, index, "lmh"[index])
        for index, (role, losses) in enumerate(drawn.items())
    )
    ends = (1.0, float(bench.config("about right").total_steps))
    diagram = Curves(curves, ends, _("step"), low=LOWEST, high=HIGHEST, log=True, whole=True)
    return Panels((Panel(_("Loss of each step, as far as the axis goes"), diagram),), columns=1)


LESSON = book_lesson(
    "learning-rate",
    measure=learning_rate,
    experiments=(
        Experiment("too low", {**LINEAR, "lr": 0.001}),
        Experiment("about right", {**LINEAR, "lr": 0.1}),
        Experiment("too high", {**LINEAR, "lr": 1.2}),
    ),
)
