"""Several runs by one command: the same with other seeds, or a grid of hyperparameters."""

from __future__ import annotations

import io
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from d2ltui.charts.spec import Band as BandSpec
from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.cli import text
from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.runner.headless import OPEN_TIMEOUT, Progress, StderrReporter, guarded, has_bar, run
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.events import to_json
from d2ltui.spec.findings import finding_values
from d2ltui.spec.header import header_of
from d2ltui.spec.memory import check_memory
from d2ltui.spec.numbers import fixed, number, optional, setting, whole_percent
from d2ltui.spec.output import unwritable
from d2ltui.spec.parsing import ConfigError, Problem
from d2ltui.spec.repeats import MAX_RUNS
from d2ltui.spec.signals import OnHangup, Signals
from d2ltui.spec.text import counted
from d2ltui.store.groups import band, mean_and_sd

_FIGURES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_r2", "seconds")


def grid(given: Mapping[str, object], varied: Mapping[str, Sequence[str]]) -> list[RunConfig]:
    """Every combination of the `varied` fields' values, the last field changing fastest; `given` are the others.

    Raises:
        ConfigError: where one of them cannot be run, or they are too many.
    """
    total = 1
    for values in varied.values():
        total *= len(values)
    if total > MAX_RUNS:
        raise ConfigError([Problem("", f"sweep: {total} runs are not allowed; allowed: {MAX_RUNS} at most")])
    combinations = itertools.product(*varied.values())
    configs = [resolve({**given, **dict(zip(varied, values, strict=True))}) for values in combinations]
    for config in configs:
        check_environment(config)
        check_memory(config)
    return configs


def train_all(
    configs: Sequence[RunConfig],
    fields: Sequence[str],
    kind: Literal["seeds", "sweep"],
    *,
    as_json: bool,
    quiet: bool,
    store: bool,
    on_hangup: OnHangup,
    prune: bool = False,
) -> int:
    """Train `configs`, those of one shape together, with a table that fills; returns the exit status.

    `fields` are those in which they differ. A run that diverges is a result of a sweep, and a failure elsewhere. With
    `prune`, a run that will not learn any more is ended early; so is a sweep's result, but never its best.
    """
    out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
    group = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}"
    table = _Table(configs, fields)
    ended: dict[int, _Done] = {}
    with Signals(on_hangup) as signals:
        from d2ltui.engine.device import DeviceError, select  # PyTorch: seconds
        from d2ltui.runner.together import slices

        try:
            for name in dict.fromkeys(config.device for config in configs):
                select(name)
        except DeviceError as error:
            print(f"d2ltui: {error}", file=err)
            return 2
        try:
            if not quiet:
                text.say(table.header())
            shown = 0
            for indices in slices(configs):
                runs = [_Run.new(configs[i], _place(group, kind, i, len(configs)), err, store, prune) for i in indices]
                if len(runs) == 1 or not _train_together(runs, signals, err, quiet):
                    for one in runs:
                        _train_one(one, signals, err, quiet)
                ended |= {index: one.done(indices[0]) for index, one in zip(indices, runs, strict=True)}
                while shown in ended:  # in the order of the runs, whichever were trained first
                    shown += 1
                    if not quiet:
                        text.say(table.row(ended[shown - 1]))
                        out.flush()
                if signals.caught is not None:
                    break
            done = [ended[index] for index in sorted(ended)]
            for left in done[shown:]:
                if not quiet:
                    text.say(table.row(left))
            if not quiet:
                _summarise(done, fields, kind)
                if prune:
                    _tell_pruned(done, fields)
                if store:
                    print(f"stored as group {group}: d2ltui runs group={group}", file=err)
            if as_json:
                found = _summary(done, fields, kind, group if store else None)
                print(to_json(_with_pruned(found, done) if prune else found), file=out, flush=True)
        except OSError as error:
            status = unwritable(error, err)
            return signals.status or status
    if signals.status is not None:
        return signals.status
    bad = ("failed",) if kind == "sweep" else ("failed", "diverged")
    return 1 if any(one.live.status in bad for one in done) else 0


class _Done(NamedTuple):
    """A run that has ended, and its name in the store, where it is in there."""

    live: LiveRun
    name: str | None
    given_up: events.Finding | None  # why it was ended early
    slice: int  # of the runs that were trained together


def _place(group: str, kind: str, index: int, total: int) -> dict[str, object]:
    return {"name": group, "kind": kind, "index": index + 1, "total": total}


