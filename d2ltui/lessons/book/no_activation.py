"""Without an activation, depth is an illusion (section 5.1)."""

from __future__ import annotations

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson

DIGITS = {"model": "mlp", "dataset": "digits"}


def no_activation(bench: Bench) -> Measured:
    """A deep network without activations against the one matrix that it equals."""
    deep = [bench.train("no activation", seed) for seed in bench.seeds]
    softmax = [bench.train("softmax regression", seed) for seed in bench.seeds]
    straight = [bench.train("circles, no activation", seed) for seed in bench.seeds]
    bent = [bench.train("circles, ReLU", seed) for seed in bench.seeds]
    gain = mean(run.accuracy for run in deep) - mean(run.accuracy for run in softmax)
    layers = len(deep[0].network.weights())
    return Measured(
        [
            figure("outputs against those of the one matrix: largest relative distance", max(map(_off, deep)), 0, 1e-5),
            figure("accuracy on digits without activation", mean(run.accuracy for run in deep)),
            figure("its gain over softmax regression", gain, -0.03, 0.03),
            figure("accuracy on circles without activation", mean(run.accuracy for run in straight), 0.3, 0.65),
            figure("accuracy on circles with ReLU", mean(run.accuracy for run in bent), low=0.95),
        ],
        f"{layers} linear layers are one. No straight line separates a circle from the one around it, and guessing is "
        "right half the time.",
    )


def _off(run: Trained) -> float:
    """How far the outputs are from xW + b with W the product of the weights, relative to the largest output."""
    import torch

    inputs = run.data.x_val
    weight = torch.eye(inputs.shape[1], dtype=torch.float64)
    bias = torch.zeros(inputs.shape[1], dtype=torch.float64)
    for _, w, b in run.network.weights():
        w, b = w.cpu().double(), b.cpu().double()
        weight, bias = weight @ w, bias @ w + b
    outputs = run.outputs(inputs).double()
    return float((inputs.double() @ weight + bias - outputs).abs().max() / outputs.abs().max())


LESSON = book_lesson(
    "no-activation",
    measure=no_activation,
    experiments=(
        Experiment("no activation", {**DIGITS, "activation": "identity", "hidden": "64,32", "epochs": 20}),
        Experiment("softmax regression", {"model": "softmax", "dataset": "digits", "epochs": 40}),
        Experiment(
            "circles, no activation", {"model": "mlp", "dataset": "circles", "activation": "identity", "epochs": 20}
        ),
        Experiment("circles, ReLU", {"model": "mlp", "dataset": "circles", "activation": "relu", "epochs": 40}),
    ),
)
