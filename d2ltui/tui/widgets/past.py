"""The moment at a cursor that stands in the past: what is told of it in the place of how the run goes, or has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun


class Past(NamedTuple):
    """What was known of a run after `step` steps, in the words that stand beside the cursor."""

    step: int
    epoch: str
    time: str
    figures: str  # the curves' values

    @property
    def when(self) -> str:
        """That the cursor stands there, of a run that goes on."""
        told = _("the cursor is in the past: step {step:,}, epoch {epoch}, {time}")
        return told.format(step=self.step, epoch=self.epoch, time=self.time)

    def line(self, live: LiveRun) -> str:
        """What follows the run's word in the status line."""
        of = f"{live.header.epochs:,}" if live.header.epochs else "?"
        return _("  in the past: epoch {epoch}/{of} ").format(epoch=self.epoch, of=of)

    def told(self, live: LiveRun, speed: str) -> tuple[str, ...]:
        """What follows the bar, with the `speed` of a replay, if it is one: from the longest to the shortest."""
        step = _(" step {step:,}").format(step=self.step)
        of = _(" step {step:,} of {steps:,}").format(step=self.step, steps=live.step)
        speed = f"  {speed}" if speed else ""
        return f"{of}  {self.time}{speed}", f"{of}{speed}", f"{step}{speed}", step
