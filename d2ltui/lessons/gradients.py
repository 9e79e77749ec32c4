"""Lessons about gradients on their way through the layers."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Figure, Measured, figure, shown

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
DEPTHS = (2, 4, 6, 8, 10)
WIDTH = 64


def _norms(network: Network, data: Dataset) -> list[float]:
    """The norm of each layer's weight gradient, from the first layer to the last, on a batch of 256."""
    from d2ltui.diagnosis.probes import probe, probe_batch

    device = next(network.parameters()).device
    x, y = (t.to(device) for t in probe_batch(data.x_train, data.y_train))
    return [layer.gradient_norm for layer in probe(network, x, y).layers if layer.gradient_norm is not None]


def _geometric(values: list[float]) -> float:
    """The geometric mean: ratios over many decades have no other. nan where a value has no logarithm."""
    if not all(0 < value < math.inf for value in values):
        return 0.0 if 0.0 in values else math.nan
    return math.exp(mean(map(math.log, values)))


def vanishing(bench: Bench) -> Measured:
    """First-to-last gradient norms of networks of two to ten hidden layers, at the start and after training."""
    start: dict[tuple[str, int], float] = {}
    end: dict[tuple[str, int], float] = {}
    accuracy: dict[str, float] = {}
    for experiment in bench.lesson.experiments:
        role = experiment.role
        for depth in DEPTHS:
            at_start, at_end, accuracies = [], [], []
            for seed in bench.seeds:
                ratios: list[float] = []
                hidden = ",".join([str(WIDTH)] * depth)
                data = bench.data(bench.config(role, seed))

                def look(network: Network, ratios: list[float] = ratios, data: Dataset = data) -> None:
                    norms = _norms(network, data)
                    ratios.append(norms[0] / norms[-1] if norms[-1] > 0 else 0.0)

                run = bench.train(role, seed, label=f"{role}, {depth} layers", each_epoch=look, hidden=hidden)
                at_start.append(ratios[0])
                at_end.append(ratios[-1])
                accuracies.append(run.accuracy)
            start[role, depth], end[role, depth] = _geometric(at_start), _geometric(at_end)
            accuracy[role] = mean(accuracies)
    deepest = DEPTHS[-1]
    falling = sum(start["sigmoid", a] > start["sigmoid", b] for a, b in itertools.pairwise(DEPTHS))
    bounds: dict[str, tuple[float | None, float | None]] = {"sigmoid": (None, 1e-4), "tanh": (0.05, None)}
    figures: list[Figure] = []
    for role in ("sigmoid", "tanh", "ReLU"):
        low, high = bounds.get(role, (0.05, None))
        for depth in DEPTHS:
            band = (low, high) if depth == deepest else (None, None)
            figures.append(
                figure(f"{role}, {depth} hidden layers: first to last gradient at the start", start[role, depth], *band)
            )
            figures.append(figure(f"{role}, {depth} hidden layers: after training", end[role, depth], *band))
        figures.append(figure(f"{role}, {deepest} hidden layers: accuracy", accuracy[role]))
    figures.append(
        figure(f"depths of {len(DEPTHS) - 1} at which sigmoid loses still more", falling, low=len(DEPTHS) - 1)
    )
    least, most = start["sigmoid", deepest], start["sigmoid", DEPTHS[0]]
    comment = (
        "A slope of ¼, and weights that neither shrink nor grow the gradient, divide it by 4; tanh's slope at 0 is 1."
    )
    if least > 0 and most > 0:  # not where one of them is nan, either
        lost = (most / least) ** (1 / (deepest - DEPTHS[0]))
        comment = f"Each sigmoid layer divides the first layer's gradient by about {shown(lost)}. {comment}"
    return Measured(figures, comment)


VANISHING = Lesson(
    name="vanishing",
    title="The gradient vanishes",
    section="5.4.1",
    claim="Sigmoid loses the gradient with depth, ReLU does not; nor does tanh, as long as it starts unsaturated.",
    formula="∂L/∂W₁ = x ⊗ (D₁ W₂ D₂ W₃ … Dₙ Wₙ₊₁ δ), with D the activation's slopes on the diagonal",
    text="""\
Backpropagation multiplies: at every layer the gradient is multiplied by the weights and by the activation's slope.
Sigmoid's slope is ¼ at most, so that with every layer less arrives, and after ten layers the first weights do not
move any more: the accuracy stays that of a guess. ReLU's slope is 1 wherever the unit is on.

tanh is usually named together with sigmoid. Its slope, though, is 1 at 0, and with Xavier's initialisation its
inputs stay near 0: the figures show that ten layers of it keep their gradient, and learn. It does lose it where it
is saturated, as sigmoid does. All networks here start from Xavier's weights, so that only the activation differs.""",
    measure=vanishing,
    experiments=tuple(
        Experiment(role, {**DIGITS, "activation": role.lower(), "init": "xavier", "hidden": str(WIDTH), "epochs": 5})
        for role in ("sigmoid", "tanh", "ReLU")
    ),
)

