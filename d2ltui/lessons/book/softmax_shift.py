"""Softmax may be shifted (section 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from torch import Tensor


Function: TypeAlias = "Callable[[Tensor], Tensor]"
ROWS, CLASSES = 1000, 10
LOGITS = (1000.0, 1001.0, 999.0)  # that are drawn


def softmax_shift(bench: Bench, shifted: Function | None = None, naive: Function | None = None) -> Measured:
    """Section 4.5's numerical stability: the formula as it stands, and with the maximum subtracted."""
    import torch

    from d2ltui.nn import functional

    shifted, naive = shifted or functional.softmax, naive or functional.naive_softmax
    bench.show(_picture(shifted, naive))
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
            figure(
                _("largest difference of softmax(x) and softmax(x − a), a from −100 to 100, float64"),
                invariance,
                0,
                1e-12,
            ),
            figure(
                _("naive softmax at +1000, float32: rows with nan or inf"),
                mean(broken[1000]),
                1,
                1,
                "of the rows",
                _("Logits near 1000, the formula as it stands gives nan"),
            ),
            figure(_("naive softmax at −1000, float32: rows with nan or inf"), mean(broken[-1000]), 1, 1, "of all"),
            figure(
                _("shifted softmax at ±1000, float32: largest distance from float64"),
                error,
                0,
                1e-6,
                plain=_("The same shifted, largest error of a probability"),
            ),
            figure(_("cross-entropy of logits 0 and 200 (it is 200) through log-sum-exp"), stable, 199.99, 200.01),
        ],
        _(
            "float32 ends at about e⁸⁹: exp(1000) is inf and inf/inf is nan, exp(−1000) is 0 and 0/0 "
            "is nan. The logarithm of a naive probability gives {log_of_naive} where the loss is 200."
        ).format(log_of_naive=log_of_naive),
        _(
            "Of logits near 1000 the formula as it stands makes nan in {rows} of the rows; "
            "with the largest logit taken away first, the probabilities are right to {error}."
        ).format(rows=whole_percent(mean(broken[1000])), error=number(error, 1)),
    )


def _picture(shifted: Function, naive: Function) -> Panels:
    """Three large logits on their way to probabilities: as the formula has it above, shifted below."""
    import torch

    logits = torch.tensor([LOGITS])
    moved = logits - logits.max()
    names = tuple("ABCDE"[: len(LOGITS)])

    def panel(title: str, values: torch.Tensor, full: float | None = None) -> Panel:
        form = ".2f" if full == 1.0 else ".4g"
        return Panel(title, Bars(names, tuple(values[0].tolist()), tuple(range(len(LOGITS))), full, form))

    return Panels(
        (
            panel(_("logits o"), logits),
            panel("exp(o)", torch.exp(logits)),
            panel(_("p, not shifted"), naive(logits), 1.0),
            panel("o − max", moved),
            panel("exp(o − max)", torch.exp(moved), 1.0),
            panel(_("p, shifted"), shifted(logits), 1.0),
        ),
        columns=3,
        note=_("the formula as it stands, and shifted by the largest logit"),
        narrowest=10,
        main=(2, 5),
    )


LESSON = book_lesson(
    "softmax-shift",
    measure=softmax_shift,
)
