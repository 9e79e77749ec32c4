"""The processor cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/proc/self/cgroup")
_CONTROLLERS = Path("/sys/fs/cgroup")


def allowed_cpus() -> frozenset[int]:
    """The numbers of the processors on which the system may run this process."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def quota(membership: Path = _CGROUP, controllers: Path = _CONTROLLERS) -> float:
    """Cores' worth of time that a container's or a batch system's limit leaves this process; infinite without one."""
    found = math.inf
    try:
        lines = membership.read_text().splitlines()
    except (OSError, ValueError):  # no Linux
        return found
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and "cpu" not in names.split(","):
            continue
        root = controllers / names if names else controllers
        folder = root / path.lstrip("/")
        # The limit of each group above counts, too. Inside a container the path may be one that only its host has.
        for group in {root, folder, *(parent for parent in folder.parents if parent.is_relative_to(root))}:
            found = min(found, _limit(group))
    return found


def _limit(group: Path) -> float:
    try:
        if (group / "cpu.max").is_file():
            limit, period = (group / "cpu.max").read_text().split()
        else:  # version 1
            limit = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        share = float(limit) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # no limit: "max", or no such file
        return math.inf
    return share if share > 0 and math.isfinite(share) else math.inf


def available_cores() -> int:
    """How many cores there are for this process, at least 1; the part of one that a limit grants counts as one."""
    return max(1, math.ceil(min(float(len(allowed_cpus())), quota())))