PRODUCTS, FACTORS = 50, 100
STARTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("torch.nn's own", {"init": "default"}),
    ("Xavier", {"init": "xavier"}),
    ("Kaiming", {"init": "kaiming"}),
    ("N(0, 0.01²)", {"init": "normal", "init_std": 0.01}),
    ("N(0, 0.1²)", {"init": "normal", "init_std": 0.1}),
    ("N(0, 0.5²)", {"init": "normal", "init_std": 0.5}),
    ("N(0, 1)", {"init": "normal", "init_std": 1.0}),
)
HUGE, TINY = 100.0, 1e-3  # gradient norms


def exploding(bench: Bench) -> Measured:
    """Products of random matrices; a network that starts too large; and how often gradients explode or vanish."""
    import torch

    from d2ltui.nn import build

    generator = torch.Generator().manual_seed(0)
    largest = []
    for _ in range(PRODUCTS):
        product = torch.randn(4, 4, generator=generator, dtype=torch.float64)
        for _ in range(FACTORS):
            product = product @ torch.randn(4, 4, generator=generator, dtype=torch.float64)
        largest.append(math.log10(float(product.abs().max())))
    gradients, broken, healthy = [], 0, []
    for seed in bench.seeds:
        config = bench.config("large weights", seed)
        gradients.append(max(_norms(build(config), bench.data(config))))
        broken += bench.train("large weights", seed).live.status == "diverged"
        healthy.append(bench.train("Xavier", seed).accuracy)
    exploded = vanished = 0
    for activation in ("sigmoid", "tanh", "relu"):
        for _, given in STARTS:
            # A third of the seeds could tip over: the typical network of each kind is counted.
            firsts = []
            for seed in bench.seeds:
                config = bench.config("large weights", seed, activation=activation, **given)
                firsts.append(_norms(build(config), bench.data(config))[0])
            typical = _geometric(firsts)
            exploded += typical > HUGE
            vanished += typical < TINY
    return Measured(
        [
            figure(f"log₁₀ of the largest entry after {FACTORS} random 4×4 matrices more", mean(largest), 19.4, 30.2),
            figure("large weights: largest gradient norm at the start", _geometric(gradients), low=1e3),
            figure("large weights: runs that diverge", broken / len(bench.seeds), 1, 1, "of all"),
            figure("the same network from Xavier's weights: accuracy", mean(healthy), low=0.7),
            figure(f"ways to start, of {3 * len(STARTS)}, with a first gradient above {HUGE:g}", exploded, low=1),
            figure(
                f"ways to start, of {3 * len(STARTS)}, with a first gradient below {TINY:g}", vanished, low=exploded + 1
            ),
        ],
        f"Of {len(STARTS)} initialisations with each of three activations, in six hidden layers, {exploded} explode "
        f"and {vanished} vanish; sigmoid and tanh cannot explode forward, for their outputs are bounded.",
    )


EXPLODING = Lesson(
    name="exploding",
    title="The gradient explodes",
    section="5.4.1",
    claim="Gradients can explode, too, though more rarely than they vanish.",
    formula="‖W₁ W₂ … Wₙ‖ grows like cⁿ, with c above 1 where the entries are large",
    text="""\
A product of many matrices either dies away or grows beyond all bounds; to stay in between takes care. A hundred
random 4×4 matrices with entries of sd 1 make numbers of 25 digits. A network that starts with weights of sd 1 does
the same to its gradient, and after one step with it the weights are so large that the loss is nan.

It happens more rarely than vanishing, because saturating activations stop it, and because one sees it at once: a
loss that is nan is noticed, one that does not move is put down to the data. How rarely depends on which starts one
counts; the lesson counts seven initialisations with three activations.""",
    measure=exploding,
    experiments=(
        Experiment(
            "large weights",
            {**DIGITS, "init": "normal", "init_std": 1.0, "hidden": ",".join([str(WIDTH)] * 6), "epochs": 2},
        ),
        Experiment("Xavier", {**DIGITS, "init": "xavier", "hidden": ",".join([str(WIDTH)] * 6), "epochs": 8}),
    ),
)

LESSONS: tuple[Lesson, ...] = (VANISHING, EXPLODING)
