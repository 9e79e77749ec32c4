"""Several runs of one command, in this process or in one beside it: those of one shape together, each stored by itself.

Whoever trains them here says which control a signal stops (`watch`), and what draws how far they are (`sink_of`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.history.series import Series
from d2ltui.runner.headless import OPEN_TIMEOUT, run
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.store import home
from d2ltui.store.errors import StoreError
from d2ltui.store.schema import DAMAGE, open_run, read_meta

Watch = Callable[[Control], None]
SinkOf = Callable[[RunConfig, Control], "events.Sink | None"]


class Wanted(NamedTuple):
    """A run that is to be trained: its place in the group, and whether it is stored, and ended where it is hopeless."""

    config: RunConfig
    group: dict[str, object]
    store: bool
    prune: bool


class Ended(NamedTuple):
    """A run that has ended, and its name in the store, where it is in there."""

    live: LiveRun
    name: str | None
    given_up: events.Finding | None  # why it was ended early
    slice: int  # of the runs that were trained together


class _Run(NamedTuple):
    """What is asked of a run, what is known of it, and what stores it, if anything does."""

    config: RunConfig
    control: Control
    live: LiveRun
    recording: RunRecording | None
    given_up: list[events.Finding] | None  # why it was ended early, if it was; None where it never is

    @classmethod
    def new(cls, wanted: Wanted, trouble: Callable[[str], None]) -> _Run:
        control, recording = Control(), None
        if wanted.store:
            recording = RunRecording.new(wanted.config, control, group=wanted.group, on_trouble=trouble)
            recording.store.wait_opened(OPEN_TIMEOUT)  # runs are numbered in the order in which they are opened
        live = recording.live if recording is not None else LiveRun(wanted.config)
        return cls(wanted.config, control, live, recording, [] if wanted.prune else None)

    @property
    def give_up(self) -> Callable[[events.Finding], None] | None:
        """Told why the run is ended early; None where it never is."""
        return self.given_up.append if self.given_up is not None else None

    def ended(self, slice: int) -> Ended:
        name = self.recording.store.name if self.recording is not None else None
        return Ended(self.live, name, next(iter(self.given_up or ()), None), slice)


def train_here(
    wanted: Sequence[Wanted], slice: int, watch: Watch, sink_of: SinkOf, trouble: Callable[[str], None]
) -> list[Ended]:
    """Train runs that can be trained together, or one; `trouble` is told what goes wrong with them, in sentences."""
    runs = [_Run.new(one, trouble) for one in wanted]
    if len(runs) == 1 or not _together(runs, watch, sink_of, trouble):
        for one in runs:
            watch(one.control)
            sink = sink_of(one.config, one.control)
            sinks: list[events.Sink] = [one.live, *([sink] if sink is not None else [])]
            run(one.config, one.control, sinks, one.recording, trials=False, give_up=one.give_up)
    for one in runs:
        if one.live.status == "failed" and one.live.ended is not None:
            trouble(one.live.ended.message)
    return [one.ended(slice) for one in runs]


def _together(runs: Sequence[_Run], watch: Watch, sink_of: SinkOf, trouble: Callable[[str], None]) -> bool:
    """As a population; False where each of them has to be trained by itself."""
    from d2ltui.runner.together import train_slice

    control = Control()
    watch(control)
    sinks: list[list[events.Sink]] = [[one.live] for one in runs]
    if (sink := sink_of(runs[0].config, control)) is not None:
        sinks[0].append(sink)  # they are all as far
    return train_slice(
        [one.config for one in runs],
        control,
        sinks,
        [one.control for one in runs],
        [one.recording for one in runs],
        [one.give_up for one in runs],
        say=trouble,
    )


# In another process


class Slice(NamedTuple):
    """Runs that one process trains."""

    wanted: tuple[Wanted, ...]
    number: int


TELL_EVERY = 0.3  # seconds


class _Fraction:
    """A sink that tells now and then which part of a run is trained."""

    def __init__(self, tell: Callable[[float], None], before: float, share: float) -> None:
        self._tell, self._before, self._share = tell, before, share
        self._header: events.RunStarted | None = None
        self._told = 0.0

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.RunStarted):
            self._header = event
        elif (
            isinstance(event, events.StepsTrained)
            and self._header is not None
            and time.monotonic() - self._told >= TELL_EVERY
        ):
            self._told = time.monotonic()
            total = self._header.steps_per_epoch * self._header.config.epochs
            self._tell(self._before + self._share * min(1.0, event.step / max(1, total)))


def train_elsewhere(
    piece: Slice, control: Control, again: bool, tell: Callable[[float], None]
) -> tuple[list[Ended], list[str]]:
    """In another process: what has become of the runs, and what went wrong with them.

    Where another process has begun them before, what that has stored of them is deleted.
    """
    if again:
        _forget(piece.wanted)
    said: list[str] = []
    begun = 0

    def sink_of(config: RunConfig, of: Control) -> events.Sink:
        nonlocal begun
        share = 1 / len(piece.wanted) if begun else 1.0  # the first one stands for all that are trained together
        begun += 1
        return _Fraction(tell, max(0, begun - 2) * share, share)

    ended = train_here(piece.wanted, piece.number, control.adopt, sink_of, said.append)
    for one in ended:  # what nobody asks for there
        one.live.losses, one.live.metrics = Series(), Series()
        one.live.layers, one.live.probes, one.live.findings_history = None, [], []
    return ended, said


def _forget(wanted: Sequence[Wanted]) -> None:
    places = [one.group for one in wanted if one.store]
    for name in home.names() if places else ():
        with contextlib.suppress(StoreError, OSError, *DAMAGE):
            path = home.path_of(name)
            with contextlib.closing(open_run(path)) as connection:
                found = read_meta(connection).get("group")
            if found in places:
                home.delete(name)
