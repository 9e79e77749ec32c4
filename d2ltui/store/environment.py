"""Where a run was trained: versions, machine, process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
import time

from d2ltui import __version__

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")
STALE = 15.0  # seconds without a sign of life after which a process on another machine counts as gone


def environment() -> dict[str, object]:
    """Versions, host, and the present directory's git commit where there is one."""
    found: dict[str, object] = {"d2ltui": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["platform"] = platform.platform()
    found["host"] = socket.gethostname()
    found["cpus"] = os.cpu_count() or 1
    commit = _git_commit()
    if commit:
        found["git_commit"] = commit
    return found


def _git_commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
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
    return {"pid": pid, "host": socket.gethostname(), "started": psutil.Process(pid).create_time()}


def is_alive(found: object, sign: object) -> bool:
    """Whether the process that `process()` described still is there. `sign` is the time of its last sign of life."""
    if not isinstance(found, dict):
        return False
    pid, started = found.get("pid"), found.get("started")
    if found.get("host") != socket.gethostname():
        return isinstance(sign, (int, float)) and abs(time.time() - sign) < STALE
    if not isinstance(pid, int) or not isinstance(started, (int, float)) or pid <= 0:
        return False
    import psutil

    try:
        other = psutil.Process(pid)
        return bool(abs(other.create_time() - started) < 2.0 and other.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OverflowError):
        return False
