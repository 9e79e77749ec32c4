"""Records what a Python process, and each that it starts, does to files. It is put where they import it first.

A line for each: what was done, a tab, the path. The first line of a process is `process` and its number.
"""

from __future__ import annotations

import os
import sys

_LOG = os.open(os.environ["WRITES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Which of an event's arguments are what is written, each with the descriptor of the directory that it is relative to.
_PATHS: dict[str, list[tuple[int, int | None]]] = {
    "os.chflags": [(0, None)],
    "os.chmod": [(0, 2)],
    "os.chown": [(0, 3)],
    "os.link": [(1, 3)],
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.removexattr": [(0, None)],
    "os.rename": [(0, 2), (1, 3)],
    "os.rmdir": [(0, 1)],
    "os.setxattr": [(0, None)],
    "os.symlink": [(1, 2)],
    "os.truncate": [(0, None)],
    "os.utime": [(0, 3)],
    "sqlite3.connect": [(0, None)],
}


def _whole(path: object, directory: object = None) -> str:
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    text = os.fsdecode(path)  # type: ignore[arg-type]
    if text.startswith("file:"):
        text = text.removeprefix("file://").partition("?")[0]
    relative_to = os.getcwd() if directory in (None, -1) else os.readlink(f"/proc/self/fd/{directory}")
    return os.path.join(relative_to, text)


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        # An open descriptor that becomes a file object has been recorded when it was opened.
        writes = isinstance(flags, int) and flags & _WRITING and not isinstance(path, int)
        paths = [_whole(path)] if writes else []
    elif event == "sqlite3.connect" and arguments[0] == ":memory:":
        paths = []
    else:
        pairs = ((arguments[i], arguments[at] if at is not None else None) for i, at in _PATHS.get(event, []))
        paths = [_whole(path, directory) for path, directory in pairs]
        if event == "os.mkdir" and os.path.isdir(paths[0]):
            return  # it will fail, and change nothing
    for found in paths:
        os.write(_LOG, f"{event}\t{found}\n".encode())


os.write(_LOG, f"process\t{os.getpid()}\n".encode())
sys.addaudithook(_hook)
