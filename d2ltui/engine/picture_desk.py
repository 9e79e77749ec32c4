"""PictureDesk: where pictures of a run are asked for and laid out. It costs nothing to import."""

from __future__ import annotations

import threading
from collections.abc import Callable

from d2ltui.spec.pictures import PictureMade, PictureRequest

MAX_PAST = 66


class PictureDesk:
    """One standing request for pictures, and the newest answer. Every method returns at once, in any thread.

    What is meant is the picture of now, or, with `look_at`, that of a moment before. `on_ask` is called after each new
    request and each other moment, in the asking thread, by whoever makes the pictures.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: PictureRequest | None = None
        self._fresh = False
        self.on_ask: Callable[[], None] = _nothing
        self.made: PictureMade | None = None  # replaced by a new one, never changed
        self.past: list[PictureMade] = []  # of this request, the newest last, at most MAX_PAST; replaced, too
        self.moment: int | None = None  # the step that is looked at; None for now
        self.no_past = ""  # why there are no pictures of moments that were not looked at, where there is a reason

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

    def look_at(self, step: int | None) -> None:
        """The picture after `step` steps is meant from now on, as far as there is one; None for now."""
        if step != self.moment:
            self.moment = step
            if self._request is not None:
                self.on_ask()

    def put(self, made: PictureMade) -> None:
        """Lay out the answer, unless something else has been asked for meanwhile."""
        with self._lock:
            if made.request == self._request:
                self.made = made
                if made.problem:
                    return  # the pictures before it are still true
                self._keep([*(one for one in self.past if one.step < made.step), made], made)

    def put_past(self, made: PictureMade) -> None:
        """Lay out the picture of a moment before."""
        with self._lock:
            if made.request == self._request:
                others = (one for one in self.past if one.step != made.step)
                self._keep(sorted([*others, made], key=lambda one: one.step), made)

    def _keep(self, past: list[PictureMade], newest: PictureMade) -> None:
        past = [one for one in past if one.request == self._request]
        if len(past) > MAX_PAST:  # without the one that is missed least; the newest is what somebody looks at
            triples = zip(past, past[1:], past[2:], strict=False)
            gaps = [(after.step - before.step, one.step) for before, one, after in triples if one is not newest]
            _, least = min(gaps)
            past = [one for one in past if one.step != least]
        self.past = past

    def at(self, step: int) -> PictureMade | None:
        """The last picture of the request that was made until `step`, else the first one after it; None without any."""
        kept = [made for made in self.past if made.request == self._request]
        return next((made for made in reversed(kept) if made.step <= step), kept[0] if kept else None)


def _nothing() -> None:
    """Nobody makes pictures yet."""
