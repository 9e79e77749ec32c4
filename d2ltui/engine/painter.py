"""Who makes the pictures of a run: between its steps while it trains, and in a thread of its own afterwards."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
import time
from collections.abc import Callable

import torch

from d2ltui.data import Dataset
from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.engine.weight_history import Weights, too_large
from d2ltui.nn import Network
from d2ltui.pictures.make import make
from d2ltui.pictures.subject import Subject
from d2ltui.spec.language import _
from d2ltui.spec.pictures import PictureMade, PictureRequest
from d2ltui.spec.step_seen import STEP, StepSeen

# Seconds between two pictures, at least; and the share of the training time that they may take.
PICTURE_EVERY = 0.3
SHARE = 0.015


class Painter:
    """Makes what is asked for at a desk.

    A kind of picture that fails is told once, by `failed`, and then left alone; the desk gets a sentence in its place.

    Args:
        desk: where pictures are asked for; None where nobody ever will.
        subject: makes the subject; called when the first picture is asked for, in the thread that makes it.
        failed: told what has failed, and of what.
        next_step: shows the step that comes next, None where none does; called while the run waits for it.
        past: the weights that were kept of the moment of a step, None where none were.
    """

    def __init__(
        self,
        desk: PictureDesk | None,
        subject: Callable[[], Subject],
        failed: Callable[[str, Exception], None],
        next_step: Callable[[], StepSeen | None] = lambda: None,
        past: Callable[[int], Weights | None] = lambda step: None,
    ) -> None:
        self._desk, self._failed, self._next_step, self._past = desk, failed, next_step, past
        self._make_subject: Callable[[], Subject] | None = subject
        self._subject: Subject | None = None
        self._earlier: Subject | None = None  # the same samples, and a network of its own for weights of the past
        self._broken: dict[str, str] = {}  # why, by kind
        self._made_at, self._next = -1, 0.0  # the step of the last picture, and when the next one may come
        self._serving = threading.Lock()
        self._waiting = threading.Lock()  # one thread that waits for the other is enough: it takes the newest request

    @classmethod
    def of(
        cls,
        network: Network,
        data: Dataset,
        device: torch.device,
        desk: PictureDesk | None,
        failed: Callable[[str, Exception], None],
        next_step: Callable[[], StepSeen | None],
        past: Callable[[int], Weights | None],
    ) -> Painter:
        """For `network`, which is on `device`, and its data, which need not be."""
        if desk is not None:
            desk.no_past = too_large(network)
        return cls(desk, lambda: Subject.of(network, data, device), failed, next_step, past)

    @torch.inference_mode(False)  # a picture that is made during an evaluation leaves tensors for those after it
    def paint(self, step: int, *, standing: bool = False) -> None:
        """Make the picture that is due after `step` steps, if one is. `standing`: no step is kept waiting for it."""
        desk = self._desk
        if desk is None or (request := desk.request) is None or (request.kind == STEP and not standing):
            return
        due = standing or time.perf_counter() >= self._next
        if desk.fresh or (due and not self._answer_of_past(desk) and step != self._made_at):
            self._answer(desk, step)

    def forget(self) -> None:
        """What has been made is no longer so: something else than a step has changed what comes next."""
        self._made_at = -1

    def release(self, step: int) -> None:
        """The network trains no more: from now on whoever asks is answered by a thread."""
        self._next_step = lambda: None
        if self._desk is None:
            return
        with contextlib.suppress(Exception):  # what is asked for later says so
            self._know()  # so that the rest of the data can go

        def serve() -> None:
            if self._desk is not None and self._desk.request is not None and self._waiting.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(step,), name="d2ltui-picture", daemon=True).start()

        self._desk.on_ask = serve
        if self._desk.fresh or self._made_at != step:
            serve()

    def _know(self) -> Subject:
        if self._subject is None:
            assert self._make_subject is not None
            self._subject, self._make_subject = self._make_subject(), None
        return self._subject

    def _serve(self, step: int) -> None:
        with self._serving:
            self._waiting.release()
            if (desk := self._desk) is not None:
                self._answer_of_past(desk, alone=True)  # that is what is seen
                if desk.fresh or self._made_at != step:
                    self._answer(desk, step, alone=True)

    def _answer_of_past(self, desk: PictureDesk, *, alone: bool = False) -> bool:
        """Make the picture of the moment that is looked at, unless there is one; whether it has been made."""
        request, moment = desk.request, desk.moment
        weights = self._past(moment) if moment is not None else None
        if request is None or request.kind == STEP or moment is None or weights is None:
            return False
        last = max(moment, weights.step)
        if any(made.request == request and weights.step <= made.step <= last for made in desk.past):
            return False
        began = time.thread_time()
        desk.put_past(self._made(request, weights.step, alone, weights))
        self._set_next(began)
        return True

    def _set_next(self, began: float) -> None:
        self._next = time.perf_counter() + max(PICTURE_EVERY, (time.thread_time() - began) / SHARE)

    def _answer(self, desk: PictureDesk, step: int, *, alone: bool = False) -> None:
        request = desk.take()
        if request is None:
            return
        began = time.thread_time()  # this thread's own: on a busy machine everything else takes as many times longer
        desk.put(self._stepped(request, step) if request.kind == STEP else self._made(request, step, alone))
        self._made_at = step
        self._set_next(began)

    def _stepped(self, request: PictureRequest, step: int) -> PictureMade:
        if request.kind not in self._broken:
            try:
                seen = self._next_step()
                why = "" if seen is not None else _("the last step has been taken")
                return PictureMade(request, step, None, why, seen)
            except Exception as error:  # whatever a network or a library raises: the run goes on
                self._broken[request.kind] = str(error) or type(error).__name__
                self._failed(_("the next step, line by line"), error)
        return PictureMade(
            request, step, None, _("the next step cannot be shown ({reason})").format(reason=self._broken[request.kind])
        )

    def _with(self, weights: Weights | None) -> Subject:
        subject = self._know()
        if weights is None:
            return subject
        if self._earlier is None:
            self._earlier = dataclasses.replace(subject, network=copy.deepcopy(subject.network))
        self._earlier.network.load_state(weights.state)
        return self._earlier

    def _made(self, request: PictureRequest, step: int, alone: bool, past: Weights | None = None) -> PictureMade:
        if request.kind not in self._broken:
            try:
                return make(self._with(past), request, step, alone=alone)
            except Exception as error:  # whatever a network or a library raises: the run goes on
                self._broken[request.kind] = str(error) or type(error).__name__
                self._failed(_("the picture '{kind}'").format(kind=request.kind), error)
        return PictureMade(
            request, step, None, _("this picture cannot be made ({reason})").format(reason=self._broken[request.kind])
        )
