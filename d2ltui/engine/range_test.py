"""A range test of the learning rate: a short run over growing rates (Smith 2015, *Cyclical learning rates*).

Each step has a rate a little larger than the one before. While rates are too small, nothing happens; then the loss
falls; from some rate on it rises again, and soon it explodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from d2ltui.diagnosis.causes import possible_causes, with_remedy
from d2ltui.diagnosis.remedies import Remedy, in_words
from d2ltui.engine.workbench import Workbench
from d2ltui.nn import set_lr
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, setting
from d2ltui.spec.text import counted

LOWEST, HIGHEST = 1e-7, 10.0
# 20 for each power of ten; where that suggests nothing, as a layer of sigmoids may, twice as many, and as two layers of
# them may, eight times.
STEPS = (160, 320, 1280)
MOST_TRIED = 2  # changes that are tried, beside another optimiser, where no rate helps
EXPLODED = 4.0  # times the lowest smoothed loss: no larger rate is of interest (fastai's `lr_find` stops there, too)
SMOOTHING = 2.5  # steps: the standard deviation of the window that smooths the curve
# Of the first loss, or of a guess's where that is lower: a curve that never falls below it suggests nothing. A LeNet of
# sigmoids, with SGD, is such a case: measured, it does not learn in its first 800 steps, whatever the rate.
FALLEN = 0.93
NEAR = 5.0  # times the suggestion, or a part of it: rates that train alike


class Instead(NamedTuple):
    """A change with which some rate brings the loss down, that rate, and what was in its way without."""

    remedy: Remedy
    lr: float
    why: str

    @property
    def values(self) -> Remedy:
        """All that is to be put into the form."""
        return {**self.remedy, "lr": self.lr}


class RangeTest(NamedTuple):
    """What came of it. `rates`, `losses` and `smoothed` have one value for each step, all of them finite."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None  # the rate at which the loss falls fastest; None where it does not fall
    tenth: float | None  # of the rate at the lowest loss
    exploded: bool  # whether it ended before HIGHEST
    lr: float  # the run's own
    instead: tuple[Instead, ...] = ()  # what helps, where no rate alone does

    @property
    def suggestion(self) -> float | None:
        """One rounded rate: the smaller of the two, for either may be too bold; None where the loss does not fall."""
        if self.steepest is None or self.tenth is None:
            return None
        return rounded(min(self.steepest, self.tenth))

    @property
    def method(self) -> str | None:
        """Which of the two that is."""
        if self.steepest is None or self.tenth is None:
            return None
        return "steepest descent" if self.steepest <= self.tenth else "a tenth of the rate at the lowest loss"

    @property
    def extent(self) -> str:
        """How many steps with which rates, in words."""
        if not self.rates:
            return _("the loss is not finite after the first step, with lr {lr}").format(lr=setting(LOWEST))
        said = (
            _("{steps}, lr {first} to {last}, where the loss explodes")
            if self.exploded
            else _("{steps}, lr {first} to {last}")
        )
        last = number(self.rates[-1], 2) if self.exploded else setting(float(HIGHEST))
        return said.format(steps=counted(len(self.rates), "step"), first=number(self.rates[0]), last=last)

    def in_words(self, check: str) -> list[str]:
        """The suggestion beside the run's own rate, or that there is none; `check` is how to look for the reason."""
        suggestion = self.suggestion
        if suggestion is None or self.steepest is None or self.tenth is None:
            return self._without(check)
        said = (
            _("suggestion: lr {lr}, steepest descent (the loss falls fastest at {steepest}, and is lowest at {lowest})")
            if self.steepest <= self.tenth
            else _(
                "suggestion: lr {lr}, a tenth of the rate at the lowest loss (the loss falls fastest at {steepest}, "
                "and is lowest at {lowest})"
            )
        )
        steepest, lowest = number(self.steepest, 2), number(10 * self.tenth, 2)
        own = _("the run has lr {lr}: {compared}")
        return [
            said.format(lr=setting(suggestion), steepest=steepest, lowest=lowest),
            own.format(lr=setting(self.lr), compared=_compared(self.lr / suggestion)),
        ]

    def _without(self, check: str) -> list[str]:
        """That there is no suggestion, and what to do instead."""
        if not self.rates:  # the extent says it
            return [_("no suggestion; {check} says what is wrong").format(check=check)]
        steps = counted(len(self.rates), "step", ",")
        said = [
            _("no suggestion: in {steps} of growing rates the loss never comes well below that of a guess").format(
                steps=steps
            )
        ]
        with_change = _("with {change}, lr {lr} brings it down: {why}")
        said += [
            with_change.format(change=in_words(one.remedy), lr=setting(one.lr), why=one.why) for one in self.instead
        ]
        if not self.instead:
            said.append(_("nor does it with other usual settings; {check} says what is wrong").format(check=check))
        return said


def _compared(ratio: float) -> str:
    if abs(ratio - 1) < 1e-9:
        return _("the same")
    if 1 / NEAR <= ratio <= NEAR:
        said = _("{times} times the suggestion, near enough")
    elif ratio > 1:
        said = _("{times} times the suggestion, which may be too high")
    else:
        said = _("{times} times the suggestion, which may be too low")
    return said.format(times=number(ratio, 2))


