"""Options that say in how many processes, and on which machines, runs are trained beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from d2ltui.cli.options import positive_int
from d2ltui.spec.jobs import BACKENDS, LOCAL, MOST_JOBS, Jobs
from d2ltui.spec.text import quoted

F = TypeVar("F", bound=Callable[..., Any])
NAMES = ("jobs", "backend", "scheduler")


def jobs_options(command: F) -> F:
    """`--jobs`, `--backend` and `--scheduler`; `jobs_of` makes one value of them."""
    command = click.option(
        "--scheduler", metavar="ADDRESS", help="Where the cluster of --backend dask or ray listens."
    )(command)
    command = click.option(
        "--backend", metavar="|".join(BACKENDS), help="What begins the processes: loky here, the others on a cluster."
    )(command)
    return click.option(
        "--jobs",
        metavar="N",
        callback=positive_int("jobs", MOST_JOBS),
        help="Train in N processes, which share the cores or GPUs.",
    )(command)


def jobs_of(jobs: int | None, backend: str | None, scheduler: str | None) -> Jobs:
    """What the options say.

    Raises:
        click.UsageError: where that is not allowed.
    """
    if backend is not None and backend not in BACKENDS:
        raise click.UsageError(f"backend: {quoted(backend)} is not allowed; allowed: {', '.join(BACKENDS)}")
    chosen = backend or LOCAL
    if scheduler is not None and chosen == LOCAL:
        others = " or ".join(name for name in BACKENDS if name != LOCAL)
        raise click.UsageError(f"scheduler: --scheduler alone is not allowed; allowed: with --backend {others}")
    if chosen == "dask" and not scheduler:
        raise click.UsageError(
            "scheduler: it is missing; allowed: --scheduler ADDRESS, such as --scheduler tcp://127.0.0.1:8786"
        )
    return Jobs(jobs, chosen, scheduler)


def unused(**given: object) -> str:
    """Those of the options that were given, as they are typed; "" where none was."""
    return " ".join(f"--{name}" for name in NAMES if given.get(name) is not None)
