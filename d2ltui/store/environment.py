"""Where a run was trained: versions, machine, process."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

from d2ltui import __version__

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")
_GIT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "", "GIT_TERMINAL_PROMPT": "0"}
# Seconds without a sign of life after which a process on another machine counts as gone. It gives one every two; the
# rest is for clocks that do not agree.
STALE = 90.0


def environment() -> dict[str, object]:
    """Versions, host, and the present directory's git commit where there is one."""
    found: dict[str, object] = dict(_versions())
    found["host"] = socket.gethostname()
    found["cpus"] = os.cpu_count() or 1
    commit = _git_commit()
    if commit:
        found["git_commit"] = commit
    return found


@cache
def _versions() -> dict[str, str]:
    """Those of this process: reading them takes as long as training a small run for an epoch."""
    found = {"d2ltui": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return {**found, "platform": platform.platform()}


def _git_commit() -> str:
    """The commit of the current directory's repository, "" where there is none.

    That repository may be anybody's: nothing that its configuration names is run, and nothing fetched.
    """
    path = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(part)]
    git = shutil.which("git", path=os.pathsep.join(path))  # not a program of this name in the current directory
    if git is None:
        return ""
    try:
        done = subprocess.run(
            [git, "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "rev-parse", "--verify", "HEAD"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_GIT},
            timeout=2.0,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("ascii", "replace").strip() if done.returncode == 0 else ""


def process() -> dict[str, object]:
    """What identifies this process: its number is given to another one some day."""
    import psutil

    pid = os.getpid()
    found = {"pid": pid, "host": socket.gethostname(), "started": psutil.Process(pid).create_time()}
    if boot := _boot():
        found |= {"boot": boot, "ticks": _ticks(pid)}
    return found


def _boot() -> str:
    """What names this start of the system; "" where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _ticks(pid: int) -> int:
    """When a process began, in the system's ticks since its start: no clock that is set changes that. 0: it is gone."""
    try:
        # After the name, which may hold anything: the state is field 3, the start field 22.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0


def is_alive(found: object, sign: object) -> bool:
    """Whether the process that `process()` described still is there. `sign` is the time of its last sign of life."""
    if not isinstance(found, dict):
        return False
    pid, started, boot, ticks = (found.get(name) for name in ("pid", "started", "boot", "ticks"))
    here = found.get("host") == socket.gethostname()
    if isinstance(pid, int) and pid > 0 and boot and boot == _boot():
        if ticks and _ticks(pid) == ticks:
            return True
        if here:
            return False
    if not here:
        return isinstance(sign, (int, float)) and abs(time.time() - sign) < STALE
    if not isinstance(pid, int) or not isinstance(started, (int, float)) or pid <= 0 or boot:
        return False  # one of before the system's last start, too
    import psutil

    try:
        other = psutil.Process(pid)
        return bool(abs(other.create_time() - started) < 2.0 and other.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OverflowError):
        return False