class _Run(NamedTuple):
    """A run that is to be trained: what is asked of it, what is known of it, and what stores it, if anything does."""

    config: RunConfig
    control: Control
    live: LiveRun
    recording: RunRecording | None
    given_up: list[events.Finding] | None  # why it was ended early, if it was; None where it never is

    @classmethod
    def new(cls, config: RunConfig, group: dict[str, object], err: Any, store: bool, prune: bool) -> _Run:
        control = Control()
        recording = RunRecording.new(config, control, group=group, on_trouble=StderrReporter(err)) if store else None
        if recording is not None:
            recording.store.wait_opened(OPEN_TIMEOUT)  # runs are numbered in the order in which they are opened
        live = recording.live if recording is not None else LiveRun(config)
        return cls(config, control, live, recording, [] if prune else None)

    @property
    def give_up(self) -> Callable[[events.Finding], None] | None:
        """Told why the run is ended early; None where it never is."""
        return self.given_up.append if self.given_up is not None else None

    def done(self, slice: int) -> _Done:
        """What has become of it; it was trained in the slice of that number."""
        name = self.recording.store.name if self.recording is not None else None
        return _Done(self.live, name, next(iter(self.given_up or ()), None), slice)


def _train_one(one: _Run, signals: Signals, err: Any, quiet: bool) -> None:
    signals.watch(one.control)
    sinks: list[events.Sink] = [one.live]
    with open(os.devnull, "w", encoding="utf-8") as null:
        if not quiet and has_bar(err):  # elsewhere the table has to do
            sinks.append(guarded(Progress(one.config, null, err), one.control, signals))
        run(one.config, one.control, sinks, one.recording, trials=False, give_up=one.give_up)
    _tell_failure(one, err)


def _train_together(runs: Sequence[_Run], signals: Signals, err: Any, quiet: bool) -> bool:
    """As a population; False where each of them has to be trained by itself."""
    from d2ltui.runner.together import train_slice

    control = Control()
    signals.watch(control)
    sinks: list[list[events.Sink]] = [[one.live] for one in runs]
    with open(os.devnull, "w", encoding="utf-8") as null:
        if not quiet and has_bar(err):
            sinks[0].append(guarded(Progress(runs[0].config, null, err), control, signals))  # they are all as far
        if not train_slice(
            [one.config for one in runs],
            control,
            sinks,
            [one.control for one in runs],
            [one.recording for one in runs],
            [one.give_up for one in runs],
        ):
            return False
    for one in runs:
        _tell_failure(one, err)
    return True


def _tell_failure(one: _Run, err: Any) -> None:
    if one.live.status == "failed" and one.live.ended is not None:
        print(f"d2ltui: {one.live.ended.message}", file=err)


class _Table:
    """Lines as wide as their widest cell can become, so that each can be printed as soon as it is known."""

    def __init__(self, configs: Sequence[RunConfig], fields: Sequence[str]) -> None:
        metric = header_of(configs[0]).metric_title
        self._fields = fields
        self._header = (*fields, "status", "train loss", "val loss", f"val {metric}", "seconds")
        widest = [max(len(setting(getattr(config, name))) for config in configs) for name in fields]
        self._widths = [max(a, len(b)) for a, b in zip((*widest, 8, 10, 10, 10, 8), self._header, strict=True)]

    def _line(self, cells: Sequence[str]) -> str:
        return "  ".join(cell.rjust(size) for cell, size in zip(cells, self._widths, strict=True))

    def header(self) -> str:
        return self._line(self._header)

    def row(self, done: _Done) -> str:
        live = done.live
        status = live.status if done.given_up is None else "pruned"
        last = live.epochs[-1] if live.epochs else None
        figures = (last.train_loss, last.val_loss, last.val_metric) if last is not None else (None,) * 3
        varied = (setting(getattr(live.config, name)) for name in self._fields)
        return self._line((*varied, status, *map(optional, figures), fixed(live.seconds)))


def _finished(done: Sequence[_Done]) -> list[_Done]:
    return [one for one in done if one.live.status == "finished" and one.live.epochs]


def _figures(finished: Sequence[_Done]) -> dict[str, tuple[float, float | None]]:
    """Mean and sd of the figures that all of the runs have; they have finished."""
    summaries = [one.live.ended.summary for one in finished if one.live.ended is not None]
    found: dict[str, tuple[float, float | None]] = {}
    for name in _FIGURES:
        values = [value for summary in summaries if isinstance(value := summary.get(name), (int, float))]
        if values and len(values) == len(summaries):
            found[name] = mean_and_sd(values)
    return found


def _best(done: Sequence[_Done]) -> _Done | None:
    """The finished run of the least validation loss."""
    finite = [one for one in _finished(done) if math.isfinite(one.live.epochs[-1].val_loss)]
    return min(finite, key=lambda one: one.live.epochs[-1].val_loss, default=None)


