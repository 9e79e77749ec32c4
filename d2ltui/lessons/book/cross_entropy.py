"""Compare probabilities with labels (section 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import percent, whole_percent

if TYPE_CHECKING:
    from torch import Tensor

RATES = (0.03, 0.1, 0.3)
MLP_RATES = (0.1, 0.3)
LOGITS = (-3.0, 5.0)  # that are drawn: at both ends the squared error is the same


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
    bench.show(_picture(other))
    bench.expect(2 * (len(RATES) + len(MLP_RATES)) * len(bench.seeds))
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
            figure(
                _("softmax regression, cross-entropy: accuracy at its best rate"), best["softmax regression", False]
            ),
            figure(_("softmax regression, squared error: accuracy at its best rate"), best["softmax regression", True]),
            figure(_("cross-entropy's gain"), softmax_gain, low=0.005, plain=_("Accuracy that cross-entropy gains")),
            figure(
                _("of {rates} rates, those at which squared error diverges").format(rates=len(RATES)),
                diverged[True],
                low=1,
            ),
            figure(
                _("of {rates} rates, those at which cross-entropy diverges").format(rates=len(RATES)),
                diverged[False],
                0,
                0,
            ),
            figure(
                _("right answers that squared error pushes down"),
                mean(pushed_back),
                low=0.005,
                unit="of the right ones",
                plain=_("Right answers that squared error pushes down"),
            ),
            figure(_("cross-entropy's gain at the lowest rate, {rates_0}").format(rates_0=RATES[0]), slow_gain),
            figure(_("multilayer perceptron: cross-entropy's gain at the best rates"), mlp_gain),
        ],
        _("Cross-entropy never pushes the right class down. ")
        + (_("It is no law that it wins, though. ") if min(slow_gain, mlp_gain) <= 0 else "")
        + _(
            "The last two figures are its gain at a low rate, {slow_gain}, and in a network that can "
            "bend its outputs to the labels, {mlp_gain}."
        ).format(slow_gain=shown(slow_gain), mlp_gain=shown(mlp_gain)),
        _(
            "Softmax regression is right on {best_softmax_regression_false} with cross-entropy and "
            "{best_softmax_regression_true} with squared error, which pushes {pushed_back} of the "
            "right answers down again."
        ).format(
            best_softmax_regression_false=percent(best["softmax regression", False]),
            best_softmax_regression_true=percent(best["softmax regression", True]),
            pushed_back=whole_percent(mean(pushed_back)),
        ),
    )


def _picture(other: Callable[[Tensor, Tensor], Tensor]) -> Panels:
    """Both losses, and their slopes, over the logit of the right class; those of two more classes are 0."""
    import torch

    from d2ltui.nn import functional

    label = torch.tensor([0])
    places = torch.linspace(*LOGITS, 41)
    losses: list[Curve] = []
    slopes: list[Curve] = []
    for index, (name, loss) in enumerate((("cross-entropy", functional.cross_entropy), ("squared error", other))):
        values, rises = [], []
        for place in places:
            outputs = torch.tensor([[float(place), 0.0, 0.0]], requires_grad=True)
            value = loss(outputs, label)
            (gradient,) = torch.autograd.grad(value, outputs)
            values.append(float(value.detach()))
            rises.append(float(gradient[0, 0]))
        losses.append(Curve(role_in_words(name), places.tolist(), values, index, name[0]))
        slopes.append(Curve(role_in_words(name), places.tolist(), rises, index, name[0]))
    zero = Curve("", [*LOGITS], [0.0, 0.0], faint=True)
    return Panels(
        (
            Panel(_("loss"), Curves(tuple(losses), LOGITS, _("logit"), low=0.0, high=10.0)),
            Panel(_("slope > 0 lowers logit"), Curves((*slopes, zero), LOGITS, _("logit"), low=-5.0, high=5.0)),
        ),
        columns=2,
        note=_("over the logit of the right class, the others' being 0"),
    )


def _pushed_back(outputs: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The share of the rightly classified samples whose loss would fall if the right class's output were smaller."""
    import torch

    outputs = outputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(outputs, labels), outputs)
    right = outputs.argmax(dim=1) == labels
    down = gradient.gather(1, labels.unsqueeze(1)).squeeze(1) > 0
    return float(down[right].double().mean()) if bool(right.any()) else 0.0


LESSON = book_lesson(
    "cross-entropy",
    measure=cross_entropy,
    experiments=(
        Experiment("softmax regression", {"model": "softmax", "dataset": "digits", "epochs": 20}),
        Experiment("multilayer perceptron", {"model": "mlp", "dataset": "digits", "hidden": "64", "epochs": 20}),
    ),
)
