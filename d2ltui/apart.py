"""Imports that keep the frames from which they were called, and all that those hold, are made in a thread of their own.

So do PyTorch's compiler and torchvision: the run that happens to import them would stay, with its data, as long as the
process.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """Call `work` in a thread of its own, and wait for it; what it raises passes."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()
