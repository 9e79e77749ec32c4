"""ReLU is fast (section 5.1.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from torch import Tensor

DIGITS = {"model": "mlp", "dataset": "digits"}
ACCURACY, NUMBERS, REPEATS = 0.9, 1 << 18, 60


def relu_fast(bench: Bench, functions: Mapping[str, Callable[[Tensor], Tensor]] | None = None) -> Measured:
    """Times on this machine's processor, and epochs to an accuracy of 0.9 on digits."""
    import torch

    functions = functions or {"ReLU": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    times = _times(functions, bench.go_on)
    needed: dict[str, list[int]] = {}
    bench.show(_picture(times, needed))
    for experiment in bench.lesson.experiments:
        counts = needed.setdefault(experiment.role, [])
        for seed in bench.seeds:
            counts.append(_epochs_to(bench.train(experiment.role, seed)))
            bench.show(_picture(times, needed))
    late = any(count > bench.config(role).epochs for role, counts in needed.items() for count in counts)
    epochs = {role: mean(counts) for role, counts in needed.items()}
    forward = {name: seconds[0] for name, seconds in times.items()}
    both = {name: sum(seconds) for name, seconds in times.items()}
    return Measured(
        [
            figure(
                _("time for ReLU's outputs and gradients, {numbers:,} numbers").format(numbers=NUMBERS),
                1e6 * both["ReLU"],
                unit="µs",
            ),
            figure(
                _("time for sigmoid's outputs, ReLU's being 1"),
                forward["sigmoid"] / forward["ReLU"],
                low=1.1,
                plain=_("Sigmoid's time for a number, ReLU's being 1"),
            ),
            figure(_("time for tanh's outputs, ReLU's being 1"), forward["tanh"] / forward["ReLU"], low=1.1),
            figure(_("time for sigmoid's outputs and gradients, ReLU's being 1"), both["sigmoid"] / both["ReLU"]),
            figure(_("time for tanh's outputs and gradients, ReLU's being 1"), both["tanh"] / both["ReLU"]),
            *(
                figure(_("epochs to an accuracy of {accuracy}, {role}").format(accuracy=ACCURACY, role=role), count)
                for role, count in epochs.items()
            ),
            figure(
                _("sigmoid's epochs, ReLU's being 1"),
                epochs["sigmoid"] / epochs["ReLU"],
                low=2,
                plain=_("Sigmoid's epochs to an accuracy of {accuracy}, ReLU's being 1").format(accuracy=ACCURACY),
            ),
            figure(_("tanh's epochs, ReLU's being 1"), epochs["tanh"] / epochs["ReLU"]),
        ],
        _(
            "Forward, {cheapest} is the cheapest of the three on this machine. ReLU needs "
            "{epochs_relu} epochs, sigmoid {epochs_sigmoid}, and tanh, which is zero-centred and as "
            "steep at 0, {epochs_tanh}"
        ).format(
            cheapest=min(forward, key=forward.__getitem__),
            epochs_relu=shown(epochs["ReLU"]),
            epochs_sigmoid=shown(epochs["sigmoid"]),
            epochs_tanh=shown(epochs["tanh"]),
        )
        + (
            _("; a run that ended before its accuracy was there counts as one more epoch than it had.")
            if late
            else _(".")
        ),
        _(
            "Sigmoid takes {slower} times as long to compute as ReLU on this machine, and "
            "{epochs_sigmoid} epochs to an accuracy of {accuracy}, where ReLU needs {epochs_relu}."
        ).format(
            slower=number(forward["sigmoid"] / forward["ReLU"], 1),
            epochs_sigmoid=shown(epochs["sigmoid"]),
            accuracy=ACCURACY,
            epochs_relu=shown(epochs["ReLU"]),
        ),
    )


def _picture(times: Mapping[str, tuple[float, float]], needed: Mapping[str, list[int]]) -> Panels:
    """The time for a number, forward, and the mean epochs so far."""
    nanoseconds = tuple(1e9 * seconds[0] / NUMBERS for seconds in times.values())
    panels = [Panel(_("ns for one value"), Bars(tuple(times), nanoseconds, (0, 1, 2)))]
    if epochs := {role: mean(counts) for role, counts in needed.items() if counts}:
        order = list(times)
        colours = tuple(order.index(role) if role in order else 0 for role in epochs)
        panels.append(
            Panel(
                _("epochs to {accuracy} right").format(accuracy=whole_percent(ACCURACY)),
                Bars(tuple(epochs), tuple(epochs.values()), colours),
            )
        )
    return Panels(tuple(panels), columns=2, note=_("shorter is better"))


def _times(
    functions: Mapping[str, Callable[[Tensor], Tensor]], go_on: Callable[[], None]
) -> dict[str, tuple[float, float]]:
    """Seconds forward and backward of each function: the shortest of many, taken in turns, on one core.

    `go_on` is called before each turn, and may raise.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x = torch.randn(NUMBERS, generator=torch.Generator().manual_seed(0)).requires_grad_()
        gradient = torch.ones(NUMBERS)
        best = {name: (float("inf"), float("inf")) for name in functions}
        for _ in range(REPEATS):
            go_on()
            for name, function in functions.items():
                x.grad = None
                began = time.perf_counter()
                y = function(x)
                middle = time.perf_counter()
                y.backward(gradient)  # type: ignore[no-untyped-call]
                end = time.perf_counter()
                best[name] = (min(best[name][0], middle - began), min(best[name][1], end - middle))
        return best
    finally:
        torch.set_num_threads(threads)


def _epochs_to(run: Trained) -> int:
    """The first epoch with the accuracy; one more than there were, if none had it."""
    reached = (epoch.epoch for epoch in run.live.epochs if epoch.val_metric >= ACCURACY)
    return next(reached, (run.live.header.epochs or 0) + 1)


LESSON = book_lesson(
    "relu-fast",
    measure=relu_fast,
    experiments=(
        Experiment("ReLU", {**DIGITS, "activation": "relu", "epochs": 20, "lr": 0.1}),
        Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "epochs": 20, "lr": 0.1}),
        Experiment("tanh", {**DIGITS, "activation": "tanh", "epochs": 20, "lr": 0.1}),
    ),
)
