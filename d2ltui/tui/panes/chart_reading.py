"""What is read off a chart, in words. No widgets here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.spec.numbers import brief_duration, fixed, number
from d2ltui.spec.width import cells
from d2ltui.tui.widgets.past import Past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from d2ltui.charts.of_run import Curves
    from d2ltui.history.live import LiveRun
    from d2ltui.tui.panes.spec import RunView

WIDE = 72  # columns that hold everything that a cursor reads beside each other
TALL, TALLER = 8, 12  # rows of a chart that spares one, and two


def figures(raw: float, smooth: float, validation: float) -> tuple[str, ...]:
    """Every curve's value: the training's at a step, as it is and smoothed, and the validation data's.

    From the longest way to say it to the shortest, which leaves out the smoothed one.
    """
    train = _("train {raw}").format(raw=number(raw))
    val = _("val {val}").format(val="–" if math.isnan(validation) else number(validation))
    least = f"{train} {val}"
    if not math.isfinite(smooth) or number(smooth) == number(raw):
        return f"{train}  {val}", least
    long, short = (said.format(smooth=number(smooth)) for said in (_("(smoothed {smooth})"), _("(smooth {smooth})")))
    return f"{train} {long}  {val}", f"{train} {short} {val}", least


def titles(name: str, short: str, view: RunView, figure: str, run: str = "") -> tuple[str, ...]:
    """What a chart's title may be, from the longest to the shortest: `name`, the figures, and which run's they are.

    `short` is the name where there is little room.

    Where there is a cursor, the figures are those that it reads, and its step is told. Otherwise
    they are `figure`, "loss" or "metric", of the training and of the validation data in the last epoch that has
    ended, which can be compared. Before there is one, the mean of the steps so far, called so; of a run that is over
    there will be no more, and it is called the mean of its steps.
    """
    if view.live is not None and view.curves is not None and view.cursor is not None and len(view.live.losses):
        return _titles_at(name, short, view.curves, reached(view.live, view.cursor), figure, run)
    said, *briefly = _figures_of(view.live, figure)
    named = (_("{figures} of {run}").format(figures=f"{name}{said}", run=run),) if run else ()
    return (*named, f"{name}{said}", f"{short}{said}", *(f"{short} {brief}" for brief in briefly), short)


def reached(live: LiveRun, cursor: int) -> int:
    """The step that a cursor reads: one that has been trained."""
    return min(cursor, max(1, live.step))


def _titles_at(name: str, short: str, curves: Curves, step: int, figure: str, run: str) -> tuple[str, ...]:
    raw, __, val = curves.reading(figure, step)
    said = figures(raw, math.nan, val)[-1]
    longest, shorter = (_("{name} at step {step:,}: {figures}"), _("{name} at {step:,}: {figures}"))
    full = longest.format(name=name, step=step, figures=said)
    return (
        *((_("{figures} of {run}").format(figures=full, run=run),) if run else ()),
        full,
        longest.format(name=short, step=step, figures=said),
        shorter.format(name=short, step=step, figures=said),
        _("{name} at step {step:,}").format(name=short, step=step),
        short,
    )


def past_at(curves: Curves | None, cursor: int | None) -> Past | None:
    """The moment of the `cursor`; None where there is none, or it stands at the run's newest step."""
    if curves is None or cursor is None or cursor >= curves.live.step:
        return None
    from d2ltui.charts.timeline import Timeline  # which the first paint must not need

    live = curves.live
    loss, metric = (
        _("{train} train, {val} val").format(train=number(raw), val="–" if math.isnan(val) else number(val))
        for raw, __, val in (curves.reading(figure, cursor) for figure in ("loss", "metric"))
    )
    said = _("then: loss {loss}; {metric} {figures}")
    return Past(
        cursor,
        fixed(live.header.in_epochs(cursor)),
        brief_duration(Timeline(live, "time").at(cursor)),
        said.format(loss=loss, metric=live.header.metric_title, figures=metric),
    )


def _figures_of(live: LiveRun | None, figure: str) -> tuple[str, ...]:
    """What follows the name; and what may where there is little room, at last the validation data's figure alone."""
    if live is None or not len(live.losses):
        return ("",)
    if len(live.epochs):
        epoch = live.epochs[-1]
        train, val = (getattr(epoch, f"{part}_{figure}") for part in ("train", "val"))
        said = _("val {val}").format(val=number(val))
        return f" {_('train {raw}').format(raw=number(train))} {said}", f"{number(train)} {said}", said
    import numpy as np  # which the first paint must not need

    values = (live.losses if figure == "loss" else live.metrics).values()
    known = values[~np.isnan(values)]
    if not len(known):
        return ("",)
    mean = number(float(known.mean(dtype=float)))
    said = _("train {mean} so far") if live.ended is None else _("train {mean} on average")
    return (" " + said.format(mean=mean),)


def moments(live: LiveRun, step: int, seconds: float) -> tuple[str, ...]:
    """When `step` was, from all that is known to the step alone: `step 1, epoch 0.04, 0.7 ms`."""
    of_step = _("step {step:,}").format(step=step)
    of_epoch = _("epoch {epoch}").format(epoch=fixed(live.header.in_epochs(step)))
    return f"{of_step}, {of_epoch}, {brief_duration(seconds)}", f"{of_step}, {of_epoch}", of_step, f"{step:,}"


def rows_for_reading(width: int, height: int) -> int:
    """The rows of a chart of that size that are kept for what the cursor reads: it must not move when that comes."""
    if height < TALL:
        return 0
    return 1 if width >= WIDE or height < TALLER else 2


def said(whens: Sequence[str], readings: Sequence[str], width: int, rows: int) -> list[str]:
    """What the cursor reads, the longest that fits, with when that was, in at most so many rows of `width` cells.

    Rather than a figure, when it was is left out.
    """
    for those in (readings[:-1], readings[-1:]):
        for when in whens:
            for values in those:
                if cells(one := f"{when}: {values}") <= width:
                    return [one]
                if rows > 1 and max(cells(when) + 1, cells(values)) <= width:
                    return [f"{when}:", values]
        for values in those:
            if cells(values) <= width:
                return [values]
    return [readings[-1]]
