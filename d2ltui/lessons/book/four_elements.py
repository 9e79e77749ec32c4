"""Four elements make a learner (section 3.1 to 3.5)."""

from __future__ import annotations

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson

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


LESSON = book_lesson(
    "four-elements",
    measure=four_elements,
    experiments=(
        Experiment("from scratch", {**LINEAR, "implementation": "scratch"}),
        Experiment("concise", {**LINEAR, "implementation": "concise"}),
        Experiment("concise, half the rate", {**LINEAR, "implementation": "concise", "lr": 0.015}),
        Experiment("from scratch, longer", {**LINEAR, "implementation": "scratch", "epochs": 10}),
    ),
)
