"""Softmax makes probabilities (section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from torch import Tensor


Function: TypeAlias = "Callable[[Tensor], Tensor]"
ROWS, CLASSES = 1000, 10
LOGITS = (1.0, -2.0, 2.5, 0.0, -0.5)  # that are drawn


def softmax(bench: Bench, function: Function | None = None) -> Measured:
    """Section 4.1's properties of softmax, or of another function, on random logits."""
    import torch

    from d2ltui.nn import functional

    function = function or functional.softmax
    bench.show(_picture(function))
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
            figure(
                _("outputs that are not positive, of logits up to some hundreds, in float64"),
                not_positive,
                0,
                0,
                plain=_("Outputs that are not positive"),
            ),
            figure(_("largest distance of a sum from 1"), off, 0, 1e-12, plain=_("Largest distance of a sum from 1")),
            figure(
                _("neighbouring logits whose probabilities come in the other order"),
                turned,
                0,
                0,
                plain=_("Neighbours that changed places"),
            ),
            figure(_("outputs that float32 rounds to 0, of logits of sd 100"), mean(zeros)),
        ],
        _(
            "{rows:,} random rows of {classes} logits. e⁻ˣ is positive for every x, but float32 has "
            "no number between 0 and e⁻¹⁰³: there, positive is true of the formula and not of the "
            "computer."
        ).format(rows=4 * ROWS * len(bench.seeds), classes=CLASSES),
        _(
            "Of {outputs:,} random outputs {not_positive} came out not positive, the sums are 1 but "
            "for {off}, and {turned} neighbours changed places."
        ).format(
            outputs=4 * ROWS * len(bench.seeds) * CLASSES,
            not_positive=not_positive or _("none"),
            off=number(off, 1),
            turned=turned or _("no"),
        ),
    )


def _picture(function: Function) -> Panels:
    """Five logits, their exponentials, and what the function makes of them."""
    import torch

    p = function(torch.tensor([LOGITS], dtype=torch.float64))[0].tolist()
    names = tuple("ABCDE"[: len(LOGITS)])
    colours = tuple(range(len(LOGITS)))
    exponentials = tuple(map(math.exp, LOGITS))
    return Panels(
        (
            Panel(_("logits o"), Bars(names, LOGITS, colours)),
            Panel("exp(o) > 0", Bars(names, exponentials, colours)),
            Panel(_("p, sum {p}").format(p=number(sum(p))), Bars(names, tuple(p), colours, full=1.0, form=".2f")),
        ),
        columns=3,
        note=_("positive, of sum 1, and in the order of the logits"),
    )


LESSON = book_lesson(
    "softmax",
    measure=softmax,
)
