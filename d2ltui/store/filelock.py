"""Locks between processes: one that writes at a time, and who is at work on something just now."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from d2ltui.spec.files import open_regular
from d2ltui.spec.language import _
from d2ltui.store.errors import StoreError, reason

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

PATIENCE = 10.0  # seconds: what is done under a lock takes milliseconds
_PAUSE = 0.01


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open_regular(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StoreError(
            _("lock: {path} cannot be written ({reason})").format(path=path, reason=reason(error))
        ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """The right to write what `path` stands for; others wait for their turn. A file system may have no locks.

    Raises:
        StoreError: where it cannot be had within `PATIENCE` seconds.
    """
    descriptor = _open(path)
    try:
        until = time.monotonic() + PATIENCE
        while not _taken(descriptor):
            if time.monotonic() > until:
                raise StoreError(_("lock: {path} is in use by another process").format(path=path))
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Whether nobody else has the lock, which is ours now; also where there are no locks."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


class Presence:
    """Says to other processes that this one is at work on what `path` stands for, until it leaves or ends.

    `alone` is whether no other was at work when this one came.

    Raises:
        StoreError: where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path)
        self.alone = _taken(self._descriptor)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # those who come now have it for a moment alone, and then share it
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> None:
        """It is over."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
