"""Imports that take seconds, beside an interface that goes on."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    """For imports: they leave no garbage, and looking for it among all that comes stops every thread."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
