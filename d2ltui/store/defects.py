"""Defects of ours: one sentence for whoever is there, and the traceback beside the runs."""

from __future__ import annotations

import os
import time
import traceback

from d2ltui.spec.language import _
from d2ltui.store import home
from d2ltui.store.errors import StoreError


def keep_traceback(error: BaseException) -> str:
    """Write the traceback into the home directory; where it is, in words."""
    try:
        path = home.home() / f"failed-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except (OSError, StoreError) as unwritten:
        return _("the traceback could not be kept ({unwritten})").format(unwritten=unwritten)
    return _("the traceback is in {path}").format(path=path)


def in_words(error: BaseException) -> str:
    """Its kind, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def where_raised(error: BaseException) -> tuple[str, str, int]:
    """The kind of `error`, and the file and the line that raised it: the same each time that it comes again."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return type(error).__name__, *((frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0))
