"""Stores that earlier versions have made, and what those said of them; `make.py` tells how.

Nothing here imports the program: a golden store is read by whatever version is tested.
"""

from __future__ import annotations

import functools
import json
import tarfile
from pathlib import Path
from typing import Any

VERSIONS = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))


@functools.cache
def expected(version: Path) -> dict[str, Any]:
    """`runs`: by name, what the version that made the store said of it. `filters`: by filter, names of runs."""
    found: dict[str, Any] = json.loads((version / "expected.json").read_text(encoding="utf-8"))
    return found


def unpack(version: Path, home: Path) -> Path:
    """A copy of the store, as a D2LTUI_HOME."""
    with tarfile.open(version / "store.tar.xz") as archive:
        archive.extractall(home, filter="data")
    return home


def lacking(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Where `found` has not what is `wanted`; more it may have. Figures must be the same, to the last digit."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        missing = [f"{where}.{key} is missing" for key in wanted if key not in found]
        return missing + [
            text for key in wanted if key in found for text in lacking(found[key], wanted[key], f"{where}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            text for i, (a, b) in enumerate(zip(found, wanted, strict=True)) for text in lacking(a, b, f"{where}[{i}]")
        ]
    return [] if found == wanted else [f"{where} is {found!r:.100}, and was {wanted!r:.100}"]
