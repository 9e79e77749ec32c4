"""The gradient of a minibatch around that of all samples (section 3.1.1.4)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.gradient_norms import geometric_mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from d2ltui.data import Dataset
    from d2ltui.nn import Network

    Draw: TypeAlias = Callable[[Dataset, int, Generator], Tensor]

Cloud: TypeAlias = tuple[list[float], list[float]]

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
BATCHES = 40  # of each size
CLOUDS = {1: ".", 8: "o", 64: "#"}  # sizes whose batches are drawn one by one, with their marks
REACH = 5.0  # of the drawn clouds, the whole gradient being as long as 1
START, TRAINED = "at the start", "after training"


def any_samples(data: Dataset, size: int, generator: Generator) -> Tensor:
    """The numbers of `size` different samples of the training part, by chance."""
    import torch

    return torch.randperm(len(data.x_train), generator=generator)[:size]


def minibatch_noise(bench: Bench, draw: Draw | None = None) -> Measured:
    """How far gradients of batches of many sizes are from that of all samples, at the start and after training."""
    from d2ltui.nn import build

    draw = draw or any_samples
    drawn: dict[str, dict[int, float]] = {}
    clouds: dict[int, Cloud] = {}
    found: dict[str, list[dict[int, float]]] = {START: [], TRAINED: []}
    for seed in bench.seeds:
        config = bench.config("network", seed)
        for role in found:
            network = build(config) if role == START else bench.train("network", seed).network
            scatter, seen = _scatter(network, bench.data(config), seed, draw, bench.go_on)
            found[role].append(scatter)
            if len(found[role]) == 1:
                drawn[role] = scatter
                clouds.update(seen if role == START else {})
                directions = sum(parameter.numel() for parameter in network.parameters())
                bench.show(_picture(drawn, clouds, directions), seed=bench.seeds[0])
    one, many = (geometric_mean([scatter[size] for scatter in found[START]]) for size in (SIZES[0], SIZES[-1]))
    law = math.sqrt(SIZES[-1] / SIZES[0])
    return Measured(
        [
            figure(_("a single sample's gradient: distance from that of all, whose length is 1"), one),
            figure(_("that of {sizes} samples: distance").format(sizes=SIZES[-1]), many),
            figure(
                _("how many times nearer {sizes} samples come than one").format(sizes=SIZES[-1]),
                one / many,
                # A batch is drawn without putting back: the larger ones come a little nearer than 1/√n.
                low=0.8 * law,
                high=1.3 * law,
                plain=_("How many times nearer {sizes} samples come than one (√{sizes} is {law})").format(
                    sizes=SIZES[-1], law=number(law)
                ),
            ),
            *(
                figure(
                    _("exponent of n in the noise, {role} (that of 1/√n is −0.5)").format(role=role_in_words(role)),
                    mean(map(_power, scatters)),
                    -0.57,
                    -0.45,
                    plain=_("Noise falls as n to this power, {role} (−0.5 is 1/√n)").format(role=role_in_words(role)),
                )
                for role, scatters in found.items()
            ),
        ],
        _(
            "{batches} batches of each size and seed. Drawing without putting back makes large "
            "batches a little better than independent samples: a batch of all samples has no noise at"
            " all."
        ).format(batches=BATCHES),
        _(
            "In lengths of the gradient of all samples, one sample's gradient lies {one} away from "
            "it, that of {sizes} samples {many}: {nearer} times nearer, and √{sizes} is {law}."
        ).format(one=number(one, 2), sizes=SIZES[-1], many=number(many, 2), nearer=number(one / many), law=number(law)),
    )


def _scatter(
    network: Network, data: Dataset, seed: int, draw: Draw, go_on: Callable[[], None]
) -> tuple[dict[int, float], dict[int, Cloud]]:
    """By size of the batch: the distance of its gradients from that of all samples, whose length is 1 (the root of the
    mean square), and where some lie in the plane of that gradient and of the direction in which they scatter most.
    """
    import torch

    whole = _gradient(network, data.x_train, data.y_train)
    length = whole.norm()
    generator = torch.Generator().manual_seed(seed)
    distances: dict[int, float] = {}
    clouds: dict[int, Cloud] = {}
    aside = torch.zeros_like(whole)
    for size in SIZES:
        gradients = []
        for _batch in range(BATCHES):
            go_on()
            chosen = draw(data, size, generator)
            gradients.append(_gradient(network, data.x_train[chosen], data.y_train[chosen]))
        off = (torch.stack(gradients) - whole) / length
        distances[size] = float(off.square().sum(dim=1).mean().sqrt())
        if size in CLOUDS:
            along = off @ (whole / length)
            if not clouds:
                rest = off - along[:, None] * (whole / length)
                aside = torch.linalg.svd(rest, full_matrices=False).Vh[0]
            clouds[size] = ((1 + along).tolist(), (off @ aside).tolist())
    return distances, clouds


def _gradient(network: Network, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of the mean loss of a batch, all parameters' in one vector, on the CPU."""
    import torch

    parameters = list(network.parameters())
    device = parameters[0].device
    loss = network.loss(network(x.to(device)), y.to(device))
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)]).cpu()


def _power(distances: dict[int, float]) -> float:
    """The slope of the straight line through the logarithms of both."""
    return statistics.linear_regression(
        [math.log(size) for size in distances], [math.log(max(value, 1e-30)) for value in distances.values()]
    ).slope


def _picture(drawn: dict[str, dict[int, float]], clouds: dict[int, Cloud], directions: int) -> Panels:
    """The gradients of batches around that of all samples, and how the distance falls with the size of the batch.

    Of the `directions` in which gradients differ, the distance counts all; two are drawn.
    """
    points = [
        Curve(str(size), *clouds[size], index, mark, joined=False)
        for index, (size, mark) in reversed(list(enumerate(CLOUDS.items())))
        if size in clouds
    ]
    target = Curve(_("all"), [1.0], [0.0], len(CLOUDS), "X", joined=False)
    # What comes first lies in front: the tightest cloud is seen in the middle of the widest.
    axes = (_("along X"), _("across X"))
    seen = Curves((target, *points), (1 - REACH, 1 + REACH), low=-REACH, high=REACH, axes=axes)
    sizes = [float(size) for size in SIZES]
    names, marks = {START: _("start"), TRAINED: _("trained")}, {START: "s", TRAINED: "t"}
    lines = [
        Curve(
            names[role],
            [float(size) for size in found],
            list(found.values()),
            len(CLOUDS) + 1 + index,
            marks[role],
        )
        for index, (role, found) in enumerate(drawn.items())
    ]
    highest = max(max(found.values()) for found in drawn.values())
    law = Curve("", sizes, [highest / math.sqrt(size) for size in sizes], faint=True)
    fall = Curves((*lines, law), (sizes[0], sizes[-1]), _("batch"), log=True, log_x=True)
    return Panels(
        (Panel(_("Gradients, |X| = 1"), seen), Panel(_("Distance to X, |X| = 1"), fall)),
        columns=2,
        note=_("numbers: samples in a batch; left: at the start, 2 of {directions:,} directions; faint: 1/√n").format(
            directions=directions
        ),
    )


LESSON = book_lesson(
    "minibatch-noise",
    measure=minibatch_noise,
    experiments=(Experiment("network", {"model": "mlp", "dataset": "digits", "hidden": "32", "epochs": 5}),),
)
