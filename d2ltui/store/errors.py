"""What goes wrong with stored runs."""

from __future__ import annotations


class StoreError(Exception):
    """Something that cannot be done with a stored run. Its text is one sentence."""


class NotAllowed(StoreError):
    """What was asked for can be no run, name or filter: a wrong argument."""


class Damaged(StoreError):
    """A run's database is gone, or holds other bytes than were written. The run's checkpoint may be whole."""


def reason(error: BaseException) -> str:
    """Why, in a few words: the operating system's where it is its business."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "its text is not readable"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
