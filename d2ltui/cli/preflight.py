"""`check` and `find-lr`: what is looked at and tried before the first step, as text or JSON."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.cli import text
from d2ltui.data import LoadCancelled
from d2ltui.engine import summary
from d2ltui.engine.checkup import Checkup, check
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError
from d2ltui.engine.range_test import HIGHEST, LOWEST, RangeTest, range_test
from d2ltui.engine.workbench import Cancelled, Workbench, set_up
from d2ltui.runner.headless import Progress
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.findings import MARKS, finding_values, findings_in_words
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.signals import Signals
from d2ltui.spec.text import counted, json_line

T = TypeVar("T")
ALARMED = 3  # the exit status
_COLOURS = {"note": "yellow", "warning": "yellow", "alarm": "red"}
NEAR = 5.0  # times the suggestion, or a part of it: rates that train alike
ABOVE_START = 1.3  # times the first loss: what an exploding curve is shown up to
WIDE_RANGE = 20.0  # the largest loss over the lowest: from here on the axis is logarithmic


def _with_bench(config: RunConfig, do: Callable[[Workbench], T]) -> T | int:
    """What `do` returns of the run that is set up; an exit status where it is not, or was ended by a signal."""
    err = sys.stderr or io.StringIO()
    control, progress = Control(), Progress(config, io.StringIO(), err)
    with Signals(on_hangup="stop") as signals:
        signals.watch(control)
        try:
            bench = set_up(config, control, progress=lambda said, share: progress(events.Loading(said, share)))
            progress.clear()
            return do(bench)
        except (Cancelled, LoadCancelled):
            return signals.status or 1
        except Exception as error:
            _, said, _ = summary.describe_error(error, config, config.device, ())
            with contextlib.suppress(OSError):
                progress.clear()
                print(f"d2ltui: {said}", file=err, flush=True)
            return 2 if isinstance(error, (DeviceError, ConfigError)) else 1
        finally:
            with contextlib.suppress(OSError):
                progress.clear()


def _identity(config: RunConfig) -> dict[str, object]:
    names = ("model", "implementation", "dataset", "optimizer", "seed")
    return {name: getattr(config, name) for name in names}


def _title(config: RunConfig) -> str:
    return f"{config.model} ({config.implementation}) on {config.dataset}, {config.optimizer}"


def tell_check(config: RunConfig, as_json: bool) -> int:
    """`d2ltui check`: print what was looked at, and what is wrong; returns the exit status."""
    found = _with_bench(config, check)
    if isinstance(found, int):
        return found
    if as_json:
        print(json_line(_check_values(config, found)))
    else:
        _print_check(config, found)
    return ALARMED if found.alarmed else 0


def _check_values(config: RunConfig, found: Checkup) -> dict[str, object]:
    figures = {name: value for reading in found.readings for name, value in reading.figures.items()}
    return {
        "kind": "check",
        **_identity(config),
        "lr": config.lr,
        "figures": _finite(figures),
        "findings": [finding_values(finding) for finding in found.findings],
    }


def _finite(value: Any) -> Any:
    """`value` with None for each number that is not finite, which JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_check(config: RunConfig, found: Checkup) -> None:
    text.say(f"{_title(config)}, lr {config.lr:g}")
    width = max(len(reading.name) for reading in found.readings)
    for reading in found.readings:
        severity = reading.finding.severity if reading.finding is not None else None
        mark = click.style("✓", fg="green") if severity is None else click.style(MARKS[severity], fg=_COLOURS[severity])
        text.say(f"{mark} {reading.name:<{width}}  {reading.line}")
    for line in findings_in_words(found.findings):
        text.say(line)
    if not found.findings:
        text.say("nothing is wrong before the first step")


def tell_rate(config: RunConfig, as_json: bool) -> int:
    """`d2ltui find-lr`: print the curve and a suggestion; returns the exit status."""
    found = _with_bench(config, range_test)
    if isinstance(found, int):
        return found
    if as_json:
        print(json_line(_rate_values(config, found)))
    else:
        _print_rate(config, found)
    return 0 if found.suggestion is not None else 1


def _rate_values(config: RunConfig, found: RangeTest) -> dict[str, object]:
    suggestion = found.suggestion
    return {
        "kind": "find-lr",
        **_identity(config),
        "steps": len(found.rates),
        "rates": found.rates,
        "losses": found.losses,
        "suggestion": suggestion,
        "method": found.method,
        "steepest": found.steepest,
        "tenth_of_lowest": found.tenth,
        "lr": found.lr,
        "ratio": found.lr / suggestion if suggestion is not None else None,
    }


def _print_rate(config: RunConfig, found: RangeTest) -> None:
    steps = counted(len(found.rates), "step")
    if not found.rates:
        text.say(f"{_title(config)}: the loss is not finite after the first step, with lr {LOWEST:g}")
    else:
        last = f"{found.rates[-1]:.2g}, where the loss explodes" if found.exploded else f"{HIGHEST:g}"
        text.say(f"{_title(config)}: {steps}, lr {found.rates[0]:g} to {last}")
        text.say("loss")
        text.chart(_rate_chart(found))
    suggestion = found.suggestion
    if suggestion is None or found.steepest is None or found.tenth is None:
        text.say(
            "no suggestion: the loss falls below a guess's at no rate, in so few steps; 'd2ltui check' may say why"
        )
        return
    text.say(
        f"suggestion: lr {suggestion:g}, {found.method} (the loss falls fastest at {found.steepest:.2g}, "
        f"and is lowest at {10 * found.tenth:.2g})"
    )
    text.say(f"the run has lr {found.lr:g}: {_compared(found.lr / suggestion)}")


def _compared(ratio: float) -> str:
    if abs(ratio - 1) < 1e-9:
        return "the same"
    times = f"{ratio:.2g} times the suggestion"
    if 1 / NEAR <= ratio <= NEAR:
        return f"{times}, near enough"
    return f"{times}, which may be too {'high' if ratio > 1 else 'low'}"


def _rate_chart(found: RangeTest) -> ChartSpec:
    rates, smooth = list(found.rates), list(found.smoothed)
    log = min(found.losses) > 0 and max(found.losses) > WIDE_RANGE * min(found.losses)
    return ChartSpec(
        width=text.width(),
        height=text.HEIGHT,
        lines=[
            Line("each step", Style.RAW, rates, list(found.losses), joined=False),
            Line("smoothed", Style.TRAIN, rates, smooth),
            *_marks(found),
        ],
        x_low=rates[0],
        x_high=HIGHEST,
        # An explosion would press the fall that it is about against the bottom.
        y_high=None if log or not found.exploded else ABOVE_START * smooth[0],
        log_x=True,
        log=log,
        x_label="lr",
        ascii=text.is_ascii(),
    )


def _marks(found: RangeTest) -> list[Line]:
    """The suggestion and the run's own rate, each as a letter on the curve where the test has come to it."""
    rates = found.rates
    wanted = [("suggestion", "s", Style.VALIDATION, found.suggestion), ("the run's", "r", Style.WARNING, found.lr)]
    marks: dict[int, Line] = {}
    for label, letter, style, rate in wanted:
        if rate is None or not rates[0] <= rate <= rates[-1]:
            continue
        nearest = min(range(len(rates)), key=lambda i: abs(math.log(rates[i] / rate)))
        if nearest in marks:
            label, letter = f"{marks[nearest].label} and {label}", marks[nearest].marker
        marks[nearest] = Line(label, style, [rates[nearest]], [found.smoothed[nearest]], marker=letter)
    return list(marks.values())
