"""Pace: how often the screen is brought up to date."""

from __future__ import annotations

import time
from collections.abc import Callable

# The share of a core that watching may take, and the slowest pace, in frames a second.
SHARE = 0.025
SLOWEST = 1.0
# How much of the new measurement enters the running mean: a single expensive frame (a resize) changes little.
WEIGHT = 0.3


class FrameLimiter:
    """Decides at each tick whether a frame is due: at most `max_fps`, fewer where frames are expensive.

    Args:
        max_fps: frames a second at most.
        clock: wall time in seconds.
        cpu: processor time in seconds of what makes the frames, the interface's thread.
    """

    def __init__(
        self,
        max_fps: float,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._shortest = 1 / max_fps
        self._longest = max(self._shortest, 1 / SLOWEST)
        self._clock, self._cpu = clock, cpu
        self._cost = 0.0  # seconds of processor time per frame, a running mean
        self._frame_at: float | None = None
        self._cpu_at = 0.0

    @property
    def interval(self) -> float:
        """Seconds from one frame to the next."""
        return min(self._longest, max(self._shortest, self._cost / SHARE))

    def due(self, backlog: bool, puts_off: Callable[[], bool] | None = None) -> bool:
        """Whether to draw a frame now.

        Args:
            backlog: the terminal has not taken the last ones yet, so no.
            puts_off: asked where it is time for a frame, and only then: whether it waits for the next tick.
        """
        now = self._clock()
        if backlog:
            return False
        # A timer comes a little early or late; a frame that misses its tick by that much would wait for the next.
        if self._frame_at is not None and now - self._frame_at < 0.95 * self.interval:
            return False
        if puts_off is not None and puts_off():
            return False
        cpu = self._cpu()
        if self._frame_at is not None:
            self._cost += WEIGHT * (cpu - self._cpu_at - self._cost)
        self._frame_at, self._cpu_at = now, cpu
        return True
