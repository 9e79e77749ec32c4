"""Processes of Python that need not import PyTorch first: forked from one that has.

`Warm(["-m", "d2ltui", "train"], …)` is a `subprocess.Popen` in all else: the process is a child of this one, with the
streams, the environment and the directory that were asked for. How a process starts, what it imports and what happens
while it loads is tested with processes that are started in earnest.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_SET_CHILD_SUBREAPER = 36  # of Linux's prctl
# What the interpreter looks at before any code of ours: with another value a process is started in earnest.
_EARLY = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE")


@cache
def _server() -> socket.socket:
    """The connection to the process that forks, which ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # One thread: networks as small as the tests' are no faster with more, and slower where cores are shared.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.processes.server", str(theirs.fileno())]
    with theirs:
        subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return ours


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether a process with `environment` may be forked, rather than started in earnest."""
    if not sys.platform.startswith("linux"):
        return False
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    if any(Path(folder, "sitecustomize.py").exists() for folder in folders if folder):
        return False
    # Python takes an empty value for none.
    return all((environment.get(name) or "") in (os.environ.get(name) or "", "C.UTF-8") for name in _EARLY)


class Warm(subprocess.Popen[Any]):
    """A `subprocess.Popen` of this Python with `arguments`: `-m MODULE …`, `-c CODE …` or `FILE …`.

    `session` makes it the leader of a session of its own, in the terminal that is its standard input.
    """

    def __init__(self, arguments: Sequence[str], *, session: bool = False, **options: Any) -> None:
        self._session = session
        super().__init__([sys.executable, *arguments], **options)

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, *rest: Any) -> None:
        _, directory, environment = rest[:3]
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = rest[6:12]
        request = {
            "arguments": [os.fspath(argument) for argument in args[1:]],
            "environment": dict(os.environ if environment is None else environment),
            "directory": os.fspath(directory or os.getcwd()),
            "session": self._session,
        }
        streams = [number if stream == -1 else stream for number, stream in enumerate((p2cread, c2pwrite, errwrite))]
        connection, prctl = _server(), ctypes.CDLL(None).prctl
        prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # an orphan among our descendants becomes our child
        try:
            socket.send_fds(connection, [json.dumps(request).encode()], streams)
            self.pid = int(connection.recv(32))
            self._child_created = True
        finally:
            prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


# `-m d2ltui`, of a run whose steps take a while: one that is as fast as it can be takes a processor from the tests.
UNHURRIED = (
    "-c",
    """
import sys, time
from d2ltui.__main__ import main
from d2ltui.engine import stepping

def unhurried(*arguments, take=stepping.train_step):
    time.sleep(0.005)
    return take(*arguments)

stepping.train_step = unhurried
if "train" not in sys.argv:
    from d2ltui.tui import app
    app.SPARES_AFTER = 1e6  # nor are screens prepared for later
main()
""",
)


def start(arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """This Python with `arguments`: a `Warm` process where that can be, else one that is started like any other."""
    if can_fork(options.get("env") or os.environ):
        return Warm(arguments, **options)
    return subprocess.Popen([sys.executable, *arguments], **options)


def run(arguments: Sequence[str], timeout: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of what `start` starts, as text; its output is captured where nothing else is said."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(arguments, text=True, **{**pipes, **options}) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
