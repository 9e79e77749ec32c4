"""What is said of arguments that click refuses: its own sentences name neither what is missing nor what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from d2ltui.spec.language import _
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable


def in_words(error: click.ClickException) -> str:
    """One sentence, or more in lines of their own: what is wrong, and what is allowed."""
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error)
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        return _missing_argument(error.param, error.ctx)
    if isinstance(error, click.BadOptionUsage):
        return _option(error)
    return error.format_message()


def _help_of(context: click.Context | None) -> str:
    return _("see {command_path} --help").format(command_path=context.command_path if context is not None else "d2ltui")


def _unknown_option(error: click.NoSuchOption) -> str:
    context = error.ctx
    known = [option for param in context.command.params for option in param.opts] if context is not None else []
    typed = error.option_name
    return _("option: {typed} is not known{hint}; allowed: {help_of}").format(
        typed=quoted(typed), hint=did_you_mean(typed, known), help_of=_help_of(context)
    )


def _missing_argument(argument: click.Argument, context: click.Context | None) -> str:
    name = (argument.metavar or str(argument.name).upper()).strip("[]").partition("|")[0]
    command = context.command.name if context is not None else ""
    values = argument.values() if isinstance(argument, NamedArgument) else _help_of(context)
    if name == "RUN":
        values = _("the name of a stored run ('d2ltui runs' lists them), or latest")
    return _("{command}: {name} is missing; allowed: {values}").format(command=command, name=name, values=values)


class NamedArgument(click.Argument):
    """An argument that is one of some names.

    Args:
        values: says which, in words.
    """

    def __init__(self, *args: object, values: Callable[[], str], **attributes: object) -> None:
        super().__init__(*args, **attributes)  # type: ignore[arg-type]
        self.values = values


def _option(error: click.BadOptionUsage) -> str:
    """An option without its value, or a flag with one."""
    context, name = error.ctx, error.option_name
    params = context.command.params if context is not None else []
    option = next((param for param in params if isinstance(param, click.Option) and name in param.opts), None)
    said = name.lstrip("-")
    if option is None:
        return error.format_message()
    if option.is_flag:
        return _("{said}: a value is not allowed; allowed: {name} alone").format(said=said, name=name)
    metavar = option.metavar or _("a value")
    return _("{said}: its value is missing; allowed: {name} {metavar}; {help_of}").format(
        said=said, name=name, metavar=metavar, help_of=_help_of(context)
    )
