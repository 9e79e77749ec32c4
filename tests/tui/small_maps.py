"""Small maps, and cells of them that nobody has trained."""

from __future__ import annotations

from typing import Any

from d2ltui.spec.axes import base_config, parse_axis
from d2ltui.spec.maps import CURVES, Cell, Figures, MapSpec
from d2ltui.store.maps import StoredMap

MLP: dict[str, object] = {"model": "mlp", "dataset": "circles", "hidden": "4", "epochs": 2, "batch_size": 400}


def made_up(spec: MapSpec, *cells: Cell, **figures: Any) -> dict[Cell, Figures]:
    usual: Figures = {
        "val_accuracy": 0.5, "val_loss": 0.7, "train_loss": 0.7, "dead": 0.0, "saturated": None,
        "gradient-ratio": 2.0, "finding": None, "status": "finished",
        CURVES: {"epoch": [1, 2], "train_loss": [0.9, 0.7], "val_loss": [0.9, 0.7], "val_accuracy": [0.4, 0.5]},
    }  # fmt: skip
    return {
        cell: {**usual, **figures} for cell in cells or [(i, j) for i in range(spec.columns) for j in range(spec.rows)]
    }


def stored_map() -> tuple[StoredMap, MapSpec]:
    """One of six cells, of which one is known; until it is closed, this process trains it."""
    x, y = parse_axis("x", "lr=0.01:1:3"), parse_axis("y", "init_std=0.1:1:2")
    spec = MapSpec(base_config(MLP, x, y), x, y, 1, tuple(MLP))
    stored = StoredMap.create(spec)
    stored.add(made_up(spec, (0, 0), val_accuracy=0.9))
    return stored, spec