def rounded(rate: float) -> float:
    """1, 2, 3 or 5 times a power of ten, whichever is nearest by ratio."""
    exponent = math.floor(math.log10(rate))
    near = (float(f"{digit}e{power}") for power in (exponent, exponent + 1) for digit in (1, 2, 3, 5))
    return min(near, key=lambda other: abs(math.log(other / rate)))


def range_test(bench: Workbench, tell: Callable[[float], None] = lambda share: None) -> RangeTest:
    """Train a copy of the run's network with rates from LOWEST to HIGHEST, for as many steps as it takes of STEPS.

    After each step the loss is that of the same samples, the probe batch, without dropout: a batch's own loss jumps
    with the batch, and hides the curve of a small one. `tell` is called with the share of the steps that are done, of
    each try anew.

    Raises:
        Cancelled: where the run's control has been asked for an end.
    """
    for steps in STEPS:
        found = _tested(bench, steps, lambda index, steps=steps: tell(index / steps))  # type: ignore[misc]
        if found.suggestion is not None:
            return found
    others = (MOST_TRIED + 1) * sum(STEPS[:2])
    return found._replace(instead=tuple(_what_helps(bench, lambda done: tell(done / others))))


def _what_helps(bench: Workbench, tell: Callable[[int], None]) -> Iterator[Instead]:
    """Changes that may be to blame, each tested with as many steps as are usual: those with which a rate helps."""
    config = bench.config
    scale = float(bench.data.x_train.double().square().mean().sqrt())
    remedies: dict[str, Remedy] = {}  # of what is to blame, the first where there are two
    for cause in possible_causes(config, bench.data.info, scale):
        if set(cause.remedy) - {"lr", "epochs"}:
            remedies.setdefault(cause.what, {k: v for k, v in cause.remedy.items() if k != "lr"})
    changes = [(remedy, what) for what, remedy in list(remedies.items())[:MOST_TRIED]]
    if config.optimizer != "adam":
        changes.append(
            ({"optimizer": "adam"}, _("Adam takes steps of one size, however small the gradient has become"))
        )
    for place, (remedy, why) in enumerate(changes):
        before = place * sum(STEPS[:2])
        changed = with_remedy(config, remedy)
        if changed is None or changed.model != config.model:  # another model may want the data otherwise
            continue
        for steps in STEPS[:2]:
            found = _tested(bench, steps, lambda index, before=before: tell(before + index), changed)  # type: ignore[misc]
            if found.suggestion is not None:
                yield Instead(remedy, found.suggestion, why)
                break


def _tested(bench: Workbench, steps: int, tell: Callable[[int], None], config: RunConfig | None = None) -> RangeTest:
    learner = bench.learner(config)
    rates: list[float] = []
    losses: list[float] = []
    factor = (HIGHEST / LOWEST) ** (1 / (steps - 1))
    first = lowest = learner.evaluate(bench.x, bench.y)[1]
    exploded = False
    for index, (x, y) in enumerate(bench.batches(steps)):
        bench.go_on()
        tell(index)
        rate = LOWEST * factor**index
        set_lr(learner.optimizer, rate)
        learner.step(x, y)
        __, loss = learner.evaluate(bench.x, bench.y)
        if not math.isfinite(loss):
            exploded = True
            break
        rates.append(rate)
        losses.append(loss)
        recent = sum(losses[-3:]) / len(losses[-3:])
        lowest = min(lowest, recent)
        if recent > EXPLODED * lowest:
            exploded = True
            break
    smooth = _smoothed(losses)
    steepest, tenth = _suggested(rates, smooth, FALLEN * min(first, bench.parts.guess))
    return RangeTest(tuple(rates), tuple(losses), tuple(smooth), steepest, tenth, exploded, bench.config.lr)


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Each value as the mean of its neighbours, weighed by a bell curve; the window is centred, so nothing lags."""
    reach = math.ceil(3 * SMOOTHING)
    weights = [math.exp(-0.5 * (k / SMOOTHING) ** 2) for k in range(-reach, reach + 1)]
    smooth = []
    for i in range(len(losses)):
        low, high = max(0, i - reach), min(len(losses), i + reach + 1)
        near = weights[low - i + reach : high - i + reach]
        smooth.append(sum(map(float.__mul__, near, losses[low:high])) / sum(near))
    return smooth


def _suggested(rates: Sequence[float], smooth: Sequence[float], least: float) -> tuple[float | None, float | None]:
    """The rate of the steepest descent, by the logarithm of the rate, and a tenth of that of the lowest loss.

    Neither where no loss is below `least`.
    """
    if not smooth:
        return None, None
    bottom = min(range(len(smooth)), key=smooth.__getitem__)
    if smooth[bottom] >= least or bottom < 2:
        return None, None
    steepest = min(range(1, bottom), key=lambda i: smooth[i + 1] - smooth[i - 1])
    return rates[steepest], rates[bottom] / 10
