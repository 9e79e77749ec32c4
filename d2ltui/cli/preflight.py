"""`check` and `find-lr`: what is looked at and tried before the first step, as text or JSON."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from d2ltui.charts.of_rates import rate_chart
from d2ltui.cli import text
from d2ltui.data import LoadCancelled
from d2ltui.diagnosis.causes import command_with
from d2ltui.engine import summary
from d2ltui.engine.checkup import Checkup, check
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, products
from d2ltui.engine.range_test import HIGHEST, RangeTest, range_test
from d2ltui.engine.workbench import Cancelled, Workbench, set_up
from d2ltui.runner.headless import Progress
from d2ltui.runner.preflight import title_of
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.findings import MARKS, finding_values, findings_in_words
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.signals import Signals
from d2ltui.spec.text import json_line
from d2ltui.spec.width import cells, padded

T = TypeVar("T")
ALARMED = 3  # the exit status
_COLOURS = {"note": "yellow", "warning": "yellow", "alarm": "red"}


def _with_bench(config: RunConfig, do: Callable[[Workbench], T]) -> T | int:
    """What `do` returns of the run that is set up; an exit status where it is not, or was ended by a signal."""
    err = sys.stderr or io.StringIO()
    control, progress = Control(), Progress(config, io.StringIO(), err)
    with Signals(on_hangup="stop") as signals:
        signals.watch(control)
        try:
            bench = set_up(config, control, progress=lambda said, share: progress(events.Loading(said, share)))
            progress.clear()
            with products(config, bench.device):
                return do(bench)
        except (Cancelled, LoadCancelled):
            return signals.status or 1
        except Exception as error:
            _field, said, _trace = summary.describe_error(error, config, config.device, ())
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
    text.say(f"{title_of(config)}, lr {setting(config.lr)}")
    width = max(cells(_(reading.name)) for reading in found.readings)
    for reading in found.readings:
        severity = reading.finding.severity if reading.finding is not None else None
        mark = click.style("✓", fg="green") if severity is None else click.style(MARKS[severity], fg=_COLOURS[severity])
        text.say(f"{mark} {padded(_(reading.name), width)}  {reading.line}")
    for line in findings_in_words(found.findings, partial(command_with, config)):
        text.say(line)
    if not found.findings:
        text.say(_("nothing is wrong before the first step"))


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
        "instead": [one.values for one in found.instead],
        "ratio": found.lr / suggestion if suggestion is not None else None,
    }


def _print_rate(config: RunConfig, found: RangeTest) -> None:
    text.say(f"{title_of(config)}: {found.extent}")
    if found.rates:
        text.say(_("loss"))
        text.chart(rate_chart(found, HIGHEST, text.width(), text.HEIGHT, text.is_ascii()))
    for line in found.in_words("'d2ltui check'"):
        text.say(line)
