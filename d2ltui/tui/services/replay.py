"""Speeds, from one step a second to all there is; and a stored run played at one of them."""

from __future__ import annotations

import time
from collections.abc import Callable

SPEEDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)  # steps a second; beyond them is all there is
WHOLE_RUN = 15.0  # seconds that a replay takes where no speed is set


def changed_speed(speed: float | None, by: int, present: float) -> float | None:
    """The speed after `speed`, faster (`by` 1) or slower (−1); None is all there is, where `present` is what comes."""
    if speed is None:
        if by > 0:
            return None
        return max((slower for slower in SPEEDS if slower < present), default=SPEEDS[0])
    at = SPEEDS.index(speed) + by if speed in SPEEDS else 0
    return None if at >= len(SPEEDS) else SPEEDS[max(0, at)]


class Replay:
    """Goes through the steps of a run that is over. Whoever shows it asks for the step, frame by frame."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = 0  # the run's last step; 0 where nothing is played
        self._from, self._since = 0.0, 0.0  # a step, and when it was shown
        self._speed: float | None = None

    @property
    def on(self) -> bool:
        """Whether a run is played."""
        return self._last > 0

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self._speed if self._speed is not None else max(1.0, self._last / WHOLE_RUN)

    @property
    def chosen(self) -> float | None:
        """The speed that was asked for, in this replay or the one before; None where none was."""
        return self._speed

    def start(self, step: int, last: int, speed: float | None) -> None:
        """Play from `step` to the step `last`, with `speed` steps a second, or, with None, all of it in WHOLE_RUN s."""
        self._last, self._speed = last, speed
        self._from, self._since = float(step), self._clock()

    def stop(self) -> None:
        """Stand still."""
        self._last = 0

    def change_speed(self, by: int) -> None:
        """From here on go faster (`by` 1) or slower (−1), as far as there is such a speed."""
        self._move()
        present = self.speed
        if by > 0:
            self._speed = min((faster for faster in SPEEDS if faster > present), default=present)
        else:
            self._speed = max((slower for slower in SPEEDS if slower < present), default=present)

    def wait(self) -> None:
        """Stay at the step that was shown last: nobody has seen one since."""
        self._since = self._clock()

    def _move(self) -> None:
        now = self._clock()
        self._from, self._since = self._from + (now - self._since) * self.speed, now

    def step(self) -> int | None:
        """The step to be shown now; None where the end has been reached, and the replay is over."""
        self._move()
        if self._from >= self._last:
            self.stop()
            return None
        return int(self._from)
