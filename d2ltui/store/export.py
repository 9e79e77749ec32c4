"""A stored run as text that other programs read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from d2ltui.spec.events import LayerStats
from d2ltui.spec.text import json_line
from d2ltui.store.listing import describe
from d2ltui.store.reader import RunReader

_HISTOGRAMS = (
    *("counts", "unit_activity"),
    *("gradient_counts", "gradient_minimum", "gradient_maximum"),
    *("weight_counts", "weight_minimum", "weight_maximum"),
)


def metric_name(reader: RunReader) -> str:
    """What a run's metric is called: accuracy or r2."""
    return reader.live.header.metric


def csv_lines(reader: RunReader) -> Iterator[str]:
    """A row for each step: its epoch, loss and metric; the validation's figures where it ended an epoch.

    Figures are the shortest decimals that give the stored float32 back; a step that was never told of has nan.
    """
    live, metric = reader.live, metric_name(reader)
    yield f"step,epoch,train_loss,train_{metric},val_loss,val_{metric}\n"
    ended = {epoch.step: epoch for epoch in live.epochs}
    # numpy's own text of a float32 is its shortest decimal.
    for i, (loss, score) in enumerate(zip(live.losses.values(), live.metrics.values(), strict=True)):
        step = i + 1
        epoch = ended.get(step)
        val = f"{_short(epoch.val_loss)},{_short(epoch.val_metric)}" if epoch is not None else ","
        yield f"{step},{live.header.epoch_of(step)},{loss!s},{score!s},{val}\n"


def _short(value: float) -> str:
    import numpy as np

    return str(np.float32(value))


def overview(reader: RunReader) -> dict[str, Any]:
    """What a list says of the run, where it was trained, and its summary, as plain values."""
    found: dict[str, Any] = describe(reader.path, reader.meta, reader.live.findings).to_json()
    found["environment"] = reader.meta.get("environment", {})
    found["summary"] = reader.meta.get("summary")
    return _plain(found)  # type: ignore[no-any-return]


def as_json(reader: RunReader) -> dict[str, Any]:
    """Everything but the histograms, as plain values; what is not finite is None."""
    live, metric = reader.live, metric_name(reader)
    found = overview(reader)
    found["steps"] = {
        "train_loss": [_finite(x) for x in live.losses.values().tolist()],
        f"train_{metric}": [_finite(x) for x in live.metrics.values().tolist()],
    }
    found["epochs"] = [
        {
            "epoch": epoch.epoch,
            "step": epoch.step,
            "train_loss": _finite(epoch.train_loss),
            "val_loss": _finite(epoch.val_loss),
            f"train_{metric}": _finite(epoch.train_metric),
            f"val_{metric}": _finite(epoch.val_metric),
            "seconds": epoch.seconds,
        }
        for epoch in live.epochs
    ]
    found["lr_changes"] = [msgspec.to_builtins(change) for change in live.lr_changes]
    found["layers"] = [
        {"step": look.step, "loss": look.loss, "layers": [_figures(layer) for layer in look.layers]}
        for look in reader.all_layers()
    ]
    found["log"] = [{"time": when, "kind": kind, **data} for when, kind, data in reader.log()]
    return _plain(found)  # type: ignore[no-any-return]


def _figures(layer: LayerStats) -> dict[str, Any]:
    """A layer's figures without its histograms, and what belongs to those alone."""
    return {name: getattr(layer, name) for name in LayerStats.__struct_fields__ if name not in _HISTOGRAMS}


def json_text(reader: RunReader) -> str:
    """`as_json` as one line that any JSON parser takes."""
    return json_line(as_json(reader)) + "\n"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
