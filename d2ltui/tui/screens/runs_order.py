"""The orders in which stored runs are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.store import listing

if TYPE_CHECKING:
    from d2ltui.store.listing import RunInfo

ORDERS = (_("newest first"), _("by validation loss"), _("by validation metric"), _("by name"))


def place(order: int, run: RunInfo) -> tuple[float, str]:
    """What `run` is sorted by in the order `ORDERS[order]`."""
    figures = run.figures
    if order == 1:
        return figures.get("val_loss", float("inf")), run.name
    if order == 2:
        return -figures.get("val_accuracy", figures.get("val_r2", float("-inf"))), run.name
    return listing.newest_first(run) if order == 0 else (0.0, run.name)
