"""Options that say in how many processes, and on which machines, runs are trained beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from d2ltui.cli.options import positive_int
from d2ltui.spec.jobs import BACKENDS, LOCAL, MOST_JOBS, Jobs
from d2ltui.spec.language import _
from d2ltui.spec.parsing import wrong

F = TypeVar("F", bound=Callable[..., Any])


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


def jobs_of(jobs: int | None, backend: str | None, scheduler: str | None, *, needs_seeds: bool = False) -> Jobs:
    """What the options say; with `needs_seeds`, nothing, for there is a single run.

    Raises:
        click.UsageError: where that is not allowed.
    """
    given = {"jobs": jobs, "backend": backend, "scheduler": scheduler}
    if needs_seeds and (typed := [name for name, value in given.items() if value is not None]):
        raise click.UsageError(
            _("{typed}: --{typed} is not allowed with a single run; allowed: with --seeds N").format(typed=typed[0])
        )
    if backend is not None and backend not in BACKENDS:
        raise click.UsageError(wrong("backend", backend, ", ".join(BACKENDS)).message)
    chosen = backend or LOCAL
    if scheduler is not None and chosen == LOCAL:
        others = _(" or ").join(name for name in BACKENDS if name != LOCAL)
        raise click.UsageError(
            _("scheduler: --scheduler alone is not allowed; allowed: with --backend {others}").format(others=others)
        )
    if chosen == "dask" and not scheduler:
        raise click.UsageError(
            _("scheduler: it is missing; allowed: --scheduler ADDRESS, such as --scheduler tcp://127.0.0.1:8786")
        )
    return Jobs(jobs, chosen, scheduler)