def _summarise(done: Sequence[_Done], fields: Sequence[str], kind: str) -> None:
    finished = _finished(done)
    text.say(f"{len(finished)} of {counted(len(done), 'run')} finished")
    if kind == "sweep":
        if (best := _best(done)) is not None:
            varied = _varied(best, fields)
            name = f"{best.name}: " if best.name else ""
            text.say(f"least validation loss: {optional(best.live.epochs[-1].val_loss)} ({name}{varied})")
        return
    if not finished:
        return
    for name, (mean, sd) in _figures(finished).items():
        text.say(f"{name.replace('_', ' ')}: {number(mean, 4)}" + (f" ± {number(sd, 2)}" if sd is not None else ""))
    lives = [one.live for one in finished]
    of = f"the {len(finished)} that finished" if len(finished) < len(done) else str(len(done))
    for figure, title in (("val_loss", "validation loss"), ("val_metric", "validation metric")):
        found = band(lives, figure)
        text.say(f"{title}: mean, and band from the lowest to the highest of {of}" if len(lives) > 1 else title)
        text.chart(
            ChartSpec(
                width=text.width(),
                height=text.HEIGHT,
                lines=[Line("mean", Style.VALIDATION, found.epochs, found.mean)],
                bands=[BandSpec(found.epochs, found.low, found.high, label="band")] if len(lives) > 1 else [],
                x_high=float(lives[0].config.epochs),
                x_label="epoch",
                ascii=text.is_ascii(),
                empty_text="no epoch has ended",
            )
        )


def _varied(done: _Done, fields: Sequence[str]) -> str:
    return ", ".join(f"{name} {setting(getattr(done.live.config, name))}" for name in fields)


class _Saved(NamedTuple):
    """What ending runs early has saved: steps, and the shares of the steps and, about, of the time."""

    steps: int
    of_steps: float
    of_time: float


def _saved(done: Sequence[_Done]) -> _Saved:
    total = sum(one.live.header.total_steps or one.live.step for one in done if one.given_up)
    steps = total - sum(one.live.step for one in done if one.given_up)
    together: dict[int, list[_Done]] = {}
    for one in done:
        together.setdefault(one.slice, []).append(one)
    seconds = sum(map(_seconds_saved, together.values()))
    trained, took = sum(one.live.step for one in done), sum(one.live.seconds for one in done)
    return _Saved(steps, _share(steps, trained), _share(seconds, took))


def _seconds_saved(runs: Sequence[_Done]) -> float:
    """Of runs that were trained together, whose steps would have gone on to take what they took until the first left.

    What is saved by each that leaves is less than its share: a step of fewer networks takes nearly as long.
    """
    first = min((one.live for one in runs if one.given_up), key=lambda live: live.step, default=None)
    if first is None or not first.step:
        return 0.0
    left = (first.header.total_steps or first.step) / first.step
    return max(0.0, first.seconds * len(runs) * left - sum(one.live.seconds for one in runs))


def _share(saved: float, spent: float) -> float:
    return saved / (saved + spent) if saved > 0 else 0.0


def _tell_pruned(done: Sequence[_Done], fields: Sequence[str]) -> None:
    pruned = [(one, one.given_up) for one in done if one.given_up is not None]
    for one, why in pruned:
        text.say(f"pruned at step {why.step:,} of {one.live.header.total_steps:,} ({_varied(one, fields)})")
        text.say(f"    {why.rule}: {why.what} {why.why}")
    saved = _saved(done)
    figures = (
        f": {saved.steps:,} steps saved, {whole_percent(saved.of_steps)}, and about {whole_percent(saved.of_time)}"
    )
    text.say(f"{len(pruned)} of {counted(len(done), 'run')} pruned{f'{figures} of the time' if pruned else ''}")


def _with_pruned(found: dict[str, object], done: Sequence[_Done]) -> dict[str, object]:
    """What `--json` prints with `--prune`: why each run was ended early, or null; and what that has saved."""
    runs = found["runs"]
    assert isinstance(runs, list)
    for values, one in zip(runs, done, strict=True):
        why = one.given_up
        told = {"step": why.step, "rule": why.rule, "what": why.what, "why": why.why} if why is not None else None
        values["pruned"] = told
    saved = _saved(done)
    told = {"runs": sum(one.given_up is not None for one in done), "steps_saved": saved.steps}
    return {**found, "pruned": {**told, "share_of_steps": saved.of_steps, "share_of_time": saved.of_time}}


def _summary(done: Sequence[_Done], fields: Sequence[str], kind: str, group: str | None) -> dict[str, object]:
    """What `--json` prints: `n` runs have finished; `mean` and `sd` are theirs, and a single one has no sd."""
    runs: list[dict[str, object]] = []
    for live, name, _, _ in done:
        assert live.ended is not None
        varied = {field: msgspec.to_builtins(getattr(live.config, field)) for field in fields}
        told = {"findings": [finding_values(finding) for finding in live.findings]}
        runs.append({**varied, **live.ended.summary, **told, **({"run": name} if name else {})})
    found: dict[str, object] = {"kind": kind, "group": group, "runs": runs, "n": len(_finished(done))}
    if kind == "seeds":
        figures = _figures(_finished(done))
        found["mean"] = {name: mean for name, (mean, _) in figures.items()}
        found["sd"] = {name: sd for name, (_, sd) in figures.items()}
    else:
        best = _best(done)
        found["best"] = None if best is None else runs[done.index(best)]
    return found
