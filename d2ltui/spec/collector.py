"""Python's garbage collector, held off while nothing may be interrupted. It stops every thread, for 1 to 10 ms."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_holders = 0
_enabled = True  # whether it was on before anybody held it off


def hold() -> None:
    """No garbage is looked for until each `hold` has had its `release`."""
    global _holders, _enabled
    with _lock:
        if not _holders:
            _enabled = gc.isenabled()
            gc.disable()
        _holders += 1


def release() -> None:
    """The end of one `hold`; without one, nothing."""
    global _holders
    with _lock:
        _holders = max(0, _holders - 1)
        if not _holders and _enabled:
            gc.enable()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within it no garbage is looked for. For imports, say: they leave none, and bring much that is searched."""
    hold()
    try:
        yield
    finally:
        release()
