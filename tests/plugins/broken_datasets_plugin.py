"""Data sets of another package that cannot be offered."""

from __future__ import annotations

import msgspec
from rings_plugin import RINGS

from d2ltui.spec.datasets import DatasetSource

NO_CLASSES = DatasetSource(msgspec.structs.replace(RINGS.info, classes=()), "rings_plugin:load")
NO_LOADER = DatasetSource(RINGS.info, "somewhere")
WRONG_KIND = RINGS.info
WRONG_SIZE = DatasetSource(msgspec.structs.replace(RINGS.info, train_size="many"), "rings_plugin:load")
