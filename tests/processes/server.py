"""Forks processes that have imported the heavy libraries already: `server.py NUMBER_OF_A_SOCKET`.

One request at a time: a JSON object of `arguments` (what follows `python`: `-m MODULE …`, `-c CODE …` or `FILE …`),
`environment`, `directory`, `session` (whether it leads a session of its own, in its terminal), and the three standard
streams. The answer is the number of the process, whose parent is by then whoever asked (see `tests.processes`).

Nothing of d2ltui is imported here: that is part of what the processes do.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import termios
import threading
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

LIBRARIES = ("sklearn.datasets", "sklearn.model_selection", "torch", "textual.app", "click", "msgspec", "psutil")


def serve(number: int) -> None:
    """Answer requests until nobody asks any more; in each process that is made, be what was asked for."""
    connection = socket.socket(fileno=number)
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()  # what the collector never looks at stays shared with the processes that are forked
    while True:
        data, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        if not data:
            return
        finding, found = os.pipe()
        orphaned, parent = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child:
                os.write(found, str(child).encode())
                os._exit(0)  # so that the child goes to the process that asked
            for descriptor in (found, finding, parent):
                os.close(descriptor)
            os.read(orphaned, 1)  # the end of the one between
            os.close(orphaned)
            connection.close()
            request = json.loads(data)
            become(request, streams)
            run(request["arguments"])
        for descriptor in (found, orphaned, parent, *streams):
            os.close(descriptor)
        os.waitpid(between, 0)
        connection.send(os.read(finding, 32))
        os.close(finding)


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on the environment, the directory and the streams that a process of its own would have been started with."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in {*streams} - {0, 1, 2}:
        os.close(descriptor)
    if request["session"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in folders if folder and folder not in sys.path]
    encoding, _, given = os.environ.get("PYTHONIOENCODING", "utf-8").partition(":")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        errors = "backslashreplace" if number == 2 else given or "strict"
        stream = open(number, "w" if number else "r", encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
        if number:
            stream.reconfigure(line_buffering=number == 2 or stream.isatty())
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(arguments: Sequence[str]) -> NoReturn:
    """Be Python with `arguments`, to the end of the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, *rest = arguments
    status: object = 0
    try:
        if what == "-c":
            code, *rest = rest
            sys.argv = ["-c", *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        elif what == "-m":
            what, *rest = rest
            sys.argv = [what, *rest]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [what, *rest]
            runpy.run_path(what, run_name="__main__")
    except SystemExit as end:
        status = end.code
        if status is not None and not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        status = 1
    # What Python does at the end, without unloading PyTorch piece by piece.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
