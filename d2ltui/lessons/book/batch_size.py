"""The batch size: passes over the data, time, and noise (section 3.1.1.4)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.step_losses import loss_curve, losses_of
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent, whole_percent

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Trained
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits", "hidden": "64", "epochs": 6}
SMALL, MIDDLE, LARGE = "batches of 8", "batches of 64", "batches of 512"
LOWEST, HIGHEST = 0.01, 4.0  # losses that are drawn
LAST = 2  # epochs whose losses are asked how much they scatter


def _noise(run: Trained) -> float:
    """How far the loss of a step is from that of the step before, the mean loss being 1; in the last epochs."""
    losses = losses_of(run.live)[-LAST * run.live.config.steps_per_epoch :]
    return mean(abs(b - a) for a, b in itertools.pairwise(losses)) / mean(losses)


def batch_size(bench: Bench) -> Measured:
    """The same network, rate and number of epochs, with three sizes of batches."""
    roles = [experiment.role for experiment in bench.lesson.experiments]
    drawn: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    runs: dict[str, list[Trained]] = {}
    for role in roles:
        runs[role] = [bench.train(role, seed, each_epoch=_follow(bench, role, seed, drawn)) for seed in bench.seeds]
        # The fastest of them: others may have had to wait for the processor.
        seconds[role] = min(run.live.seconds for run in runs[role]) / bench.config(role).epochs
        bench.show(_picture(bench, drawn, seconds), seed=bench.seeds[0])
    accuracy = {role: mean(run.accuracy for run in runs[role]) for role in roles}
    noise = {role: mean(_noise(run) for run in runs[role]) for role in roles}
    gain = accuracy[SMALL] - accuracy[LARGE]
    slower = seconds[SMALL] / seconds[LARGE]
    epochs = bench.config(SMALL).epochs
    return Measured(
        [
            *(
                figure(
                    _("{role}: accuracy after {epochs} epochs").format(role=role_in_words(role), epochs=epochs),
                    accuracy[role],
                )
                for role in roles
            ),
            figure(
                _("accuracy by which the small batches are ahead after as many epochs"),
                gain,
                low=0.2,
                plain=_("Accuracy that {small} are ahead after {epochs} epochs").format(
                    small=role_in_words(SMALL), epochs=epochs
                ),
            ),
            figure(
                _("{small}: change of the loss from one step to the next").format(small=role_in_words(SMALL)),
                noise[SMALL],
                low=0.3,
                unit="of the loss",
                plain=_("From step to step the loss changes, with {small}, by").format(small=role_in_words(SMALL)),
            ),
            figure(
                _("{middle}: change of the loss from one step to the next").format(middle=role_in_words(MIDDLE)),
                noise[MIDDLE],
                unit="of the loss",
            ),
            figure(
                _("{large}: change of the loss from one step to the next").format(large=role_in_words(LARGE)),
                noise[LARGE],
                high=0.1,
                unit="of the loss",
            ),
            figure(
                _("time of an epoch in small batches, in large ones being 1"),
                slower,
                low=2.0,
                plain=_("Time of an epoch with {small}, with {large} being 1").format(
                    small=role_in_words(SMALL), large=role_in_words(LARGE)
                ),
            ),
        ],
        _("; ").join(
            _("{role}: {steps_per_epoch} steps in an epoch").format(
                role=role_in_words(role), steps_per_epoch=bench.config(role).steps_per_epoch
            )
            for role in roles
        )
        + _(
            ". The rate is the same for all. With a higher one the large batches would make up for some of their delay."
        ),
        _(
            "After {epochs} passes over the data the network is right on {accuracy_small} with "
            "{small} and on {accuracy_large} with {large}; but a pass takes {slower} times as long, "
            "and from step to step the loss changes by {noise_small} instead of {noise_large}."
        ).format(
            epochs=epochs,
            accuracy_small=whole_percent(accuracy[SMALL]),
            small=role_in_words(SMALL),
            accuracy_large=whole_percent(accuracy[LARGE]),
            large=role_in_words(LARGE),
            slower=number(slower),
            noise_small=percent(noise[SMALL], 2),
            noise_large=percent(noise[LARGE], 2),
        ),
    )


def _size(bench: Bench, role: str) -> int:
    return bench.config(role).batch_size


def _follow(bench: Bench, role: str, seed: int, drawn: dict[str, list[float]]) -> Callable[[Network], None] | None:
    if seed:
        return None

    def look(network: Network) -> None:
        drawn[role] = losses_of(bench.runs[-1].live)
        bench.show(_picture(bench, drawn, {}), seed=bench.seeds[0])

    return look


def _picture(bench: Bench, drawn: dict[str, list[float]], seconds: dict[str, float]) -> Panels:
    """The loss of each step over the epochs, and the time of an epoch. What is smooth lies before what is noisy."""
    roles = [experiment.role for experiment in bench.lesson.experiments]
    curves: list[Curve] = []
    for role, losses in drawn.items():
        index = roles.index(role)
        label = (_("batches of {size}") if not curves else _("of {size}")).format(size=_size(bench, role))
        curves.append(loss_curve(label, losses, index, "sml"[index], bench.config(role).steps_per_epoch))
    epochs = float(bench.config(roles[0]).epochs)
    lines = Curves(tuple(curves), (0.0, epochs), _("epoch"), low=LOWEST, high=HIGHEST, log=True, whole=True)
    panels = [Panel(_("Loss of each step"), lines)]
    if seconds:
        names = tuple(f"{_size(bench, role)}" for role in seconds)
        times = tuple(1000 * value for value in seconds.values())
        panels.append(
            Panel(_("ms for an epoch"), Bars(names, times, tuple(roles.index(r) for r in seconds), form=",.0f"))
        )
    return Panels(tuple(panels), columns=2)


LESSON = book_lesson(
    "batch-size",
    measure=batch_size,
    experiments=(
        Experiment(SMALL, {**DIGITS, "batch_size": 8}),
        Experiment(MIDDLE, {**DIGITS, "batch_size": 64}),
        Experiment(LARGE, {**DIGITS, "batch_size": 512}),
    ),
)
