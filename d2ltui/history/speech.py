"""A run in spoken sentences, for a screen reader: what a chart shows, one line for each change.

`Speaker.news` tells what has changed since it was asked last; `in_words` tells the whole of a run, as its charts would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from d2ltui.history.live import LiveRun
from d2ltui.history.series import Array
from d2ltui.spec.events import EpochEnded, Finding, LayerStats, LearningRateChanged
from d2ltui.spec.findings import all_well
from d2ltui.spec.header import validation
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent, setting
from d2ltui.spec.text import counted, ended, listed

EVERY = 2.0  # seconds between two epochs that are told, so that speech keeps up with a quick run
UNCHANGED = 0.005  # of a figure: what changes by less is said to be unchanged


class Speaker:
    """Tells of one run while it goes on.

    Args:
        live: the run.
        every: seconds between two epochs that are told; the last one is told in any case.
        clock: the time in seconds.
    """

    def __init__(self, live: LiveRun, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._live, self._every, self._clock = live, every, clock
        self._begun = self._over = False
        self._last: EpochEnded | None = None  # the last epoch that was told
        self._told_at = -math.inf
        self._status = ""
        self._rates = self._threads = self._failures = self._notes = 0  # how many changes have been told
        self._findings: tuple[Finding, ...] = ()

    def news(self) -> list[str]:
        """What has changed since the last call, a sentence or a few for each change."""
        live = self._live
        if self._over:
            return []
        self._over = live.ended is not None
        lines = [*self._beginning(), *self._changes()]
        if live.epochs and live.epochs[-1] != self._last and (self._over or self._due()):
            lines.append(self._epoch(live.epochs[-1]))
        if live.ended is not None:
            lines += [_sentence(live.ended.message or live.ended.status), *_courses(live)]
            for finding in _grave(live):  # all of them: what was said of them before is long ago
                lines += finding_in_words(finding)
            if well := all_well(live.findings, live.looked_at):
                lines.append(well)
        elif live.step != live.header.total_steps and not live.examined:  # while the cause is still looked for
            lines += self._found()
        return lines

    def _beginning(self) -> Iterator[str]:
        started = self._live.started
        if self._begun or started is None:
            return
        self._begun = True
        yield from _setup(self._live)

    def _changes(self) -> Iterator[str]:
        live = self._live
        if live.status != self._status and live.status in ("training", "paused"):
            if live.status == "paused":
                yield _("Paused after step {step:,}.").format(step=live.step)
            elif self._status == "paused":
                yield _("Training again.")
            self._status = live.status
        for change in live.lr_changes[self._rates :]:
            yield _rate(change)
        for threads in live.thread_changes[self._threads :]:
            yield _sentence(threads.sentence)
        for note in live.notes[self._notes :]:
            yield _sentence(note.sentence)
        for failure in live.failures[self._failures :]:
            yield _sentence(failure.sentence)
        self._rates, self._threads = len(live.lr_changes), len(live.thread_changes)
        self._failures, self._notes = len(live.failures), len(live.notes)

    def _due(self) -> bool:
        return self._clock() - self._told_at >= self._every

    def _epoch(self, now: EpochEnded) -> str:
        before, live = self._last, self._live
        self._last, self._told_at = now, self._clock()
        metric = live.header.metric_title
        last = live.header.epochs
        figures = ("train_loss", "val_loss", "val_metric")
        told = [_moved(getattr(now, name), getattr(before, name, None)) for name in figures]
        said = (
            _("Epoch {epoch} of {epochs}: training loss {train}; validation loss {val}; validation {metric} {figure}.")
            if last
            else _("Epoch {epoch}: training loss {train}; validation loss {val}; validation {metric} {figure}.")
        )
        train, val, figure = told
        return said.format(epoch=now.epoch, epochs=last, train=train, val=val, metric=metric, figure=figure)

    def _found(self) -> Iterator[str]:
        now = _grave(self._live)
        if now == self._findings:
            return
        known = {finding.rule: finding.severity for finding in self._findings}
        still = {finding.rule for finding in now}
        for finding in now:
            if known.get(finding.rule) != finding.severity:
                yield from finding_in_words(finding)
        for finding in self._findings:
            if finding.rule not in still:
                yield _("No longer so: {what}").format(what=finding.what)
        self._findings = now


def _grave(live: LiveRun) -> tuple[Finding, ...]:
    return tuple(finding for finding in live.findings if finding.severity != "note")


def in_words(live: LiveRun) -> list[str]:
    """The whole of a run: its network, the course of its curves, its layers and what was found."""
    lines = [*_setup(live), *_courses(live)]
    lines += map(_rate, live.lr_changes)
    if live.layers is not None:
        lines.append(_("The layers after step {step:,}:").format(step=live.layers.step))
        lines += [_layer(layer) for layer in live.layers.layers]
    for finding in live.findings:
        lines += finding_in_words(finding)
    if well := all_well(live.findings, live.looked_at):
        lines.append(well)
    return lines


def finding_in_words(finding: Finding) -> list[str]:
    """What it is and why; and, in a line of its own, what to try."""
    if finding.because_of:
        return [_("Because of this: {what}").format(what=finding.what)]
    told = {"alarm": _("Alarm: {what} {why}"), "warning": _("Warning: {what} {why}"), "note": _("Note: {what} {why}")}
    lines = [told[finding.severity].format(what=finding.what, why=finding.why)]
    return [*lines, _("Try: {remedy}").format(remedy=finding.try_)] if finding.try_ else lines


def _rate(change: LearningRateChanged) -> str:
    return _("The learning rate is {lr} from step {step:,} on.").format(lr=setting(change.lr), step=change.step + 1)


def _setup(live: LiveRun) -> Iterator[str]:
    header, params = live.header, live.header.params
    if {"model", "dataset"} <= set(params):
        said = (
            _("The model {model} on the data set {dataset}, {epochs}.")
            if header.epochs
            else _("The model {model} on the data set {dataset}.")
        )
        epochs = counted(header.epochs or 0, "epoch", ",")
        yield said.format(model=params["model"], dataset=params["dataset"], epochs=epochs)
    elif "model" in params:
        yield _("The model {model}.").format(model=params["model"])
    if header.layers:
        layers = listed([_spoken(layer.title) for layer in header.layers])
        parameters = sum(layer.parameters for layer in header.layers)
        yield _("{number}: {layers}; {parameters}.").format(
            number=counted(len(header.layers), "layer"), layers=layers, parameters=counted(parameters, "parameter", ",")
        )


def _spoken(title: str) -> str:
    """`Linear 64 to 10`: a screen reader passes over an arrow, or reads out its name."""
    before, arrow, after = title.partition("→")
    return _("{before} to {after}").format(before=before, after=after) if arrow else title


def _sentence(text: str) -> str:
    return ended(text[:1].upper() + text[1:])


def _moved(now: float, before: float | None) -> str:
    """`0.52, down from 0.61`."""
    if before is None or not math.isfinite(before) or not math.isfinite(now):
        return number(now)
    if abs(now - before) <= UNCHANGED * abs(before):
        return _("{now}, unchanged").format(now=number(now))
    said = _("{now}, up from {before}") if now > before else _("{now}, down from {before}")
    return said.format(now=number(now), before=number(before))


def _courses(live: LiveRun) -> Iterator[str]:
    """How each curve went from its beginning to its end."""
    epochs = live.epochs
    if len(epochs) < 2:
        return
    numbers = epochs.column("epoch")
    metric = live.header.metric_title
    yield _course(_("training loss"), epochs.column("train_loss"), numbers, best="lowest")
    yield _course(_("validation loss"), epochs.column("val_loss"), numbers, best="lowest")
    yield _course(validation(metric), epochs.column("val_metric"), numbers, best="highest")


def _course(name: str, values: Array, epochs: Array, *, best: str) -> str:
    """From where to where, when half of the way was done, and its best value where that is not the last."""
    known = np.isfinite(values)
    if not known.any():
        return _("The {name} is not a finite number in any epoch.").format(name=name)
    values, epochs = values[known], epochs[known]
    first, last = float(values[0]), float(values[-1])
    if abs(last - first) <= UNCHANGED * abs(first):
        text = _("The {name} is {last} after epoch {end}, as it was after epoch {start}").format(
            name=name, last=number(last), end=int(epochs[-1]), start=int(epochs[0])
        )
    else:
        rises = last > first
        passed = values >= (first + last) / 2 if rises else values <= (first + last) / 2
        half = int(epochs[int(np.argmax(passed))])
        said = (
            _("The {name} rose from {first} after epoch {start} to {last} after epoch {end}")
            if rises
            else _("The {name} fell from {first} after epoch {start} to {last} after epoch {end}")
        )
        start, end = int(epochs[0]), int(epochs[-1])
        text = said.format(name=name, first=number(first), start=start, last=number(last), end=end)
        text += _(", half of the way by epoch {half}").format(half=half)
    at = int(np.argmin(values) if best == "lowest" else np.argmax(values))
    if at < len(values) - 1 and abs(values[at] - last) > UNCHANGED * abs(last):
        was = (
            _("; it was lowest after epoch {epoch}, {value}")
            if best == "lowest"
            else _("; it was highest after epoch {epoch}, {value}")
        )
        text += was.format(epoch=int(epochs[at]), value=number(float(values[at])))
    if not known.all():
        text += _("; in {epochs} it was no finite number").format(epochs=counted(int((~known).sum()), "epoch"))
    return ended(text)


def _layer(layer: LayerStats) -> str:
    parts = [_("mean {mean}, standard deviation {sd}").format(mean=number(layer.mean), sd=number(layer.sd))]
    if layer.dead:
        parts.append(_("{share} of its units are dead").format(share=percent(layer.dead)))
    if layer.saturated:
        parts.append(_("{share} of its outputs are saturated").format(share=percent(layer.saturated)))
    if layer.nonfinite:
        parts.append(_("{outputs} not finite").format(outputs=counted(layer.nonfinite, "output", ",")))
    if layer.gradient_norm is not None:
        parts.append(_("norm of its gradient {norm}").format(norm=number(layer.gradient_norm)))
    if layer.update_ratio is not None:
        share = percent(layer.update_ratio, 2, tiny=True)
        parts.append(_("a step changes its weights by {share}").format(share=share))
    said = _("Layer {index}, {title}: outputs with {parts}.")
    return said.format(index=layer.index, title=_spoken(layer.title), parts=listed(parts))
