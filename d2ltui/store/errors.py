"""What goes wrong with stored runs."""

from __future__ import annotations

import errno
from pathlib import Path

from d2ltui.spec.language import _
from d2ltui.spec.text import printable

MAX_SENTENCE = 2000  # two long paths, and what is wrong with them
MAX_REASON = 200

# What the system says of a path where nothing can be written, whatever it is: another path is the remedy.
_OF_THE_PATH = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
)


class StoreError(Exception):
    """Something that cannot be done with a stored run. Its text is one sentence, and fit to be shown."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence, MAX_SENTENCE))


class NotAllowed(StoreError):
    """What was asked for can be no run, name or filter: a wrong argument."""


class InUse(StoreError):
    """Another process writes it."""


class Damaged(StoreError):
    """A run's database is gone, or holds other bytes than were written. The run's checkpoint may be whole."""


class Newer(StoreError):
    """A run that a newer version has stored, in a way that this one does not read. Nothing is wrong with it."""


def reason(error: BaseException) -> str:
    """Why, in a few words: the operating system's where it is its business."""
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror, MAX_REASON)
    if isinstance(error, UnicodeDecodeError):
        return _("its text is not readable")
    lines = str(error).strip().splitlines()
    return printable(lines[0], MAX_REASON) if lines else type(error).__name__


def unwritten(target: Path, error: OSError) -> StoreError:
    """The sentence for an output that could not be written: a wrong argument where its path is to blame."""
    if error.errno in _OF_THE_PATH:
        return NotAllowed(
            _("output: '{target}' is not allowed ({reason}); allowed: a path that can be written").format(
                target=target, reason=reason(error)
            )
        )
    return StoreError(_("output: {target} cannot be written ({reason})").format(target=target, reason=reason(error)))
