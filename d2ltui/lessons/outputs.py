"""Lessons about outputs and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure, shown

if TYPE_CHECKING:
    from torch import Tensor

Function: TypeAlias = "Callable[[Tensor], Tensor]"
ROWS, CLASSES = 1000, 10


def softmax(bench: Bench, function: Function | None = None) -> Measured:
    """Section 4.1's properties of softmax, or of another function, on random logits."""
    import torch

    from d2ltui.nn import functional

    function = function or functional.softmax
    not_positive, turned, off, zeros = 0, 0, 0.0, []
    for seed in bench.seeds:
        bench.go_on()
        generator = torch.Generator().manual_seed(seed)
        for scale in (0.1, 1.0, 10.0, 100.0):
            logits = scale * torch.randn(ROWS, CLASSES, generator=generator, dtype=torch.float64)
            p = function(logits)
            not_positive += int((p <= 0).sum())
            off = max(off, float((p.sum(dim=1) - 1).abs().max()))
            in_order = p.gather(1, logits.argsort(dim=1))
            turned += int((in_order.diff(dim=1) < 0).sum())
        zeros.append(float((function(logits.float()) == 0).double().mean()))
    return Measured(
        [
            figure("outputs that are not positive, of logits up to some hundreds, in float64", not_positive, 0, 0),
            figure("largest distance of a sum from 1", off, 0, 1e-12),
            figure("neighbours in order of size whose order is turned round", turned, 0, 0),
            figure("outputs that float32 rounds to 0, of logits of sd 100", mean(zeros)),
        ],
        f"{4 * ROWS * len(bench.seeds):,} random rows of {CLASSES} logits. e⁻ˣ is positive for every x, but float32 "
        "has no number between 0 and e⁻¹⁰³: there, positive is true of the formula and not of the computer.",
    )


SOFTMAX = Lesson(
    name="softmax",
    title="Softmax makes probabilities",
    section="4.1",
    claim="Softmax makes outputs positive, makes them sum to 1, and keeps their order.",
    formula="softmax(o)ᵢ = exp(oᵢ) / Σⱼ exp(oⱼ)",
    text="""\
A linear layer's outputs, the logits, can be any numbers. To read them as probabilities they must be positive and
sum to 1. exp makes every number positive; dividing by the sum makes the sum 1.

exp grows with its argument, and all are divided by the same number, so the order stays: the most probable class is
the one with the largest logit, and to predict it no softmax is needed at all.""",
    measure=softmax,
)


def softmax_shift(bench: Bench, shifted: Function | None = None, naive: Function | None = None) -> Measured:
    """Section 4.5's numerical stability: the formula as it stands, and with the maximum subtracted."""
    import torch

    from d2ltui.nn import functional

    shifted, naive = shifted or functional.softmax, naive or functional.naive_softmax
    invariance, error = 0.0, 0.0
    broken: dict[int, list[float]] = {1000: [], -1000: []}
    for seed in bench.seeds:
        bench.go_on()
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(ROWS, CLASSES, generator=generator, dtype=torch.float64)
        for a in (-100.0, -1.0, 1.0, 100.0):
            invariance = max(invariance, float((naive(logits) - naive(logits - a)).abs().max()))
        for centre, shares in broken.items():
            large = (logits + centre).float()
            shares.append(float((~torch.isfinite(naive(large))).any(dim=1).double().mean()))
            # The same logits in float64, around 0: exp has no difficulty with them.
            exact = naive(large.double() - centre)
            difference = (shifted(large).double() - exact).abs()
            error = max(error, float(torch.where(torch.isfinite(difference), difference, torch.inf).max()))
    pair = torch.tensor([[0.0, 200.0]])
    label = torch.tensor([0])
    log_of_naive = float(-torch.log(naive(pair))[0, 0])
    stable = float(functional.cross_entropy(pair, label))
    return Measured(
        [
            figure("softmax(x) against softmax(x − a), a from −100 to 100, float64", invariance, 0, 1e-12),
            figure("naive softmax at +1000, float32: rows with nan or inf", mean(broken[1000]), 1, 1, "of all"),
            figure("naive softmax at −1000, float32: rows with nan or inf", mean(broken[-1000]), 1, 1, "of all"),
            figure("shifted softmax at ±1000, float32: largest distance from float64", error, 0, 1e-6),
            figure("cross-entropy of logits 0 and 200 (it is 200) through log-sum-exp", stable, 199.99, 200.01),
        ],
        f"float32 ends at about e⁸⁹: exp(1000) is inf and inf/inf is nan, exp(−1000) is 0 and 0/0 is nan. The "
        f"logarithm of a naive probability gives {log_of_naive} where the loss is 200.",
    )


SOFTMAX_SHIFT = Lesson(
    name="softmax-shift",
    title="Softmax may be shifted",
    section="4.5",
    claim="softmax(x) = softmax(x − a), and subtracting the maximum prevents overflow and a denominator of 0.",
    formula="exp(oᵢ − a) / Σⱼ exp(oⱼ − a) = exp(oᵢ) / Σⱼ exp(oⱼ), since exp(−a) cancels",
    text="""\
Taking the same number from every logit divides the numerator and the denominator by the same exp(a). So we are free
to choose a, and the best choice is the largest logit: then every exponent is 0 or less, no exp can overflow, and
the sum is at least 1, so that nothing is divided by 0. Single terms may still be rounded to 0; beside a sum of 1 or
more that is harmless.

For the loss go one step further and never form the probability: −log softmax(o)ᵧ = log Σ exp(oⱼ − m) + m − oᵧ. A
very small probability would be rounded to 0, and its logarithm would be infinite.""",
    measure=softmax_shift,
)

