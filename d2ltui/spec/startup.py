"""How a process of ours starts: it imports nothing from the current directory, and has its three standard streams.

Imports nothing but what the interpreter has imported already: a `struct.py` beside the user must not be found before
this module has run.
"""

# Built in: `signal` itself imports enough for a ctrl+c, or a file of that name, to come before it.
import _signal  # type: ignore[import-not-found]
import os
import sys


def prepare() -> None:
    """To be called first, by whatever is started as `d2ltui`."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # ctrl+c among the imports: an end, and no traceback
    keep_out_current_directory()
    open_standard_streams()


def keep_out_current_directory() -> None:
    """Take the current directory off the import path, where `python -m` and an empty part of PYTHONPATH put it.

    Only what comes before the standard library is looked at: a directory of installed packages may be the current one.
    The directory that d2ltui itself is imported from, a source tree, moves to the end, where it hides nothing.
    """
    standard = os.path.dirname(os.__file__)
    before = sys.path[: sys.path.index(standard)] if standard in sys.path else list(sys.path)
    unsafe = [entry for entry in before if not os.path.isabs(entry) or _is_current(entry)]
    if not unsafe:
        return
    root = _root()
    sys.path[:] = [entry for entry in before if entry not in unsafe] + sys.path[len(before) :]
    if any(os.path.realpath(entry or os.curdir) == root for entry in unsafe) and root not in sys.path:
        sys.path.append(root)


def catch_interrupts() -> None:
    """From here on ctrl+c is a KeyboardInterrupt again, so that what is begun is tidied up."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def open_standard_streams() -> None:
    """Open what was closed before the start (`2>&-`): otherwise the run's database would be standard error.

    Python's own `sys.stderr` stays None; what a library in C prints goes nowhere.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _is_current(path: str) -> bool:
    try:
        return os.path.samefile(path, os.curdir)
    except OSError:  # either is gone
        return False


def _root() -> str:
    """The directory in which the package `d2ltui` lies."""
    import d2ltui

    return os.path.dirname(os.path.dirname(os.path.realpath(d2ltui.__file__)))
