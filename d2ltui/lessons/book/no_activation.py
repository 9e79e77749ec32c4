"""Without an activation, depth is an illusion (section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent
from d2ltui.spec.pictures import PictureRequest, Regions
from d2ltui.spec.text import counted

if TYPE_CHECKING:
    from d2ltui.nn import Network

DEPTHS = (1, 2, 3, 4)  # hidden layers of the networks whose decision regions are drawn
EPOCHS, PIXELS = 30, (60, 48)
DIGITS = {"model": "mlp", "dataset": "digits"}


def no_activation(bench: Bench) -> Measured:
    """A deep network without activations against the one matrix that it equals."""
    drawn: dict[tuple[str, int], Regions] = {}
    bench.expect(len(bench.lesson.experiments) * len(bench.seeds) + 2 * len(DEPTHS))
    for depth in DEPTHS:
        for role in ("circles, no activation", "circles, ReLU"):
            _draw_regions(bench, role, depth, drawn)
    deep = [bench.train("no activation", seed) for seed in bench.seeds]
    softmax = [bench.train("softmax regression", seed) for seed in bench.seeds]
    straight = [bench.train("circles, no activation", seed) for seed in bench.seeds]
    bent = [bench.train("circles, ReLU", seed) for seed in bench.seeds]
    gain = mean(run.accuracy for run in deep) - mean(run.accuracy for run in softmax)
    without, with_relu = mean(run.accuracy for run in straight), mean(run.accuracy for run in bent)
    layers = len(deep[0].network.weights())
    return Measured(
        [
            figure(
                _("outputs against those of the one matrix: largest relative distance"),
                max(map(_off, deep)),
                0,
                1e-5,
                plain=_("Outputs of {layers} layers against those of the one matrix, relative distance").format(
                    layers=layers
                ),
            ),
            figure(_("accuracy on digits without activation"), mean(run.accuracy for run in deep)),
            figure(_("its gain over softmax regression"), gain, -0.03, 0.03),
            figure(
                _("accuracy on circles without activation"), without, 0.3, 0.65, plain=_("Accuracy without activation")
            ),
            figure(_("accuracy on circles with ReLU"), with_relu, low=0.95, plain=_("Accuracy with ReLU")),
        ],
        _(
            "{layers} linear layers are one. No straight line separates a circle from the one around "
            "it, and guessing is right half the time."
        ).format(layers=layers),
        _(
            "Without an activation the network is right about {without} of two circles, one inside "
            "the other, however deep it is; with ReLU about {with_relu}."
        ).format(without=whole_percent(without), with_relu=whole_percent(with_relu)),
    )


def _draw_regions(bench: Bench, role: str, depth: int, drawn: dict[tuple[str, int], Regions]) -> None:
    """Train with `depth` hidden layers, and show after each epoch what is made of the plane."""
    hidden = ",".join(["16"] * depth)
    data = bench.data(bench.config(role))

    def look(network: Network) -> None:
        from d2ltui.pictures.planes import regions
        from d2ltui.pictures.subject import Subject

        subject = Subject.of(network, data, next(network.parameters()).device)
        with subject.at_rest():
            drawn[role, depth] = regions(subject, PictureRequest("regions", *PIXELS))
        bench.show(_picture(drawn), seed=0)

    label = f"{role}, {counted(depth, 'hidden layer')}"
    bench.train(role, label=label, each_epoch=look, hidden=hidden, epochs=EPOCHS, lr=0.3)


def _picture(drawn: dict[tuple[str, int], Regions]) -> Panels:
    """What no activation makes of the plane in the upper row, ReLU in the lower one; a column for each depth."""
    panels = [
        Panel(
            f"ReLU {depth}" if role.endswith("ReLU") else _("identity {depth}").format(depth=depth), drawn[role, depth]
        )
        for role in ("circles, no activation", "circles, ReLU")
        for depth in DEPTHS
        if (role, depth) in drawn
    ]
    return Panels(tuple(panels), columns=len(DEPTHS), note=_("the number: hidden layers"), narrowest=8, main=(3, 7))


def _off(run: Trained) -> float:
    """How far the outputs are from xW + b with W the product of the weights, relative to the largest output."""
    import torch

    inputs = run.data.x_val
    weight = torch.eye(inputs.shape[1], dtype=torch.float64)
    bias = torch.zeros(inputs.shape[1], dtype=torch.float64)
    for _name, w, b in run.network.weights():
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