RATES = (0.03, 0.1, 0.3)
MLP_RATES = (0.1, 0.3)


def squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """½‖o − e_y‖², the mean over a batch: raw outputs (n, q) compared with one-hot labels (n,) → scalar."""
    from torch.nn.functional import one_hot

    return (outputs - one_hot(labels, outputs.shape[1]).to(outputs.dtype)).square().sum(dim=1).mean() / 2


def cross_entropy(bench: Bench, other: Callable[[Tensor, Tensor], Tensor] | None = None) -> Measured:
    """The same model, data, rates and epochs with two losses."""
    other = other or squared_error
    best: dict[tuple[str, bool], float] = {}
    slow: dict[bool, float] = {}
    diverged = {True: 0, False: 0}
    pushed_back: list[float] = []
    for role, rates in (("softmax regression", RATES), ("multilayer perceptron", MLP_RATES)):
        for squared in (False, True):
            for lr in rates:
                label = f"{role}, {'squared error' if squared else 'cross-entropy'}, lr {lr}"
                runs = [
                    bench.train(role, seed, label=label, loss=other if squared else None, lr=lr) for seed in bench.seeds
                ]
                accuracy = mean(run.accuracy for run in runs)
                best[role, squared] = max(best.get((role, squared), 0.0), accuracy)
                if (role, lr) == ("softmax regression", RATES[0]):
                    slow[squared] = accuracy
                if role == "softmax regression":
                    diverged[squared] += any(run.live.status == "diverged" for run in runs)
                    if squared and lr == 0.1:
                        pushed_back = [_pushed_back(run.outputs(run.data.x_val), run.data.y_val, other) for run in runs]
    softmax_gain = best["softmax regression", False] - best["softmax regression", True]
    slow_gain = slow[False] - slow[True]
    mlp_gain = best["multilayer perceptron", False] - best["multilayer perceptron", True]
    return Measured(
        [
            figure("softmax regression, cross-entropy: accuracy at its best rate", best["softmax regression", False]),
            figure("softmax regression, squared error: accuracy at its best rate", best["softmax regression", True]),
            figure("cross-entropy's gain", softmax_gain, low=0.005),
            figure(f"rates of {len(RATES)} at which squared error diverges", diverged[True], low=1),
            figure(f"rates of {len(RATES)} at which cross-entropy diverges", diverged[False], 0, 0),
            figure(
                "right answers that squared error pushes down", mean(pushed_back), low=0.005, unit="of the right ones"
            ),
            figure(f"cross-entropy's gain at the lowest rate, {RATES[0]}", slow_gain),
            figure("multilayer perceptron: cross-entropy's gain at the best rates", mlp_gain),
        ],
        "Cross-entropy never pushes the right class down. "
        + ("It is no law that it wins, though. " if min(slow_gain, mlp_gain) <= 0 else "")
        + f"The last two figures are its gain at a low rate, {shown(slow_gain)}, and in a network that can bend its "
        f"outputs to the labels, {shown(mlp_gain)}.",
    )


def _pushed_back(outputs: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The share of the rightly classified samples whose loss would fall if the right class's output were smaller."""
    import torch

    outputs = outputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(outputs, labels), outputs)
    right = outputs.argmax(dim=1) == labels
    down = gradient.gather(1, labels.unsqueeze(1)).squeeze(1) > 0
    return float(down[right].double().mean()) if bool(right.any()) else 0.0


CROSS_ENTROPY = Lesson(
    name="cross-entropy",
    title="Compare probabilities with labels",
    section="4.1",
    claim="In softmax regression, probabilities are a better thing to compare with labels than raw outputs: "
    "cross-entropy reaches a higher accuracy than squared error on the outputs, and stands higher rates.",
    formula="cross-entropy: −log softmax(o)ᵧ, slope pᵢ − [i = y]\nsquared error: ½‖o − e_y‖², slope oᵢ − [i = y]",
    text="""\
A label says: this class, and no other. As numbers it is 1 for the class and 0 for the rest, and one could ask the
raw outputs to be 1 and 0. But an output of 3 for the right class is not wrong, it is sure; squared error takes it
for as wrong as −1 and pushes it back, and moves the boundary for samples that were right.

Softmax first turns outputs into probabilities, which cannot be more than 1. Cross-entropy then asks for the
surprise at the right class, −log p. Its slope is p − y: never more than 1, never away from the right answer.

It is often said of every network, and that is more than is true: with hidden layers, which can bend the outputs to
the labels, squared error does as well here, and at a low rate it is the faster one (the last two figures).""",
    measure=cross_entropy,
    experiments=(
        Experiment("softmax regression", {"model": "softmax", "dataset": "digits", "epochs": 20}),
        Experiment("multilayer perceptron", {"model": "mlp", "dataset": "digits", "hidden": "64", "epochs": 20}),
    ),
)

LESSONS: tuple[Lesson, ...] = (SOFTMAX, SOFTMAX_SHIFT, CROSS_ENTROPY)
