"""Lessons about activation functions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure, shown

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.spec.events import LayerStats

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


NO_ACTIVATION = Lesson(
    name="no-activation",
    title="Without an activation, depth is an illusion",
    section="5.1",
    claim="Without an activation, any depth is one linear map.",
    formula="(XW₁ + b₁)W₂ + b₂ = X(W₁W₂) + (b₁W₂ + b₂) = XW + b",
    text="""\
Multiplying by one matrix and then by another is multiplying by their product. So a network of linear layers,
however deep, computes nothing that a single layer cannot: the lesson multiplies the weights together and gets the
same outputs, up to the rounding of float32.

It is no better than softmax regression then, and where the classes cannot be separated by a straight line, as with
a circle inside another, it is hardly better than guessing. One bent function between the layers changes that.""",
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

STARTS = (0.01, 0.1, 1.0, 5.0)


def sigmoid_saturates(bench: Bench) -> Measured:
    """Section 5.1.2's slopes, and the share of saturated outputs against the initial standard deviation."""
    from d2ltui.diagnosis.probes import probe
    from d2ltui.nn import build

    (role,) = (experiment.role for experiment in bench.lesson.experiments)
    shares = []
    for sd in STARTS:
        found = []
        for seed in bench.seeds:
            config = bench.config(role, seed, init="normal", init_std=sd)
            data = bench.data(config)
            layers = probe(build(config), data.x_train, data.y_train).layers
            found.append(next((layer.saturated for layer in layers if layer.saturated is not None), 0.0))
        shares.append(mean(found))
    activation = bench.config(role).activation
    rising = sum(a < b for a, b in itertools.pairwise(shares[1:]))
    return Measured(
        [
            figure("slope at 0", _slope(activation, 0.0), 0.25, 0.25),
            figure("slope at −8", _slope(activation, -8.0), 3.34e-4, 3.36e-4),
            figure("slope at 8", _slope(activation, 8.0), 3.34e-4, 3.36e-4),
            *(figure(f"saturated outputs, initial sd {sd}", share) for sd, share in zip(STARTS, shares, strict=True)),
            figure("saturated outputs where the weights start small enough", max(shares[:2]), 0, 0.01),
            figure("saturated outputs where they start largest", shares[-1], low=0.5),
            figure("steps of sd from 0.1 on at which the share rises", rising, 2, 2),
        ],
        f"With weights of sd {STARTS[-1]:g}, {100 * shares[-1]:.0f} % of the outputs lie where the slope is below "
        f"0.01; with sd {STARTS[1]:g}, {100 * shares[1]:.1f} %.",
    )


def _slope(activation: str, at: float) -> float:
    import torch

    from d2ltui.nn import functional

    functions = {"sigmoid": functional.sigmoid, "tanh": functional.tanh, "relu": functional.relu}
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(functions[activation](x), x)
    return float(slope)


SIGMOID_SATURATES = Lesson(
    name="sigmoid-saturates",
    title="Sigmoid saturates",
    section="5.1.2",
    claim="Large inputs give sigmoid outputs of 0 or 1, and no gradient.",
    formula="σ(x) = 1 / (1 + e⁻ˣ)\nσ′(x) = σ(x) (1 − σ(x)), at most ¼, at x = 0",
    text="""\
Sigmoid squeezes all numbers into the interval from 0 to 1. It is steepest at 0, with slope ¼; at −8 and at 8 the
slope is 0.00034. Going backward, the gradient is multiplied by the slope, so a unit whose inputs are large passes
next to nothing on, and its weights hardly move: it is saturated.

How large the inputs are depends on the weights. The lesson draws them with a larger and larger standard deviation
and counts the outputs below 0.01 or above 0.99. Start small: that is what Xavier's rule is for.""",
    measure=sigmoid_saturates,
    experiments=(Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "hidden": "256"}),),
)


_CENTRES: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.5, None),
    "ReLU": (0.5, None),
    "tanh": (None, 0.3),
}
_SIGNS = {"sigmoid": (1.0, 1.0), "ReLU": (1.0, 1.0), "tanh": (0.5, 0.8)}


