"""How the runs of one command are trained, in this process or in several, and how far they are in one line."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TextIO

from d2ltui.engine.control import Control
from d2ltui.runner.headless import BAR_WIDTH, REDRAW_EVERY, Progress, StderrReporter, guarded, has_bar
from d2ltui.runner.several import Ended, Slice, Wanted, train_elsewhere, train_here
from d2ltui.runner.spread import Spread
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.jobs import Jobs
from d2ltui.spec.language import _
from d2ltui.spec.signals import Signals
from d2ltui.spec.text import counted


class Training:
    """The runs of a group, and what has become of each; open it first.

    Raises:
        JobsError: where there are no such processes.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        group: str,
        kind: str,
        jobs: Jobs,
        signals: Signals,
        err: TextIO,
        *,
        store: bool,
        quiet: bool,
        prune: bool,
    ) -> None:
        total = len(configs)
        self._wanted = [
            Wanted(config, {"name": group, "kind": kind, "index": i + 1, "total": total}, store, prune)
            for i, config in enumerate(configs)
        ]
        self._signals, self._err, self._quiet = signals, err, quiet
        self._bar = not quiet and has_bar(err)
        self._control = Control()
        self._trouble = StderrReporter(err)
        self._closing = contextlib.ExitStack()
        numbered = any(":" in config.device for config in configs)
        self._spread = None if jobs.alone else Spread(jobs, self._control, self._trouble, numbered=numbered)

    def __enter__(self) -> Training:
        if self._spread is not None:
            self._signals.watch(self._control)
            self._closing.enter_context(self._spread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def ended(self) -> Iterator[dict[int, Ended]]:
        """Some runs that have ended, by their index, again and again.

        Raises:
            WorkersLost: where processes have died too often.
        """
        from d2ltui.runner.together import slices  # PyTorch: seconds

        configs = [one.config for one in self._wanted]
        if self._spread is None:
            for indices in slices(configs):
                yield self._here(indices)
                if self._signals.caught is not None:
                    return
        else:
            yield from self._elsewhere(self._spread, list(slices(configs, self._spread.number)))

    def _here(self, indices: Sequence[int]) -> dict[int, Ended]:
        with open(os.devnull, "w", encoding="utf-8") as null:

            def sink_of(config: RunConfig, control: Control) -> events.Sink | None:
                if not self._bar:  # elsewhere the table has to do
                    return None
                return guarded(Progress(config, null, self._err), control, self._signals)

            wanted = [self._wanted[index] for index in indices]
            done = train_here(wanted, indices[0], self._signals.watch, sink_of, self._trouble)
        return dict(zip(indices, done, strict=True))

    def _elsewhere(self, spread: Spread, parts: Sequence[tuple[int, ...]]) -> Iterator[dict[int, Ended]]:
        pieces = [Slice(tuple(self._wanted[index] for index in part), part[0]) for part in parts]
        done, drawn = 0, 0.0
        try:
            for found in spread.over(train_elsewhere, pieces):
                if found is not None:
                    number, (ended, said) = found
                    done += len(ended)
                    self._erase()
                    for sentence in said:
                        self._trouble(sentence)
                    yield dict(zip(parts[number], ended, strict=True))
                if self._bar and time.monotonic() - drawn >= REDRAW_EVERY:
                    drawn = time.monotonic()
                    under_way = {n: part for n, part in spread.progress().items() if n < len(parts)}
                    self._draw(done, sum(part * len(parts[n]) for n, part in under_way.items()))
        finally:
            self._erase()

    def _draw(self, done: int, under_way: float) -> None:
        total = len(self._wanted)
        blocks = round(BAR_WIDTH * min(1.0, max(done, under_way) / total))
        bar = "#" * blocks + "." * (BAR_WIDTH - blocks)
        with contextlib.suppress(OSError):
            print(
                f"\r\x1b[K[{bar}] " + _("{done} of {cells}").format(done=done, cells=counted(total, "run")),
                end="",
                file=self._err,
                flush=True,
            )

    def _erase(self) -> None:
        if self._bar:
            with contextlib.suppress(OSError):
                print("\r\x1b[K", end="", file=self._err, flush=True)
