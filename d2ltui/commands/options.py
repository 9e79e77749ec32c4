"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from d2ltui.config import FIELDS

F = TypeVar("F", bound=Callable[..., Any])
MAX_FPS = 4.0
HANGUP = ("continue", "stop")


def run_options(command: F) -> F:
    """Give `command` an option for every field of a run, and `--config`. Values are validated by `resolve`."""
    command = click.option("--config", "config_file", metavar="FILE.toml", help="Take the run from a file.")(command)
    for field in reversed(FIELDS.values()):
        text = field.help[:1].upper() + field.help[1:] + "."
        if field.choices:
            metavar, text = "|".join(field.choices), text
        else:
            metavar = {"float": "F", "int": "N", "ints": "N,N,…", "device": "NAME", "path": "PATH"}[field.kind]
        command = click.option(field.option, field.name, metavar=metavar, help=text)(command)
    return command


def _fps(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        fps = float(value)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 60:
        raise click.UsageError(f"max-fps: '{value}' is not allowed; allowed: a number greater than 0, up to 60")
    return fps


def fps_option(command: F) -> F:
    """`--max-fps`."""
    return click.option(
        "--max-fps",
        default=str(MAX_FPS),
        show_default=True,
        metavar="F",
        callback=_fps,
        help="Redraw at most so often a second.",
    )(command)


def hangup_option(command: F) -> F:
    """`--on-hangup`."""
    return click.option(
        "--on-hangup",
        default=HANGUP[0],
        metavar="|".join(HANGUP),
        callback=_hangup,
        help="What to do when the terminal is gone: train on unseen, or stop (with a checkpoint).",
    )(command)


def _hangup(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value not in HANGUP:
        raise click.UsageError(f"on-hangup: '{value}' is not allowed; allowed: {', '.join(HANGUP)}")
    return value


def whole(name: str) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A check for an option that is a whole number."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise click.UsageError(f"{name}: '{value}' is not allowed; allowed: a whole number, 1 or more")
        return int(value)

    return check