def zero_centred(bench: Bench) -> Measured:
    """Means of the hidden layers' outputs, and the signs of the gradients of a unit's incoming weights."""
    centre: dict[str, float] = {}
    single: dict[str, float] = {}
    batch: dict[str, float] = {}
    for experiment in bench.lesson.experiments:
        off, alone, together = [], [], []
        for seed in bench.seeds:
            run = bench.train(experiment.role, seed)
            x, y = run.data.x_train[:256], run.data.y_train[:256]
            layers = run.layers(x, y)
            hidden, last = _hidden(layers), layers[-1]
            off.append(abs(hidden.mean) / hidden.sd)
            together.append(last.sign_share or 0.0)
            for i in range(24):
                alone.append(run.layers(x[i : i + 1], y[i : i + 1])[-1].sign_share or 0.0)
        centre[experiment.role], single[experiment.role] = mean(off), mean(alone)
        batch[experiment.role] = mean(together)
    return Measured(
        [
            *(
                figure(f"{role}: distance of the outputs' mean from 0", centre[role], *band, "sd")
                for role, band in _CENTRES.items()
            ),
            *(
                figure(f"{role}: gradients of a unit's weights of the same sign, one sample", single[role], *band)
                for role, band in _SIGNS.items()
            ),
            *(
                figure(f"{role}: gradients of the same sign, 256 samples together", share)
                for role, share in batch.items()
            ),
        ],
        f"Of one sample's gradients of the weights into a unit, {100 * single['ReLU']:.0f} % carry the same sign with "
        f"ReLU, {100 * single['sigmoid']:.0f} % with sigmoid; of 256 samples' together, {100 * batch['ReLU']:.0f} % "
        f"and {100 * batch['sigmoid']:.0f} %. 50 % would be an even split.",
    )


def _hidden(layers: tuple[LayerStats, ...]) -> LayerStats:
    return next(layer for layer in layers if layer.kind == "activation")


ZERO_CENTRED = Lesson(
    name="zero-centred",
    title="Zero-centred or not",
    section="5.1.2",
    claim="Sigmoid's and ReLU's outputs are not zero-centred, tanh's are; for each sample, outputs of one sign give "
    "all the weights into a unit gradients of one sign.",
    formula="∂L/∂wᵢⱼ = Σ over samples of hᵢ · ∂L/∂oⱼ, and hᵢ ≥ 0 for sigmoid and ReLU",
    text="""\
The gradient of a weight is the output of the unit that it comes from, times the gradient of the unit that it goes
to. Where no output is negative, the weights into a unit all get the sign of that one factor: they are pushed up
together, or down together, and a path that needs one up and one down becomes a zigzag.

So it is for a single sample. A step is taken on the mean over a batch, where one sample pushes up and another
pushes down, and the signs are mixed again: the last figures show how much is left. It is one reason why ReLU learns
well although it is not zero-centred.""",
    measure=zero_centred,
    experiments=(
        Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "epochs": 10}),
        Experiment("ReLU", {**DIGITS, "activation": "relu", "epochs": 10}),
        Experiment("tanh", {**DIGITS, "activation": "tanh", "epochs": 10}),
    ),
)

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


RELU_FAST = Lesson(
    name="relu-fast",
    title="ReLU is fast",
    section="5.1.2",
    claim="ReLU is cheaper to compute than sigmoid and tanh, and with it a network converges faster than with sigmoid.",
    formula="ReLU(x) = max(0, x), slope 1 or 0\nσ and tanh need eˣ, and their slopes are below 1 but at one point",
    text="""\
Forward, ReLU is a comparison, sigmoid and tanh are exponentials and a division. Backward, ReLU's slope is 1 or 0,
so what passes, passes whole; sigmoid takes at least three quarters of it away at every layer.

The lesson measures both: the time for a large tensor on this machine's processor, and how many epochs a network
with one hidden layer needs. That ReLU converges faster than tanh, too, is often said; look at the last figure
before you repeat it. tanh's slope at 0 is 1 as well, and one layer of it has not much gradient to lose.""",
    measure=relu_fast,
    # One learning rate for all: each activation's own default would hide the difference.
    experiments=(
        Experiment("ReLU", {**DIGITS, "activation": "relu", "epochs": 20, "lr": 0.1}),
        Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "epochs": 20, "lr": 0.1}),
        Experiment("tanh", {**DIGITS, "activation": "tanh", "epochs": 20, "lr": 0.1}),
    ),
)

LESSONS: tuple[Lesson, ...] = (NO_ACTIVATION, SIGMOID_SATURATES, ZERO_CENTRED, RELU_FAST)
