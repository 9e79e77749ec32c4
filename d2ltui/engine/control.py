"""Control: what a person wants of the running training, asked from any thread, obeyed between two steps."""

from __future__ import annotations

import threading
import time
from typing import Literal

from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.spec.step_seen import STEP

Mode = Literal["run", "pause", "step", "epoch"]
SHOWN_WITHIN = 0.03  # seconds for which a pause does nothing: first the screen says so


class Stopped(Exception):
    """Control asked for an end. Never leaves the engine."""


class Control:
    """Requests to one trainer. Every method returns at once.

    The trainer reads one attribute, `attention`, after each step; only when it is set does it look further.

    `pictures` is where pictures of the run are asked for; None where nobody will.
    """

    def __init__(self, mode: Mode = "run") -> None:
        self.pictures: PictureDesk | None = None
        self._changed = threading.Condition()
        self._mode: Mode = mode
        self._stop = False
        self._lr: float | None = None
        self._observed = False
        self._steps = 1 if mode == "step" else 0  # still to train in mode "step"
        self._trial: Control | None = None
        self._pace: float | None = None  # steps a second at most
        self._paced_step, self._next_step_at = -1, 0.0
        self._rest_until = self._rest_after = 0.0  # by the monotonic clock; 0 where nobody has asked for a rest
        self.attention = mode in ("pause", "step")

    def _set(self, mode: Mode | None = None) -> None:
        if mode is not None:
            self._mode = mode
            self._next_step_at = time.monotonic()  # what a person asks for need not wait for its turn
        self.attention = (
            self._stop
            or self._lr is not None
            or self._mode in ("pause", "step")
            or self._pace is not None
            or self._rest_until > 0
            or self._picture_asked
        )
        self._changed.notify_all()

    def pause(self) -> None:
        """Wait after the current step."""
        with self._changed:
            self._set("pause")

    def resume(self) -> None:
        """Train on to the end."""
        with self._changed:
            self._set("run")

    def step(self) -> None:
        """Train one step, then pause; one more for each request that comes before."""
        with self._changed:
            self._steps = self._steps + 1 if self._mode == "step" else 1
            self._set("step")

    def epoch(self) -> None:
        """Train to the end of the epoch, evaluate, then pause."""
        with self._changed:
            self._set("epoch")

    def stop(self) -> None:
        """End the run after the current step."""
        with self._changed:
            self._stop = True
            self._set()
            if self._trial is not None:
                self._trial.stop()

    def of_trial(self) -> Control:
        """For a run within this one, which is stopped when this one is."""
        trial = Control()
        self.adopt(trial)
        return trial

    def adopt(self, other: Control) -> None:
        """From now on, stop `other` when this one is stopped; the one that it was before no more."""
        with self._changed:
            self._trial = other
            if self._stop:
                other.stop()

    def set_lr(self, lr: float) -> None:
        """Go on with another learning rate from the next step on."""
        with self._changed:
            self._lr = lr
            self._set()

    def set_pace(self, pace: float | None) -> None:
        """Take at most `pace` steps a second from here on; None for all there is."""
        with self._changed:
            self._pace, self._next_step_at = pace, time.monotonic()
            self._set()

    def rest(self, seconds: float) -> None:
        """Leave the processor to the caller after the current step, until `end_rest`, for `seconds` at most.

        However often it is called, half of the time is trained.
        """
        now = time.monotonic()
        if now < self._rest_after or self._mode == "pause":
            return
        with self._changed:
            self._rest_until = now + seconds
            self._set()

    def end_rest(self) -> None:
        """Train on: the processor is no longer needed."""
        if self._rest_until > 0:
            with self._changed:
                self._rest_until = 0.0
                self._set()

    def observe(self, observed: bool) -> None:
        """Say whether anybody looks at the layers: only then are they probed often."""
        with self._changed:
            if observed != self._observed:
                self._observed = observed
                self._set()

    def offer_pictures(self) -> PictureDesk:
        """Pictures can be asked for from now on, also while the run is paused."""
        if self.pictures is None:
            self.pictures = PictureDesk()
            self.pictures.on_ask = self._wake
        return self.pictures

    def _wake(self) -> None:
        with self._changed:
            self._set()

    @property
    def _picture_asked(self) -> bool:
        """Whether somebody waits for another picture; a step's is made when the run stands still."""
        request = self.pictures.request if self.pictures is not None and self.pictures.fresh else None
        return request is not None and request.kind != STEP

    # What the trainer reads.

    @property
    def mode(self) -> Mode:
        """What to do next."""
        return self._mode

    @property
    def stopping(self) -> bool:
        """Whether the run is to end."""
        return self._stop

    def stop_if_asked(self) -> None:
        """Raises Stopped where the run is to end."""
        if self.stopping:
            raise Stopped

    @property
    def observed(self) -> bool:
        """Whether anybody looks at the layers."""
        return self._observed

    @property
    def slowed(self) -> bool:
        """Whether steps wait for each other: slow motion."""
        return self._pace is not None

    def take_lr(self) -> float | None:
        """The learning rate that was asked for since the last call, if any."""
        with self._changed:
            lr, self._lr = self._lr, None
            self._set()
            return lr

    def step_done(self) -> None:
        """The step that was asked for has been trained: pause, unless something else was asked meanwhile."""
        with self._changed:
            if self._mode == "step":
                self._steps -= 1
                self._set("pause" if self._steps <= 0 else None)

    def epoch_done(self) -> None:
        """The epoch that was asked for is over: pause, unless something else was asked meanwhile."""
        with self._changed:
            if self._mode == "epoch":
                self._set("pause")

    @property
    def resting(self) -> bool:
        """Whether somebody needs the processor for a moment."""
        return self._rest_until > 0

    def wait_while_resting(self) -> float:
        """Sleep until the rest that was asked for is over; returns how many seconds that took."""
        began = time.monotonic()
        with self._changed:
            while not self._stop and (left := self._rest_until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._rest_until = 0.0
            rested = time.monotonic() - began
            self._rest_after = began + 2 * rested
            self._set()
        return rested

    def wait_for_pace(self, step: int) -> bool:
        """Sleep until the step after `step` is due, or a request arrives; True where it has to be asked again."""
        with self._changed:
            if self._pace is None or self._mode == "pause" or self._stop or step == self._paced_step:
                return False
            left = self._next_step_at - time.monotonic()
            if left > 0:
                self._changed.wait(left)
                return True
            self._paced_step = step
            self._next_step_at = max(self._next_step_at, time.monotonic() - 0.5 / self._pace) + 1 / self._pace
            return False

    def wait_while_paused(self, timeout: float) -> bool:
        """Sleep until a request arrives; True when the trainer is to stay paused and nothing else is asked."""
        with self._changed:
            picture = self.pictures is not None and self.pictures.fresh
            if self._mode == "pause" and not self._stop and self._lr is None and not picture:
                self._changed.wait(timeout)
            return self._mode == "pause" and not self._stop
