"""Several runs by one command: the same with other seeds, or a grid of hyperparameters."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from d2ltui.charts.spec import Band as BandSpec
from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.cli import text
from d2ltui.cli.sweep_training import Training
from d2ltui.runner.several import Ended
from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.events import to_json
from d2ltui.spec.findings import finding_values
from d2ltui.spec.header import epoch_columns, header_of, validation
from d2ltui.spec.jobs import LOCAL, Jobs, JobsError, WorkersLost
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.memory import check_memory
from d2ltui.spec.numbers import fixed, number, optional, setting, whole_percent
from d2ltui.spec.output import unwritable
from d2ltui.spec.parsing import ConfigError, Problem
from d2ltui.spec.repeats import MAX_RUNS
from d2ltui.spec.signals import OnHangup, Signals
from d2ltui.spec.text import counted
from d2ltui.spec.width import cells, right
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
        raise ConfigError(
            [
                Problem(
                    "",
                    _("sweep: {total} runs are not allowed; allowed: {max_runs} at most").format(
                        total=total, max_runs=MAX_RUNS
                    ),
                )
            ]
        )
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
    jobs: Jobs = Jobs(),  # noqa: B008 (a value)
) -> int:
    """Train `configs`, those of one shape together, with a table that fills; returns the exit status.

    `fields` are those in which they differ. A run that diverges is a result of a sweep, and a failure elsewhere. With
    `prune`, a run that will not learn any more is ended early; so is a sweep's result, but never its best. They
    are trained in as many processes as `jobs` says.
    """
    out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
    # With the process's number: two commands may begin in the same second.
    group = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    table = _Table(configs, fields)
    ended: dict[int, Ended] = {}
    lost = ""
    with Signals(on_hangup) as signals, contextlib.ExitStack() as closing:
        from d2ltui.engine.device import DeviceError, candidates  # PyTorch: seconds

        try:
            if jobs.backend == LOCAL:
                for one in {(config.device, config.precision): config for config in configs}.values():
                    candidates(one)
            training = Training(configs, group, kind, jobs, signals, err, store=store, quiet=quiet, prune=prune)
            closing.enter_context(training)
        except (DeviceError, JobsError) as error:
            print(f"d2ltui: {error}", file=err)
            return 2
        try:
            if not quiet:
                text.say(table.header())
            shown = 0
            try:
                for some in training.ended():
                    ended |= some
                    while shown in ended:  # in the order of the runs, whichever were trained first
                        shown += 1
                        if not quiet:
                            text.say(table.row(ended[shown - 1]))
                            out.flush()
            except WorkersLost as error:
                lost = str(error)
            done = [ended[index] for index in sorted(ended)]
            for left in done[shown:]:
                if not quiet:
                    text.say(table.row(left))
            if lost:
                print(f"d2ltui: {lost}", file=err)
            if not quiet:
                _summarise(done, fields, kind)
                if prune:
                    _tell_pruned(done, fields)
                if store:
                    print(_("stored as group {group}: d2ltui runs group={group}").format(group=group), file=err)
            if as_json:
                found = _summary(done, fields, kind, group if store else None)
                print(to_json(_with_pruned(found, done) if prune else found), file=out, flush=True)
        except OSError as error:
            status = unwritable(error, err)
            return signals.status or status
    if signals.status is not None:
        return signals.status
    bad = ("failed",) if kind == "sweep" else ("failed", "diverged")
    return 1 if lost or any(one.live.status in bad for one in done) else 0


class _Table:
    """Lines as wide as their widest cell can become, so that each can be printed as soon as it is known."""

    def __init__(self, configs: Sequence[RunConfig], fields: Sequence[str]) -> None:
        self._fields = fields
        __, *losses, _train_metric, val_metric, seconds = epoch_columns(header_of(configs[0]))
        self._header = (*fields, "status", *losses, val_metric, seconds)
        widest = [max(len(setting(getattr(config, name))) for config in configs) for name in fields]
        self._widths = [max(a, cells(b)) for a, b in zip((*widest, 8, 10, 10, 10, 8), self._header, strict=True)]

    def _line(self, row: Sequence[str]) -> str:
        return "  ".join(right(cell, size) for cell, size in zip(row, self._widths, strict=True))

    def header(self) -> str:
        return self._line(self._header)

    def row(self, done: Ended) -> str:
        live = done.live
        status = live.status if done.given_up is None else "pruned"
        last = live.epochs[-1] if live.epochs else None
        figures = (last.train_loss, last.val_loss, last.val_metric) if last is not None else (None,) * 3
        varied = (setting(getattr(live.config, name)) for name in self._fields)
        return self._line((*varied, status, *map(optional, figures), fixed(live.seconds)))


def _finished(done: Sequence[Ended]) -> list[Ended]:
    return [one for one in done if one.live.status == "finished" and one.live.epochs]


def _figures(finished: Sequence[Ended]) -> dict[str, tuple[float, float | None]]:
    """Mean and sd of the figures that all of the runs have; they have finished."""
    summaries = [one.live.ended.summary for one in finished if one.live.ended is not None]
    found: dict[str, tuple[float, float | None]] = {}
    for name in _FIGURES:
        values = [value for summary in summaries if isinstance(value := summary.get(name), (int, float))]
        if values and len(values) == len(summaries):
            found[name] = mean_and_sd(values)
    return found


def _best(done: Sequence[Ended]) -> Ended | None:
    """The finished run of the least validation loss."""
    finite = [one for one in _finished(done) if math.isfinite(one.live.epochs[-1].val_loss)]
    return min(finite, key=lambda one: one.live.epochs[-1].val_loss, default=None)


def _summarise(done: Sequence[Ended], fields: Sequence[str], kind: str) -> None:
    finished = _finished(done)
    text.say(_("{finished} of {runs} finished").format(finished=len(finished), runs=counted(len(done), "run")))
    if kind == "sweep":
        if (best := _best(done)) is not None:
            varied = _varied(best, fields)
            name = f"{best.name}: " if best.name else ""
            text.say(
                _("least validation loss: {val_loss} ({name}{varied})").format(
                    val_loss=optional(best.live.epochs[-1].val_loss), name=name, varied=varied
                )
            )
        return
    if not finished:
        return
    for name, (mean, sd) in _figures(finished).items():
        spread = f" ± {number(sd, 2)}" if sd is not None else ""
        text.say(f"{pgettext('column', name.replace('_', ' '))}: {number(mean, 4)}{spread}")
    lives = [one.live for one in finished]
    of = (
        _("{title}: mean, and band from the lowest to the highest of the {finished} that finished")
        if len(finished) < len(done)
        else _("{title}: mean, and band from the lowest to the highest of {finished}")
    )
    for figure, title in (
        ("val_loss", _("validation loss")),
        ("val_metric", validation(lives[0].header.metric_title)),
    ):
        found = band(lives, figure)
        text.say(of.format(title=title, finished=len(finished)) if len(lives) > 1 else title)
        text.chart(
            ChartSpec(
                width=text.width(),
                height=text.HEIGHT,
                lines=[Line(_("mean"), Style.VALIDATION, found.epochs, found.mean)],
                bands=[BandSpec(found.epochs, found.low, found.high, label=_("band"))] if len(lives) > 1 else [],
                x_high=float(lives[0].config.epochs),
                x_label=_("epoch"),
                ascii=text.is_ascii(),
                empty_text=_("no epoch has ended"),
            )
        )


def _varied(done: Ended, fields: Sequence[str]) -> str:
    return ", ".join(f"{name} {setting(getattr(done.live.config, name))}" for name in fields)


class _Saved(NamedTuple):
    """What ending runs early has saved: steps, and the shares of the steps and, about, of the time."""

    steps: int
    of_steps: float
    of_time: float


def _saved(done: Sequence[Ended]) -> _Saved:
    total = sum(one.live.header.total_steps or one.live.step for one in done if one.given_up)
    steps = total - sum(one.live.step for one in done if one.given_up)
    together: dict[int, list[Ended]] = {}
    for one in done:
        together.setdefault(one.slice, []).append(one)
    seconds = sum(map(_seconds_saved, together.values()))
    trained, took = sum(one.live.step for one in done), sum(one.live.seconds for one in done)
    return _Saved(steps, _share(steps, trained), _share(seconds, took))


def _seconds_saved(runs: Sequence[Ended]) -> float:
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


def _tell_pruned(done: Sequence[Ended], fields: Sequence[str]) -> None:
    pruned = [(one, one.given_up) for one in done if one.given_up is not None]
    for one, why in pruned:
        text.say(
            _("pruned at step {step:,} of {total_steps:,} ({varied})").format(
                step=why.step, total_steps=one.live.header.total_steps, varied=_varied(one, fields)
            )
        )
        text.say(f"    {why.rule}: {why.what} {why.why}")
    saved = _saved(done)
    said = (
        _("{pruned} of {runs} pruned: {steps:,} steps saved, {of_steps}, and about {of_time} of the time")
        if pruned
        else _("{pruned} of {runs} pruned")
    )
    text.say(
        said.format(
            pruned=len(pruned),
            runs=counted(len(done), "run"),
            steps=saved.steps,
            of_steps=whole_percent(saved.of_steps),
            of_time=whole_percent(saved.of_time),
        )
    )


def _with_pruned(found: dict[str, object], done: Sequence[Ended]) -> dict[str, object]:
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


def _summary(done: Sequence[Ended], fields: Sequence[str], kind: str, group: str | None) -> dict[str, object]:
    """What `--json` prints: `n` runs have finished; `mean` and `sd` are theirs, and a single one has no sd."""
    runs: list[dict[str, object]] = []
    for live, name, _slice, _given_up in done:
        assert live.ended is not None
        varied = {field: msgspec.to_builtins(getattr(live.config, field)) for field in fields}
        told = {"findings": [finding_values(finding) for finding in live.findings]}
        runs.append({**varied, **live.ended.summary, **told, **({"run": name} if name else {})})
    found: dict[str, object] = {"kind": kind, "group": group, "runs": runs, "n": len(_finished(done))}
    if kind == "seeds":
        figures = _figures(_finished(done))
        found["mean"] = {name: mean for name, (mean, __) in figures.items()}
        found["sd"] = {name: sd for name, (__, sd) in figures.items()}
    else:
        best = _best(done)
        found["best"] = None if best is None else runs[done.index(best)]
    return found
