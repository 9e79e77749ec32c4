"""How large somebody has made the panes."""

from __future__ import annotations

from collections.abc import Mapping

from d2ltui.spec.language import _
from d2ltui.store import remembered

FILE = "panes.json"
LEAST, MOST = 0.25, 4.0  # times the usual size
_WHAT = _("the panes' sizes")


def read() -> dict[str, float]:
    """Factors by the name of a pane, or of a column; empty where nothing has been changed.

    Raises:
        StoreError: where the file cannot be read, or is none of ours.
    """
    found = remembered.read(FILE, dict[str, float], _WHAT) or {}
    return {name: min(MOST, max(LEAST, factor)) for name, factor in found.items() if factor == factor}


def write(factors: Mapping[str, float]) -> None:
    """Remember them.

    Raises:
        StoreError: where that cannot be.
    """
    remembered.write(FILE, dict(factors), _WHAT)
