"""What there is to do with a group of runs from the shell: show it as a fan of curves, follow it while it grows."""

from __future__ import annotations

import time
from collections import Counter

from d2ltui.charts.fan import Fan, fan_chart, fan_of
from d2ltui.cli import text
from d2ltui.history.live import LiveRun
from d2ltui.spec.header import validation
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, setting
from d2ltui.spec.text import counted
from d2ltui.store.errors import StoreError
from d2ltui.store.groups import mean_and_sd
from d2ltui.store.listing import RunInfo, runs
from d2ltui.store.reader import RunReader

EVERY = 1.0  # seconds between two looks at a group that is being trained


def runs_of(name: str) -> list[RunInfo]:
    """The runs of a group, in the order of their seeds or places.

    Raises:
        StoreError: where the runs cannot be read.
    """
    return [run for run in runs() if run.group == name]


def _lives(found: list[RunInfo]) -> tuple[list[LiveRun], list[str]]:
    """The histories of those that can be read, and why the others cannot."""
    lives, problems = [], []
    for run in found:
        try:
            with RunReader(run.path) as reader:
                lives.append(reader.live)
        except StoreError as error:
            problems.append(str(error))
    return lives, problems


def show(name: str) -> None:
    """`d2ltui show GROUP`: how its runs have ended, the figures of those that finished, and all curves as a fan.

    Raises:
        StoreError: where the runs cannot be read.
    """
    found = runs_of(name)
    lives, problems = _lives(found)
    states = Counter(run.status for run in found)
    text.say(f"{name}: {counted(len(found), 'run')}, " + ", ".join(f"{n} {status}" for status, n in states.items()))
    for problem in problems:
        text.say(problem)
    if not lives:
        return
    header = lives[0].header
    settings = _settings(lives)
    text.say("  ".join(f"{field} {', '.join(values)}" for field, values in settings.items()))
    repeated = all(len(values) == 1 for values in settings.values())  # otherwise a mean would be of nothing
    finished = [live for live in lives if live.status == "finished"]
    for column, title in (
        ("train_loss", _("train loss")),
        ("val_loss", _("val loss")),
        ("val_metric", header.metric_title),
    ):
        last = [live.epochs[-1] for live in finished if live.epochs]
        values = [value for one in last if (value := getattr(one, column)) - value == 0]
        if values:
            text.say(_figures(title, values, repeated))
    for column, title in (("val_loss", _("validation loss")), ("val_metric", validation(header.metric_title))):
        text.say()
        text.say(title)
        fan = fan_of(lives, column)
        epochs = float(header.epochs or (fan.epochs or [1.0])[-1])
        text.chart(fan_chart(fan, text.width(), text.HEIGHT, ascii=text.is_ascii(), epochs=epochs, figure=column))


def _settings(lives: list[LiveRun]) -> dict[str, list[str]]:
    """Each hyperparameter but the seed, with the values that the runs have for it."""
    found: dict[str, list[str]] = {}
    for live in lives:
        for field, value in live.header.params.items():
            if field != "seed" and setting(value) not in found.setdefault(field, []):
                found[field].append(setting(value))
    return found


def _figures(title: str, values: list[float], repeated: bool) -> str:
    """What runs ended with, those that finished; where they are not `repeated`, without a mean."""
    low, high = number(min(values), 4), number(max(values), 4)
    if not repeated:
        return _("{title}: from {low} to {high}").format(title=title, low=low, high=high)
    mean, sd = mean_and_sd(values)
    spread = f" ± {number(sd, 2)}" if sd is not None else ""
    said = _("{title}: {mean}, from {low} to {high}")
    return said.format(title=title, mean=f"{number(mean, 4)}{spread}", low=low, high=high)


def follow(name: str) -> int:
    """`watch --speak GROUP`: a line for each epoch that more of its runs have ended, until nobody trains them.

    Raises:
        StoreError: where the runs cannot be read.
    """
    text.say(f"{name}: {counted(len(runs_of(name)), 'run')}")
    told: dict[float, int] = {}
    while True:
        found = runs_of(name)
        active = any(run.active for run in found)
        lives, __ = _lives(found)
        fan = fan_of(lives, "val_loss")
        for line, epoch, count in _news(fan, told):
            text.say(line)
            told[epoch] = count
        if not active:
            states = Counter(run.status for run in found)
            text.say(", ".join(f"{n} {status}" for status, n in states.items()))
            return 0
        time.sleep(EVERY)


def _news(fan: Fan, told: dict[float, int]) -> list[tuple[str, float, int]]:
    """The last epoch, where more runs have ended it than was told."""
    if not fan.epochs or told.get(fan.epochs[-1], 0) >= fan.runs[-1]:
        return []
    low, lower, median, upper, high = (number(values[-1]) for values in fan[1:6])
    line = _(
        "epoch {epoch:,} of {runs}: validation loss, median {median}, quartiles {lower} and "
        "{upper}, from {low} to {high}"
    ).format(
        epoch=round(fan.epochs[-1]),
        runs=counted(fan.runs[-1], "run"),
        median=median,
        lower=lower,
        upper=upper,
        low=low,
        high=high,
    )
    return [(line, fan.epochs[-1], fan.runs[-1])]
