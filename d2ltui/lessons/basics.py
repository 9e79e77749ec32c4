"""Lessons about what training is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure, shown

if TYPE_CHECKING:
    from torch import Tensor

LINEAR = {"model": "linear", "dataset": "synthetic-linear"}
SAME = 1e-4  # weights that differ by no more are the same, but for float32's rounding


def _error(run: Trained) -> float:
    """The largest distance of a weight or the bias from the truth."""
    _, weight, bias = run.network.weights()[-1]
    assert run.data.truth is not None
    true_weight, true_bias = run.data.truth
    return max(float((true_weight - weight.cpu()).abs().max()), float((true_bias - bias.cpu()).abs().max()))


def _distance(a: Trained, b: Trained) -> float:
    """The largest difference between two networks' weights and biases."""
    pairs = zip(a.network.weights(), b.network.weights(), strict=True)
    return max(float((p - q).abs().max()) for (_, *ps), (_, *qs) in pairs for p, q in zip(ps, qs, strict=True))


def four_elements(bench: Bench) -> Measured:
    """Section 3.1 to 3.5's two implementations, against the truth and against each other."""
    scratch = [bench.train("from scratch", seed) for seed in bench.seeds]
    concise = [bench.train("concise", seed) for seed in bench.seeds]
    halved = [bench.train("concise, half the rate", seed) for seed in bench.seeds]
    longer = [bench.train("from scratch, longer", seed) for seed in bench.seeds]
    scratch_error, concise_error = mean(map(_error, scratch)), mean(map(_error, concise))
    same = max(_distance(a, b) for a, b in zip(scratch, halved, strict=True))
    return Measured(
        [
            figure("largest error of w and b, concise, 3 epochs", concise_error, high=0.05),
            figure("largest error of w and b, from scratch, 3 epochs", scratch_error, 0.1, 0.35),
            figure("largest error of w and b, from scratch, 10 epochs", mean(map(_error, longer)), high=0.05),
            figure("from scratch against concise at half the rate: largest difference", same, high=SAME),
        ],
        f"After three epochs the largest error is {shown(scratch_error)} from scratch and {shown(concise_error)} "
        "in the concise version. At half the rate, the concise one's weights differ from those from scratch by "
        f"{shown(same)} at most" + (": what makes the difference is the ½ in the loss." if same <= SAME else "."),
    )


FOUR_ELEMENTS = Lesson(
    name="four-elements",
    title="Four elements make a learner",
    section="3.1 to 3.5",
    claim="A model, a data set, a loss and an optimiser make linear regression, and SGD recovers w and b; the ½ in the "
    "loss halves the effective learning rate.",
    formula="ŷ = Xw + b\nL = mean ½(ŷ − y)²\nw ← w − η ∂L/∂w\nb ← b − η ∂L/∂b",
    text="""\
The model says what can be learned: here, straight lines and planes. The data set is made from known weights, w =
[2, −3.4] and b = 4.2, plus a little noise, so that we can check what was learned. The loss says how wrong the model
is, in one number. The optimiser takes a small batch, asks for the slope of the loss, and takes a step downhill.

From scratch, the loss is ½(ŷ − y)², whose slope is ŷ − y. PyTorch's MSELoss leaves the ½ out, so its slope is twice
as large, and the same learning rate makes steps twice as long. Whoever compares two programs should compare their
formulas first.""",
    measure=four_elements,
    experiments=(
        Experiment("from scratch", {**LINEAR, "implementation": "scratch"}),
        Experiment("concise", {**LINEAR, "implementation": "concise"}),
        Experiment("concise, half the rate", {**LINEAR, "implementation": "concise", "lr": 0.015}),
        Experiment("from scratch, longer", {**LINEAR, "implementation": "scratch", "epochs": 10}),
    ),
)

_SAMPLES, _INPUTS, _BATCH = 200_000, 64, 256


def yield_batches(bench: Bench, iterate: Callable[..., Iterator[tuple[Tensor, Tensor]]] | None = None) -> Measured:
    """Section 3.3's generator, or another, over a data set of 49 MiB."""
    import torch

    from d2ltui.data.batches import data_iter

    iterate = iterate or data_iter
    labels = torch.arange(_SAMPLES)
    features = labels.to(torch.float32).reshape(-1, 1).repeat(1, _INPUTS)
    wrong, mixed, alike, block = 0, 0, [], 0
    for seed in bench.seeds:
        generator = torch.Generator().manual_seed(seed)
        orders = []
        for _ in range(2):
            seen = []
            for x, y in iterate(features, labels, _BATCH, generator):
                bench.go_on()
                seen.append(y)
                mixed += int((x[:, 0].long() != y).sum())
                block = max(block, x.untyped_storage().nbytes())
            order = torch.cat(seen)
            counts = torch.bincount(order, minlength=_SAMPLES)
            wrong += int((counts != 1).sum())
            orders.append(order[:_SAMPLES])
        n = min(map(len, orders))
        alike.append(float((orders[0][:n] == orders[1][:n]).double().mean()))
    share = block / features.nbytes
    return Measured(
        [
            figure("samples handed out never or more than once in an epoch", wrong, 0, 0),
            figure("samples that came with another's label", mixed, 0, 0),
            figure("places where two epochs have the same sample", mean(alike), 0, 0.01, "of all"),
            figure("memory behind a batch", share, high=0.2, unit="of the data set"),
        ],
        f"{2 * len(bench.seeds)} epochs of {_SAMPLES:,} samples; behind a batch there are at most "
        f"{block / 2**20:.1f} MiB of memory, the data set has {features.nbytes / 2**20:.0f} MiB.",
    )


YIELD = Lesson(
    name="yield",
    title="A generator hands out the data",
    section="3.3",
    claim="A generator hands out each sample exactly once an epoch, in a new order each time, without copying the data "
    "set.",
    formula="for i in range(0, n, batch_size):  yield features[order[i : i + batch_size]], labels[…]",
    text="""\
A function with yield does not run when it is called: it returns a generator, which runs up to the next yield each
time somebody asks for a batch, and then stands still with all its variables. So the training loop gets one batch
after another, and only what it is working on has to exist.

The order is a random permutation of the sample numbers, drawn anew for each epoch. A permutation has every number
once: no sample is left out, and none is seen twice. A new order matters because the same batches in the same order
would push the weights around the same circle every epoch.""",
    measure=yield_batches,
)

LESSONS: tuple[Lesson, ...] = (FOUR_ELEMENTS, YIELD)
