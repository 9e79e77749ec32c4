"""When to give a run up before its end: it has learned nothing, and the evidence says that it will not.

The evidence is taken at the ends of certain epochs and counts no seconds, so that the same run is given up at the same
step. A run that knows more than a guess is never given up, however large its loss is; nor is one whose gradient still
grows, for a network that starts on a plateau leaves it late, and all at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.evidence import floors
from d2ltui.diagnosis.probes import probe
from d2ltui.diagnosis.remedies import in_words
from d2ltui.engine.summary import has_run_away, knows_something
from d2ltui.engine.workbench import Workbench
from d2ltui.history.epochs import Epochs
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import EpochEnded, Finding, LayersProbed
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

# Chosen on 162 runs of digits, moons, circles, spirals and linear regression: none that ended better than a guess is
# given up. Some that learn nothing are kept to the end.
LOOKS = 20  # in a whole run, evenly spread; of a short one each epoch's end
FIRST = 0.25  # of the epochs: earlier, only what has no gradient, or a loss beyond all measure, is given up
CERTAIN, LIKELY = 2, 3  # looks in a row that must say the same
SPEED_UP = 4.0  # times its present pace: as fast as the loss may yet fall
STILL_GROWS = 1.1  # times as large, by the end and at its present pace: a layer's gradient that grows
LEARNS = 0.9  # of a guess's loss: who may come below it by the end may learn

_ALONE = _("Train it alone: the diagnosis at its end then tries what would mend it.")


class _Seen(NamedTuple):
    """What a look at the end of an epoch has seen."""

    epoch: int
    loss: float
    gradients: tuple[float, ...]


class GivingUp:
    """Judges one run after each epoch.

    Args:
        config: the run.
        classes: how many; 0 in regression.
        guess: the loss of who knows nothing.
        look: looks at the network after so many steps.
        tell: told why, where the run is given up.
        failed: told where judging fails: the run then goes on to its end.
    """

    def __init__(
        self,
        config: RunConfig,
        classes: int,
        guess: float,
        look: Callable[[int], LayersProbed],
        tell: Callable[[Finding], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._config, self._guess, self._look, self._tell, self._failed = config, guess, look, tell, failed
        self._broken = False
        self._metric = metric_title(classes)
        self._classes = classes
        self._least = floors(config, classes)[1]
        self._at = {math.ceil(k * config.epochs / LOOKS) for k in range(1, LOOKS)} - {config.epochs}
        self._seen: list[_Seen] = []
        self._ran_away = self._stuck = self._slow = 0  # looks in a row

    @classmethod
    def of(
        cls, bench: Workbench, tell: Callable[[Finding], None] | None, failed: Callable[[str, Exception], None]
    ) -> GivingUp | None:
        """For the run that `bench` is ready for; None where nobody is to be told why it is given up: it never is."""
        if tell is None:
            return None
        look = partial(probe, bench.network, bench.x, bench.y)
        return cls(bench.config, bench.classes, bench.parts.guess, lambda step: look(step=step), tell, failed)

    def after(self, epochs: Epochs, first_loss: float) -> Finding | None:
        """Why the run is given up after the last of `epochs`; None where there is hope."""
        if self._broken:
            return None
        try:
            why = self._judge(epochs[-1], first_loss)
        except Exception as error:  # such as no memory for a look
            self._broken = True
            self._failed(_("judging whether the run will learn"), error)
            return None
        if why is not None:
            self._tell(why)
        return why

    def _judge(self, last: EpochEnded, first_loss: float) -> Finding | None:
        if last.epoch not in self._at:
            return None
        steady = self._config.schedule == "constant"  # a rate that is to change may yet change everything
        if knows_something(last.val_metric, self._classes):
            self._ran_away = self._stuck = self._slow = 0
            return None
        ran_away = has_run_away(last, first_loss, self._guess, self._classes)
        self._ran_away = self._ran_away + 1 if steady and ran_away else 0
        if self._ran_away >= CERTAIN:
            return self._divergence(last)
        probed = self._look(last.step)
        gradients = tuple(layer.gradient_norm for layer in probed.layers if layer.gradient_norm is not None)
        seen = _Seen(last.epoch, probed.loss, gradients)
        before = next((one for one in reversed(self._seen) if 2 * one.epoch <= last.epoch), None)
        if before is None and not self._seen:
            before = _Seen(0, first_loss, gradients)
        self._seen.append(seen)
        self._stuck = self._stuck + 1 if gradients and max(gradients) == 0 else 0
        if self._stuck >= CERTAIN:
            return self._no_gradient(last, probed)
        hopeless = steady and before is not None and last.epoch >= FIRST * self._config.epochs
        hopeless = hopeless and before is not None and not self._may_learn(before, seen)
        self._slow = self._slow + 1 if hopeless else 0
        return self._not_learning(last, before, seen) if self._slow >= LIKELY and before is not None else None

    def _may_learn(self, before: _Seen, now: _Seen) -> bool:
        left = (self._config.epochs - now.epoch) / (now.epoch - before.epoch)
        reachable = now.loss - SPEED_UP * left * max(0.0, before.loss - now.loss)
        if reachable - self._least < LEARNS * (self._guess - self._least):
            return True
        if len(now.gradients) < 2:
            return False  # without a hidden layer there is no plateau
        least = STILL_GROWS ** (1 / left)
        pairs = zip(now.gradients, before.gradients, strict=True)
        return any(earlier > 0 and later / earlier > least for later, earlier in pairs)

    def _place(self, last: EpochEnded) -> str:
        said = _("after epoch {epoch} of {epochs}, at step {step:,}")
        return said.format(epoch=last.epoch, epochs=self._config.epochs, step=last.step)

    def _score(self, last: EpochEnded) -> str:
        said = _("validation {metric} is {value}, no better than a guess")
        return said.format(metric=self._metric, value=number(last.val_metric))

    def _divergence(self, last: EpochEnded) -> Finding:
        remedy = remedies.stabilise(self._config)
        times = min(last.train_loss, last.val_loss) / self._guess if self._guess > 0 else math.inf
        what = _("The loss is {loss} {place}, {times} times that of a guess, and {score}.").format(
            loss=number(last.train_loss), place=self._place(last), times=number(times), score=self._score(last)
        )
        why = _("Steps that are too long lead away from what is to be learned, and the next ones are longer still.")
        try_ = _("Train with {change}.").format(change=in_words(remedy))
        return Finding("divergence", "alarm", None, last.step, times, what, why, try_, remedy)

    def _no_gradient(self, last: EpochEnded, probed: LayersProbed) -> Finding:
        why = _("A step is the rate times the gradient: without one, nothing moves.")
        dead = next((layer for layer in probed.layers if layer.dead == 1), None)
        if dead is not None:
            what = _(
                "All units of layer {index} ({title}) are dead {place}: no weight has a gradient, and {score}."
            ).format(index=dead.index, title=dead.title, place=self._place(last), score=self._score(last))
            return Finding("dead-relu", "alarm", dead.index, last.step, 1.0, what, why, _ALONE, {})
        what = _("No weight has a gradient {place}, and {score}.").format(
            place=self._place(last), score=self._score(last)
        )
        return Finding("vanishing-gradient", "alarm", None, last.step, 0.0, what, why, _ALONE, {})

    def _not_learning(self, last: EpochEnded, before: _Seen, now: _Seen) -> Finding:
        what = _("The network learns nothing: {score} {place}.").format(
            score=self._score(last), place=self._place(last)
        )
        why = _(
            "At this pace it never will: the loss was {before} after epoch {epoch} and is {now}, and no layer's "
            "gradient grows."
        ).format(before=number(before.loss, 5), epoch=before.epoch, now=number(now.loss, 5))
        return Finding("not-learning", "alarm", None, last.step, last.val_metric, what, why, _ALONE, {})
