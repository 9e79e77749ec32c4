"""The slices of a map, trained by processes beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from d2ltui.engine.control import Control
from d2ltui.engine.map import Coming, MapTraining
from d2ltui.runner.spread import Spread
from d2ltui.spec.config import RunConfig
from d2ltui.spec.maps import Cell, Figures


class MapPiece(NamedTuple):
    """Slices that one process trains side by side: the runs of each cell."""

    slices: tuple[Mapping[Cell, Sequence[RunConfig]], ...]
    curves: bool


def train_piece(
    piece: MapPiece, control: Control, again: bool, tell: Callable[[float], None]
) -> tuple[dict[Cell, Figures], int]:
    """In another process: the figures of the cells that are done, and the steps that all networks have taken."""
    cells = {cell: runs for part in piece.slices for cell, runs in part.items()}
    training = MapTraining(cells, control, len(piece.slices), curves=piece.curves)
    found = training.train_slices([list(part) for part in piece.slices])
    return found, training.steps


def over(
    spread: Spread,
    training: MapTraining,
    cells: Mapping[Cell, Sequence[RunConfig]],
    threads: int,
    slices: Sequence[list[Cell]],
) -> Coming:
    """What comes of `slices`, of which each process trains `threads` at a time."""
    parts = [{cell: cells[cell] for cell in part} for part in slices]
    pieces = [MapPiece(tuple(parts[i : i + threads]), training.keeps_curves) for i in range(0, len(parts), threads)]
    for done in spread.over(train_piece, pieces):
        if done is None:
            yield None
        else:
            _, (found, steps) = done
            training.count(steps)
            yield found
