"""What the application needs: a terminal that moves its cursor, for what is typed and what is drawn."""

from __future__ import annotations

import os
import sys

import click

from d2ltui.spec import terminal
from d2ltui.spec.language import _


def want_terminal() -> None:
    """Say in one sentence what is missing, if anything is.

    Raises:
        click.UsageError: where the application cannot be shown.
    """
    _want_streams()
    if not terminal.moves_cursor():
        name = os.environ.get("TERM", "")
        raise click.UsageError(
            _(
                "TERM: '{name}' is not allowed for the application, which moves the cursor; allowed: "
                "the name of your terminal, such as xterm-256color; 'd2ltui train' does the same "
                "training without it"
            ).format(name=name)
        )


def _want_streams() -> None:
    missing = [
        name
        for name, stream in (("input", sys.__stdin__), ("error", sys.__stderr__))
        if stream is None or not stream.isatty()
    ]
    if missing:
        raise click.UsageError(
            (
                _(
                    "the application needs a terminal, and standard {one} and standard {other} are not one; "
                    "'d2ltui train' does the same training without one"
                )
                if missing[1:]
                else _(
                    "the application needs a terminal, and standard {one} is not one; "
                    "'d2ltui train' does the same training without one"
                )
            ).format(one=missing[0], other=missing[-1])
        )
