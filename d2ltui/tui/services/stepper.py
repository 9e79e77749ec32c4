"""Stepper: goes through the step that comes next line by line, and then has it taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from d2ltui.code.lines import Line
from d2ltui.spec.pictures import PictureRequest
from d2ltui.spec.step_seen import STEP, Moment

if TYPE_CHECKING:
    from d2ltui.spec.pictures import PictureMade
    from d2ltui.tui.host import Host

REQUEST = PictureRequest(STEP, 0, 0)


class Stepper:
    """Where somebody is in the step that this process's run waits to take.

    `made` shows that step; None while the run trains, and until it is known. `at` is the line that has just run.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.made: PictureMade | None = None
        self.at = 0
        self._old: PictureMade | None = None
        self._passed = -1  # the number of steps before the one that is being taken now

    def look(self) -> None:
        """Have the next step shown while the run waits for it, and see whether it has been."""
        host, control = self._host, self._host.control
        desk = host.pictures
        if desk is None or control is None or not host.training or control.mode not in ("pause", "step"):
            self.leave()
            return
        if desk.request != REQUEST:
            self._old = desk.made  # which may be of an earlier step
            desk.ask(REQUEST)
        made = desk.made
        if made is None or made is self._old or made.request != REQUEST or made.step == self._passed:
            return
        if self.made is None or made.step != self.made.step:
            self.at, self._passed = 0, -1
        self.made = made

    def leave(self) -> None:
        """Nobody looks at steps any more."""
        self.made, self.at, self._passed = None, 0, -1
        desk = self._host.pictures
        if desk is not None and desk.request == REQUEST:
            desk.ask(None)

    @property
    def moments(self) -> Sequence[Moment]:
        """What is known of the next step, line by line; empty where nothing is."""
        return self.made.next_step.moments if self.made is not None and self.made.next_step is not None else ()

    def forward(self, *, whole: bool = False) -> None:
        """The next line, or with `whole` all that are left; after the last one the run takes the step.

        A run that trains waits first. One of another process takes a whole step at once.
        """
        control = self._host.control
        if control is None:
            return
        if not self._host.training or self._host.pictures is None:
            control.step()
        elif control.mode in ("run", "epoch"):
            control.pause()
        elif self.made is None or self.made.step == self._passed:
            return  # it is being looked at, or being taken
        elif not whole and self.at + 1 < len(self.moments):
            self.at += 1
        else:
            self.at = max(0, len(self.moments) - 1)
            self._passed = self.made.step
            control.step()


def mark_of(code: Sequence[Line], moments: Sequence[Moment]) -> int | None:
    """The line of `code` that has just run, where `moments` are those until now.

    What it leaves to others, such as a penalty to its optimiser, stays with the line before.
    """
    for moment in reversed(moments):
        found = next((number for number, line in enumerate(code) if line.moment == moment.line), None)
        if found is not None:
            return found
    return None
