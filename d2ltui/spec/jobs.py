"""In how many processes, and on which machines, runs are trained beside each other."""

from __future__ import annotations

from typing import NamedTuple

LOCAL = "loky"
# Where joblib can have work done, and the package that each needs: the last one's name as pip knows it.
BACKENDS = {LOCAL: ("joblib", "joblib"), "dask": ("distributed", "d2ltui[cluster]"), "ray": ("ray", "ray")}
MOST_JOBS = 1000


class JobsError(Exception):
    """A way of training beside each other that there is not; its text is one sentence."""


class WorkersLost(Exception):
    """Processes that train have died again and again; its text is one sentence."""


class Jobs(NamedTuple):
    """`number` processes; None for one on this machine, and for all that a cluster has.

    `backend` is one of BACKENDS; `scheduler` is where its cluster listens.
    """

    number: int | None = None
    backend: str = LOCAL
    scheduler: str | None = None

    @property
    def alone(self) -> bool:
        """Whether everything is trained in this process."""
        return self.backend == LOCAL and (self.number or 1) == 1
