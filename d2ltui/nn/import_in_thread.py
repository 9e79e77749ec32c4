"""Imports that keep the frames from which they were called, and all that those hold, are made in a thread of their own.

So does PyTorch's compiler: the run that happens to import it would stay, with its data, as long as the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def run_in_thread(work: Callable[[], T]) -> T:
    """Call `work` in a thread of its own, and wait for it; what it raises passes.

    A daemon, unlike those of an executor: the end of the process waits for no import.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, name="d2ltui-import", daemon=True)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]
