"""Epochs: what every epoch of a run ended with, a column for each figure.

A run of a million epochs is 56 MB here; as a list of events it would be four times as much, and a second to make.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import msgspec
import numpy as np

from d2ltui.history.series import Array, Series
from d2ltui.spec.events import EpochEnded

# The fields of EpochEnded, in their order.
EPOCHS = np.dtype([(name, "<i8" if name in ("epoch", "step") else "<f8") for name in EpochEnded.__struct_fields__])


class Epochs(Sequence[EpochEnded]):
    """The epochs that have ended, in their order. As with a Series, one thread writes and any number read."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rows: Array | None = None) -> None:
        """`rows`: of dtype EPOCHS."""
        self._rows = Series(EPOCHS)
        if rows is not None:
            self._rows.extend(rows)

    @classmethod
    def of(cls, ended: Sequence[EpochEnded]) -> Epochs:
        """Those of a list."""
        rows = [msgspec.structs.astuple(epoch) for epoch in ended]
        return cls(np.array(rows, EPOCHS))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> EpochEnded: ...

    @overload
    def __getitem__(self, index: slice) -> list[EpochEnded]: ...

    def __getitem__(self, index: int | slice) -> EpochEnded | list[EpochEnded]:
        rows = self._rows.values()
        if isinstance(index, slice):
            return [EpochEnded(*row) for row in rows[index].tolist()]
        return EpochEnded(*rows[index].tolist())

    def __iter__(self) -> Iterator[EpochEnded]:
        for row in self._rows.values():
            yield EpochEnded(*row.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def append(self, ended: EpochEnded) -> None:
        """One more."""
        self._rows.append(msgspec.structs.astuple(ended))

    def extend(self, rows: Array) -> None:
        """Many more, of dtype EPOCHS."""
        self._rows.extend(rows)

    def until(self, step: int) -> Epochs:
        """Those that had ended at `step`."""
        rows = self._rows.values()
        return Epochs(rows[rows["step"] <= step])

    def at(self, epoch: int) -> EpochEnded | None:
        """The one with number `epoch`."""
        index = int(np.searchsorted(self.column("epoch"), epoch))
        found = self[index : index + 1]
        return found[0] if found and found[0].epoch == epoch else None

    def best(self, figure: str) -> EpochEnded:
        """The first one that has the smallest value of `figure` (nan is none)."""
        values = self.column(figure)
        return self[int(np.argmin(np.where(np.isnan(values), np.inf, values)))]

    def column(self, figure: str) -> Array:
        """One figure of all of them, shape (len,): a read-only view."""
        return self._rows.values()[figure]


def figures_by_epoch(runs: Iterable[Epochs], figure: str) -> dict[int, list[float]]:
    """For each epoch that some run has ended, in order: `figure`, one of EpochEnded's, of those that have.

    Values that are not finite do not count.
    """
    found: dict[int, list[float]] = {}
    for ended in runs:
        for epoch, value in zip(ended.column("epoch").tolist(), ended.column(figure).tolist(), strict=False):
            if math.isfinite(value):
                found.setdefault(int(epoch), []).append(value)
    return dict(sorted(found.items()))
