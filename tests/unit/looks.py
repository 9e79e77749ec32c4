"""Looks at layers as they might have been."""

from __future__ import annotations

import msgspec

from d2ltui.spec import events

MLP = {"model": "mlp", "dataset": "digits", "device": "cpu"}


def layer(index: int, title: str = "Linear 4→4", **given: object) -> events.LayerStats:
    activation = title in ("ReLU", "Sigmoid", "Tanh")
    values: dict[str, object] = {
        "index": index,
        "title": title,
        "kind": "activation" if activation else "linear",
        "counts": (1,),
        "mean": 0.0,
        "sd": 1.0,
        "minimum": -1.0,
        "maximum": 1.0,
        "zeros": 0.0,
        "dead": 0.0 if title == "ReLU" else None,
        "saturated": 0.0 if title in ("Sigmoid", "Tanh") else None,
        "nonfinite": 0,
        "gradient_norm": None if activation else 0.1,
        "weight_norm": None if activation else 1.0,
        "num_units": 40,
    }
    return msgspec.convert({**values, **given}, events.LayerStats)


def looked(step: int, *layers: events.LayerStats, loss: float = 1.0) -> events.LayersProbed:
    return events.LayersProbed(step, layers, loss=loss)


def epochs(train: list[float], val: list[float]) -> list[events.EpochEnded]:
    return [
        events.EpochEnded(i, 10 * i, t, v, 0.5, 0.5, 1.0) for i, (t, v) in enumerate(zip(train, val, strict=True), 1)
    ]
