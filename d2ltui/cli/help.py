"""What `--help` prints in another language than English: click knows neither our sentences nor wide characters."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable

import click

from d2ltui.spec.language import _
from d2ltui.spec.width import cells, padded, wrapped

NAMES = 34  # columns of options' names at most, with the gap behind them


def paragraphs(command: click.Command) -> list[str]:
    """The help of `command`, each paragraph as one line."""
    text = inspect.cleandoc(command.help or "").partition("\f")[0]
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def write(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The usage, the paragraphs, the options, and of a group the commands."""
    formatter.write_usage(ctx.command_path, " ".join(command.collect_usage_pieces(ctx)), prefix=_("Usage: "))
    for paragraph in paragraphs(command):
        formatter.write("\n" + "".join(f"  {line}\n" for line in wrapped(_(paragraph), formatter.width - 2)))
    options = [record for param in command.get_params(ctx) if (record := _spoken(param).get_help_record(ctx))]
    _table(_("Options:"), options, formatter)
    if isinstance(command, click.Group):
        known = ((name, command.get_command(ctx, name)) for name in command.list_commands(ctx))
        first = [(name, _(paragraphs(found)[0])) for name, found in known if found is not None and paragraphs(found)]
        _table(_("Commands:"), first, formatter)


def _spoken(param: click.Parameter) -> click.Parameter:
    said = getattr(param, "help", None)
    if not said:
        return param
    spoken = copy.copy(param)
    spoken.help = _(said)
    return spoken


def _table(head: str, rows: Iterable[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    rows = list(rows)
    wide = min(NAMES, max(cells(name) for name, _said in rows) + 2)
    formatter.write(f"\n{head}\n")
    for name, said in rows:
        lines = wrapped(said, formatter.width - wide - 2) or [""]
        if cells(name) + 2 > wide:
            formatter.write(f"  {name}\n")
            name = ""
        for line in lines:
            formatter.write(f"  {padded(name, wide)}{line}".rstrip() + "\n")
            name = ""
