"""Options that several commands have, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias, TypeVar

import click

from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.config_file import line_in, read_toml
from d2ltui.spec.fields import FIELDS, MAX_PATH
from d2ltui.spec.language import ENGLISH, LANGUAGES, OPTION, _, language
from d2ltui.spec.memory import check_memory
from d2ltui.spec.parsing import ConfigError, wrong
from d2ltui.spec.text import printable, quoted

F = TypeVar("F", bound=Callable[..., Any])
MAX_FPS = 4.0
HANGUP = ("continue", "stop")
speak_option = click.option(
    "--speak",
    is_flag=True,
    envvar="D2LTUI_SPEAK",
    help="Tell the run line by line, for a screen reader; D2LTUI_SPEAK=1 does it always.",
)


def _language(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and value not in LANGUAGES:
        raise click.UsageError(wrong("lang", value, ", ".join(LANGUAGES)).message)


# What it names has been taken already, before anything else was imported: see `d2ltui.spec.language.prepare`.
LANGUAGE = click.Option(
    [OPTION],
    metavar="|".join(LANGUAGES),
    callback=_language,
    expose_value=False,
    help="The language; otherwise that of D2LTUI_LANG or of the locale.",
)


class Spoken(click.Command):
    """A command that has the option `--lang`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own, and the language."""
        *own, about = super().get_params(ctx)
        return [*own, LANGUAGE, about]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In the language that is spoken."""
        if language() == ENGLISH:
            super().format_help(ctx, formatter)
        else:
            from d2ltui.cli import help as spoken

            spoken.write(self, ctx, formatter)


class Command(Spoken):
    """A command that says of a word too many where it stands and what may stand there: click says neither."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        try:
            rest = super().parse_args(ctx, args)
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or ctx  # click forgets of which command the option is
            raise
        if rest and not ctx.resilient_parsing:
            places = [param for param in self.params if isinstance(param, click.Argument) and param.name]
            if not places:
                allowed = _("options alone, see {command_path} --help").format(command_path=ctx.command_path)
                raise click.UsageError(wrong(str(self.name), rest[0], allowed).message)
            last = places[-1]
            metavar = (last.metavar or str(last.name).upper()).strip("[]")
            before = quoted(ctx.params[str(last.name)])
            raise click.UsageError(
                _("{name}: {extra} is not allowed beside {before}; allowed: one {metavar}").format(
                    name=metavar.partition("|")[0], extra=quoted(rest[0]), before=before, metavar=metavar
                )
            )
        return rest


def refused(
    error: ConfigError, typed: Collection[str] = (), filed: Collection[str] = (), path: str | None = None
) -> click.UsageError:
    """What is wrong with a run that the options `typed` and the fields `filed` of the file `path` describe.

    An option is called what it is called on the command line, and a value from the file is told with its place.
    """
    sentences = []
    for problem in error.problems:
        name, said = problem.field, problem.message
        if name and said.startswith(f"{name}: "):
            if name in typed:
                said = FIELDS[name].option.lstrip("-") + said[len(name) :]
            elif name in filed and path is not None:
                said = _("config: {path}{line_in}: {said}").format(
                    path=printable(path, MAX_PATH), line_in=line_in(path, name), said=said
                )
        sentences.append(said)
    return click.UsageError("\n".join(sentences))


def configure(options: dict[str, Any]) -> RunConfig:
    """The run that the options, and the file behind `--config`, describe; options win.

    Raises:
        click.UsageError: with the sentence that says what is wrong; exit status 2.
    """
    return described(options)[0]


def described(options: dict[str, Any]) -> tuple[RunConfig, frozenset[str]]:
    """That run, and the fields that were given, on the command line or in the file.

    Raises:
        click.UsageError: with the sentence that says what is wrong; exit status 2.
    """
    given = {name: options[name] for name in FIELDS if options.get(name) is not None}
    path, filed = options.get("config_file"), dict[str, object]()
    try:
        if path is not None:
            filed = read_toml(path)
        config = resolve({**filed, **given})
        check_environment(config)
        check_memory(config)
        return config, frozenset({**filed, **given})
    except ConfigError as error:
        raise refused(error, given, filed, path) from None


def run_options(command: F) -> F:
    """Give `command` an option for every field of a run, and `--config`. Values are validated by `resolve`."""
    command = click.option("--config", "config_file", metavar="FILE.toml", help="Take the run from a file.")(command)
    for field in reversed(FIELDS.values()):
        text = field.help[:1].upper() + field.help[1:] + "."
        if field.choices:
            metavar, text = "|".join(field.choices), text
        else:
            metavar = {
                "float": "F",
                "int": "N",
                "ints": "N,N,…",
                "device": "NAME",
                "threads": "auto|N",
                "path": "PATH",
            }[field.kind]
        command = click.option(field.option, field.name, metavar=metavar, help=text)(command)
    return command


def _fps(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        fps = float(value)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 60:
        raise click.UsageError(wrong("max-fps", value, _("a number greater than 0, up to 60")).message)
    return fps


def fps_option(command: F) -> F:
    """`--max-fps`."""
    return click.option(
        "--max-fps",
        default=str(MAX_FPS),
        show_default=True,
        metavar="F",
        callback=_fps,
        help="Redraw at most this often a second.",
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
        raise click.UsageError(wrong("on-hangup", value, ", ".join(HANGUP)).message)
    return value


Check: TypeAlias = Callable[[click.Context, click.Parameter, "str | None"], "int | None"]


def positive_int(name: str, high: int | None = None) -> Check:
    """A check for an option that is a whole number from 1 to `high`, or from 1 on."""
    allowed = _("a whole number, 1 or more") if high is None else _("a whole number from 1 to {high}").format(high=high)

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        number = int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else 0
        if number < 1 or (high is not None and number > high):
            raise click.UsageError(wrong(name, value, allowed).message)
        return number

    return check
