"""How long a run has trained: training counts; loading, pauses, and a process that stands still do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BEAT = 0.25  # seconds between two looks
# Seconds without a look after which the process has stood still, by ctrl+z or in a container that was frozen. Shorter,
# and a machine that is busy would lose training time by it.
LONGEST = 1.0


class Clock:
    """Stands at first; `seconds` is what it shows.

    A process that is stopped is not told so. What tells is that nobody has looked at the clock for long: while it goes,
    a thread of its own does, whatever the training is about. (Processor time would not tell a process that stands still
    from a step that waits for a GPU.)
    """

    def __init__(self) -> None:
        self._counted = 0.0
        self._looked: float | None = None  # when it was looked at last; None while it stands
        self._looking = threading.Lock()
        self._standing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        with self._looking:
            if self._looked is not None:
                now = time.perf_counter()
                passed = now - self._looked
                self._counted += passed if passed <= LONGEST else BEAT
                self._looked = now
            return self._counted

    def set(self, seconds: float) -> None:
        """Stand at `seconds`: a run goes on."""
        self.stop()
        self._counted = seconds

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """What it counts within it is no training, and is taken back at the end: no more than it has counted."""
        before = self.seconds
        try:
            yield
        finally:
            counted = self.seconds - before
            with self._looking:
                self._counted -= counted

    def start(self) -> None:
        """Count from now on, until `stop`."""
        if self._thread is not None:
            return
        self._looked = time.perf_counter()
        self._standing.clear()
        self._thread = threading.Thread(target=self._look, name="d2ltui-clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stand still."""
        if self._thread is None:
            return
        self._standing.set()
        self._thread.join()
        self._counted, self._looked, self._thread = self.seconds, None, None

    def _look(self) -> None:
        while not self._standing.wait(BEAT):
            _ = self.seconds
