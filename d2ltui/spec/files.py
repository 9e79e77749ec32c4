"""Files that may be anybody's: opened only where they are regular ones, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from d2ltui.spec.language import _

_KINDS = (
    (stat.S_ISLNK, _("a link")),
    (stat.S_ISDIR, _("a directory")),
    (stat.S_ISFIFO, _("a pipe")),
    (stat.S_ISSOCK, _("a socket")),
    (stat.S_ISCHR, _("a device")),
    (stat.S_ISBLK, _("a device")),
)


def kind(mode: int) -> str:
    """What a file of this mode is, in words; "" for a regular one."""
    if stat.S_ISREG(mode):
        return ""
    return next((words for matches, words in _KINDS if matches(mode)), _("no file"))


def check_regular(path: Path) -> bool:
    """Whether there is a file `path`.

    Raises:
        OSError: where it is a link, a pipe, a device or a directory: with that as its `strerror`.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if words := kind(found.st_mode):
        raise OSError(errno.EINVAL, _("it is {words}, not a file").format(words=words))
    return True


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file `path`: a pipe is not waited for, a device not touched, a link not followed.

    Raises:
        FileNotFoundError: where there is none, and `flags` do not make one.
        OSError: where it is something else, or cannot be opened.
    """
    check_regular(path)  # opening a device may already do something
    more = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC")]
    for flag in more:
        flags |= flag
    descriptor = os.open(path, flags, 0o644)
    if words := kind(os.fstat(descriptor).st_mode):  # it has become another meanwhile
        os.close(descriptor)
        raise OSError(errno.EINVAL, _("it is {words}, not a file").format(words=words))
    return descriptor


def read_regular(path: Path, most: int) -> bytes:
    """The first `most` bytes of the regular file `path`.

    Raises:
        OSError: as `open_regular` does.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(most)
