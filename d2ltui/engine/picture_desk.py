"""PictureDesk: where pictures of a run are asked for and laid out. It costs nothing to import."""

from __future__ import annotations

import threading
from collections.abc import Callable

from d2ltui.spec.pictures import PictureMade, PictureRequest

MAX_PAST = 64


class PictureDesk:
    """One standing request for pictures, and the newest answer. Every method returns at once, in any thread.

    `on_ask` is called after each new request, in the asking thread, by whoever makes the pictures.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: PictureRequest | None = None
        self._fresh = False
        self.on_ask: Callable[[], None] = _nothing
        self.made: PictureMade | None = None  # replaced by a new one, never changed
        self.past: list[PictureMade] = []  # of this request, the newest last, at most MAX_PAST; replaced, too

    def ask(self, request: PictureRequest | None) -> None:
        """From now on have pictures of `request` made, again and again while the run trains; with None, no more."""
        with self._lock:
            if request == self._request:
                return
            self._request, self._fresh = request, request is not None
        self.on_ask()

    @property
    def request(self) -> PictureRequest | None:
        """What is asked for."""
        return self._request

    @property
    def fresh(self) -> bool:
        """Whether it has not been taken yet."""
        return self._fresh

    def take(self) -> PictureRequest | None:
        """The request, to be answered now."""
        with self._lock:
            self._fresh = False
            return self._request

    def put(self, made: PictureMade) -> None:
        """Lay out the answer, unless something else has been asked for meanwhile."""
        with self._lock:
            if made.request == self._request:
                self.made = made
                past = [*(one for one in self.past if one.request == made.request and one.step < made.step), made]
                if len(past) > MAX_PAST:  # without the one that is missed least
                    gaps = [after.step - before.step for before, after in zip(past, past[2:], strict=False)]
                    del past[1 + gaps.index(min(gaps))]
                self.past = past

    def at(self, step: int) -> PictureMade | None:
        """The last picture of the request that was made until `step`, else the first one after it; None without any."""
        kept = [made for made in self.past if made.request == self._request]
        return next((made for made in reversed(kept) if made.step <= step), kept[0] if kept else None)


def _nothing() -> None:
    """Nobody makes pictures yet."""
