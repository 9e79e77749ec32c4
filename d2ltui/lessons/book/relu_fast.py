"""ReLU is fast (section 5.1.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson

if TYPE_CHECKING:
    from torch import Tensor

DIGITS = {"model": "mlp", "dataset": "digits"}
ACCURACY, NUMBERS, REPEATS = 0.9, 1 << 18, 60


def relu_fast(bench: Bench, functions: Mapping[str, Callable[[Tensor], Tensor]] | None = None) -> Measured:
    """Times on this machine's processor, and epochs to an accuracy of 0.9 on digits."""
    import torch

    functions = functions or {"ReLU": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    times = _times(functions, bench.go_on)
    needed = {e.role: [_epochs_to(bench.train(e.role, seed)) for seed in bench.seeds] for e in bench.lesson.experiments}
    late = any(count > bench.config(role).epochs for role, counts in needed.items() for count in counts)
    epochs = {role: mean(counts) for role, counts in needed.items()}
    forward = {name: seconds[0] for name, seconds in times.items()}
    both = {name: sum(seconds) for name, seconds in times.items()}
    return Measured(
        [
            figure(f"ReLU, forward and backward, {NUMBERS:,} numbers", 1e6 * both["ReLU"], unit="µs"),
            figure("sigmoid's time forward, ReLU's being 1", forward["sigmoid"] / forward["ReLU"], low=1.1),
            figure("tanh's time forward", forward["tanh"] / forward["ReLU"], low=1.1),
            figure("sigmoid's time forward and backward", both["sigmoid"] / both["ReLU"]),
            figure("tanh's time forward and backward", both["tanh"] / both["ReLU"]),
            *(figure(f"epochs to an accuracy of {ACCURACY}, {role}", count) for role, count in epochs.items()),
            figure("sigmoid's epochs, ReLU's being 1", epochs["sigmoid"] / epochs["ReLU"], low=2),
            figure("tanh's epochs, ReLU's being 1", epochs["tanh"] / epochs["ReLU"]),
        ],
        f"Forward, {min(forward, key=forward.__getitem__)} is the cheapest of the three on this machine. ReLU needs "
        f"{shown(epochs['ReLU'])} epochs, sigmoid {shown(epochs['sigmoid'])}, and tanh, which is zero-centred and as "
        f"steep at 0, {shown(epochs['tanh'])}"
        + ("; a run that ended before its accuracy was there counts as one more epoch than it had." if late else "."),
    )


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
