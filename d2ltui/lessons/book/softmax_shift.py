"""Softmax may be shifted (section 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Measured, figure
from d2ltui.lessons.texts import book_lesson

if TYPE_CHECKING:
    from torch import Tensor


Function: TypeAlias = "Callable[[Tensor], Tensor]"
ROWS, CLASSES = 1000, 10


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


LESSON = book_lesson(
    "softmax-shift",
    measure=softmax_shift,
)
