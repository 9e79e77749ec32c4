"""How long a run has trained: training counts, loading and pauses do not."""

from __future__ import annotations

import time


class Clock:
    """Stands at first; `seconds` is what it shows."""

    def __init__(self) -> None:
        self._before = 0.0  # until it was started last
        self._started: float | None = None  # None while it stands

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return self._before + (time.perf_counter() - self._started if self._started is not None else 0.0)

    def set(self, seconds: float) -> None:
        """Stand at `seconds`: a run goes on."""
        self._before, self._started = seconds, None

    def start(self) -> None:
        """Count from now on."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """Stand still."""
        self.set(self.seconds)
