"""Four elements make a learner (section 3.1 to 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Descent, Panel, Panels, Path
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.data import Dataset
    from d2ltui.nn import Network

LINEAR = {"model": "linear", "dataset": "synthetic-linear"}
EPOCHS = 3  # of those that are drawn
PIXELS = 80  # of the drawn bowl
SAMPLES = 12  # that are drawn
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
    drawn: dict[str, list[tuple[float, float]]] = {}
    scratch = [
        bench.train("from scratch", seed, each_epoch=_walk(bench, "from scratch", seed, drawn)) for seed in bench.seeds
    ]
    concise = [bench.train("concise", seed, each_epoch=_walk(bench, "concise", seed, drawn)) for seed in bench.seeds]
    halved = [bench.train("concise, half the rate", seed) for seed in bench.seeds]
    longer = [bench.train("from scratch, longer", seed) for seed in bench.seeds]
    scratch_error, concise_error = mean(map(_error, scratch)), mean(map(_error, concise))
    same = max(_distance(a, b) for a, b in zip(scratch, halved, strict=True))
    return Measured(
        [
            figure(
                _("largest error of w and b, concise, 3 epochs"),
                concise_error,
                high=0.05,
                plain=_("Error of w and b, concise"),
            ),
            figure(
                _("largest error of w and b, from scratch, 3 epochs"),
                scratch_error,
                0.1,
                0.35,
                plain=_("Error of w and b, from scratch"),
            ),
            figure(_("largest error of w and b, from scratch, 10 epochs"), mean(map(_error, longer)), high=0.05),
            figure(
                _("from scratch against concise at half the rate: largest difference"),
                same,
                high=SAME,
                plain=_("From scratch against concise at half the rate, difference"),
            ),
        ],
        _(
            "After three epochs the largest error is {scratch_error} from scratch and {concise_error}"
            " in the concise version. At half the rate, the concise one's weights differ from those "
            "from scratch by {same} at most"
        ).format(scratch_error=shown(scratch_error), concise_error=shown(concise_error), same=shown(same))
        + (_(": what makes the difference is the ½ in the loss.") if same <= SAME else _(".")),
        _(
            "After three epochs w and b are found to {concise_error} in the concise version and to "
            "{scratch_error} from scratch, whose ½ makes each step half as long."
        ).format(concise_error=shown(concise_error), scratch_error=shown(scratch_error)),
    )


def _walk(
    bench: Bench, role: str, seed: int, drawn: dict[str, list[tuple[float, float]]]
) -> Callable[[Network], None] | None:
    """What draws the path of the first weight and the bias, of the first run of a role."""
    if seed:
        return None
    data, path = bench.data(bench.config(role, seed)), drawn.setdefault(role, [])

    def look(network: Network) -> None:
        _, weight, bias = network.weights()[-1]
        path.append((float(weight[0, 0]), float(bias[0])))
        bench.show(_picture(drawn, data), seed=0)

    return look


def _picture(drawn: dict[str, list[tuple[float, float]]], data: Dataset) -> Panels:
    """The loss over the first weight and the bias, the other weight being the true one, and the paths in it.

    Beside it the data, and the lines that these weights are.
    """
    import torch

    assert data.truth is not None
    weight, bias = data.truth
    goal = (float(weight[0, 0]), float(bias[0]))
    x, y = (min(0.0, goal[0]) - 0.5, max(0.0, goal[0]) + 1.0), (min(0.0, goal[1]) - 0.5, max(0.0, goal[1]) + 1.0)
    rest = data.y_train - data.x_train[:, 1:] @ weight[1:]
    first = data.x_train[:, :1]
    w, b = torch.linspace(*x, PIXELS), torch.linspace(y[1], y[0], PIXELS)
    # mean ½(w·x + b − rest)² in terms of the data's moments, for all w and b at once
    xx, xr, mx, mr, rr = (
        (first * first).mean(),
        (first * rest).mean(),
        first.mean(),
        rest.mean(),
        (rest * rest).mean(),
    )
    ws, bs = w[None, :], b[:, None]
    loss = (ws * ws * xx + bs * bs + rr + 2 * ws * bs * mx - 2 * ws * xr - 2 * bs * mr) / 2
    titles = {"from scratch": _("From scratch, with ½"), "concise": _("Concise, without ½")}
    panels = []
    for role, path in drawn.items():
        # Named once, for both have the same marks: the legend is one line then.
        marks = "".join(str(epoch % 10) for epoch in range(EPOCHS + 1))
        walked = Path(_("epochs"), [w for w, _b in path], [b for _w, b in path], 1, marks)
        panels.append(Panel(titles.get(role, role), Descent(loss.numpy(), x, y, ("w₁", "b"), (walked,), goal)))
    panels.append(Panel(_("Data, line: concise"), _lines(first, rest, drawn)))
    return Panels(tuple(panels), columns=3, narrowest=20, main=(0, 1), lowest=9)


def _lines(first: Tensor, rest: Tensor, drawn: dict[str, list[tuple[float, float]]]) -> Curves:
    """Some samples over the first input, with the other one's part taken away, and the last path's lines."""
    x = first[:SAMPLES, 0].tolist()
    ends = min(x), max(x)
    lines = [
        Curve("", list(ends), [w * at + b for at in ends], 1, mark)
        for mark, (w, b) in zip("0123456789", list(drawn.values())[-1], strict=False)
    ]
    # Each by itself: single points lie above the lines, which would hide them.
    samples = [
        Curve("" if index else _("samples"), [at], [value], 0, "o", joined=False)
        for index, (at, value) in enumerate(zip(x, rest[:SAMPLES, 0].tolist(), strict=True))
    ]
    return Curves((*lines, *samples), (ends[0] - 0.4, ends[1] + 0.4), axes=("x₁", "y − w₂x₂"))


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
