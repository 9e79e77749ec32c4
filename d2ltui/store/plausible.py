"""What a database may say of a run. Its checksums may be right, and its rows written by anybody.

Everything that is read passes through here once: whoever shows it can rely on kinds, ranges and lengths. What does not
pass is a ValueError (or one of msgspec's) that names the field; for the store, the run is then damaged.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import msgspec

from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.header import RunHeader
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number
from d2ltui.spec.parsing import parse
from d2ltui.spec.versions import can_be_shown, read_config

MAX_SHOWN_LAYERS = 1000  # of a network; 200 hidden ones are 601 with their activations and dropout
MAX_BINS = 1024
MAX_LISTED = 1024
MAX_FINDINGS, MAX_PLACES = 100, 20  # of a run now; where findings were looked for
MAX_REMEDY = 20  # hyperparameters that a finding changes, and numbers in one of them
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # of a model, a data set, an activation
_LATEST = 253_402_300_800.0  # the year 10000, as Unix time
_MOST = 2**53  # a count that is one exactly, also as a float

_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_Figure = float | None


class _Progress(msgspec.Struct):
    step: _Count = 0
    epoch: _Count = 0
    seconds: float = 0.0
    train_loss: _Figure = None
    val_loss: _Figure = None
    train_metric: _Figure = None
    val_metric: _Figure = None


class _Group(msgspec.Struct):
    name: str = ""
    kind: str = ""
    index: _Count = 0
    total: _Count = 0
    role: str = ""


class _Process(msgspec.Struct):
    pid: int = 0
    host: str = ""
    started: float = 0.0
    boot: str = ""
    ticks: _Count = 0


class _Meta(msgspec.Struct):
    """The values of `meta` that this program reads."""

    created: float
    status: events.Status
    config: dict[str, Any] = {}
    header: RunHeader | None = None
    environment: dict[str, str | int | float | None] = {}
    group: _Group | None = None
    process: _Process | None = None
    progress: _Progress | None = None
    loading: events.Loading | None = None
    sign: float = 0.0
    ended: float = 0.0
    device: str = ""
    message: str = ""
    findings: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_FINDINGS)] = ()
    summary: dict[str, Any] | None = None


def check_meta(found: dict[str, Any]) -> None:
    """That `found`, all of `meta`, can be a run's. Raises ValueError or TypeError."""
    meta = msgspec.convert(found, _Meta)
    if meta.header is None:
        check_config(read_config(meta.config))
    else:
        _check_header(meta.header)
    for name, value in (("created", meta.created), ("sign", meta.sign), ("ended", meta.ended)):
        if not 0 <= value < _LATEST:
            raise ValueError(f"its {name} is {number(value)}, which is not a time")
    if meta.progress is not None:
        _seconds(meta.progress.seconds)


def _check_header(header: RunHeader) -> None:
    """That `header` can be shown."""
    _at_most(MAX_SHOWN_LAYERS, layers=len(header.layers))
    for name, count in (("steps per epoch", header.steps_per_epoch), ("epochs", header.epochs)):
        if count is not None and count < 1:
            raise ValueError(f"{name}: {count}")


def check_config(config: RunConfig) -> None:
    """That each field of `config` is one that could be typed, or the name of something that another version has.

    Where the data lie is this machine's business.
    """
    for name in RunConfig.__struct_fields__:
        if name in FIELDS and FIELDS[name].kind != "path":
            value = getattr(config, name)
            if FIELDS[name].kind != "choice" or not isinstance(value, str) or not _NAME.fullmatch(value):
                parse(name, value)
    if not can_be_shown(config):
        return
    if config.task not in MODELS[config.model].tasks:
        raise ValueError(f"model {config.model} cannot be trained on {config.dataset}")


def check_event(event: events.Event) -> None:
    """That `event`, as it was read, could have been told. Raises ValueError."""
    match event:
        case events.RunStarted():
            check_config(event.config)
            _at_most(MAX_SHOWN_LAYERS, layers=len(event.layers))
            _counts(samples=event.num_train, validation=event.num_val, threads=event.threads)
            if not 1 <= event.steps_per_epoch <= _MOST:
                raise ValueError(f"an epoch of {event.steps_per_epoch:,} steps")
            for spec in event.layers:
                _counts(index=spec.index, inputs=spec.num_inputs, outputs=spec.num_outputs, parameters=spec.parameters)
        case events.StatusChanged():
            _counts(step=event.step or 0)
        case events.RunResumed():
            _counts(step=event.step, epoch=event.epoch)
            _seconds(event.seconds)
            _rate(event.lr)
        case events.LearningRateChanged():
            _counts(step=event.step)
            _rate(event.lr)
        case events.ThreadsChanged():
            _counts(step=event.step, threads=event.threads, before=event.before, cores=event.cores)
            if not 0 <= event.others <= event.cores:
                raise ValueError(f"{number(event.others)} cores taken by other programs")
        case events.FindingsChanged():
            _at_most(MAX_FINDINGS, findings=len(event.findings))
            _at_most(MAX_PLACES, places=len(event.looked_at))
            _counts(step=event.step)
            for finding in event.findings:
                _counts(step=finding.step, layer=finding.layer or 0)
                _remedy(finding.remedy)
        case events.LayersProbed():
            _at_most(MAX_SHOWN_LAYERS, layers=len(event.layers))
            _counts(step=event.step)
            for layer in event.layers:
                _layer(layer)
        case _:
            pass


def _layer(layer: events.LayerStats) -> None:
    _counts(index=layer.index, units=layer.num_units, outputs=layer.nonfinite)
    for counts in (layer.counts, layer.gradient_counts, layer.weight_counts):
        _at_most(MAX_BINS, bins=len(counts))
        if counts:
            _counts(outputs=min(counts))
            _counts(outputs=sum(counts))
    shares = {"zeros": layer.zeros, "dead": layer.dead, "saturated": layer.saturated, "sign_share": layer.sign_share}
    for name, share in shares.items():
        if share is not None and not math.isnan(share) and not 0 <= share <= 1:
            raise ValueError(f"a share of {number(share)} ({name})")
    _at_most(MAX_LISTED, parameters=len(layer.parameters))
    ranges = (
        (layer.minimum, layer.maximum),
        (layer.gradient_minimum, layer.gradient_maximum),
        (layer.weight_minimum, layer.weight_maximum),
    )
    for low, high in ranges:
        if low > high:
            raise ValueError(f"a smallest value of {number(low)} and a largest of {number(high)}")


def _remedy(remedy: dict[str, object]) -> None:
    """Values as hyperparameters have them: text, numbers, or a few whole numbers. Another version may have others."""
    _at_most(MAX_REMEDY, changes=len(remedy))
    for name, value in remedy.items():
        numbers = value if isinstance(value, list) else []
        _at_most(MAX_REMEDY, numbers=len(numbers))
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"a remedy with {name} {number(value)}")
        plain = isinstance(value, str | int | float | list | None)
        if not plain or not all(isinstance(number, int) for number in numbers):
            raise ValueError(f"a remedy whose {name} is not a value of a hyperparameter")


def _counts(**values: int) -> None:
    for name, value in values.items():
        if not 0 <= value <= _MOST:
            raise ValueError(f"{name} cannot be {number(value)}")


def _at_most(most: int, **values: int) -> None:
    for name, value in values.items():
        if value > most:
            raise ValueError(f"{value:,} {name}, where {most:,} is the most")


def _seconds(value: float) -> None:
    if not 0 <= value < _LATEST:
        raise ValueError(f"seconds cannot be {number(value)}")


def _rate(value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"a learning rate of {number(value)}")
