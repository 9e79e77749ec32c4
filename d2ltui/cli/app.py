"""The commands. Heavy imports stand inside the command that needs them."""

from __future__ import annotations

import io
import sys
from typing import Any, NoReturn

import click

from d2ltui import __version__
from d2ltui.cli import misuse
from d2ltui.cli.jobs import jobs_of, jobs_options
from d2ltui.cli.options import (
    Command,
    Spoken,
    configure,
    described,
    fps_option,
    hangup_option,
    positive_int,
    refused,
    run_options,
    speak_option,
)
from d2ltui.cli.terminals import want_terminal
from d2ltui.spec import collector, output, startup
from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError, parse
from d2ltui.spec.registry import left_out
from d2ltui.spec.repeats import MAX_RUNS
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import printable, quoted

MAX_LINE = 2000  # characters of a sentence on standard error


class Commands(Spoken, click.Group):
    """A group that proposes the nearest command for an unknown one.

    The commands about stored runs are imported when a command is asked for: the application has no need of them.
    """

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._complete()
        return super().list_commands(ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """What a command prints may be too much for its reader: `d2ltui runs | head -1`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            ctx.exit(output.unwritable(error, None))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._complete()
        return super().get_command(ctx, cmd_name)

    def _complete(self) -> None:
        from d2ltui.cli import before, offered, pictures, stored
        from d2ltui.cli.map import map_

        for command in (
            before.check,
            before.find_lr,
            map_,
            offered.models,
            offered.datasets,
            pictures.show_activation,
            stored.runs,
            stored.show,
            stored.compare,
            stored.export,
            stored.sweep,
        ):
            self.add_command(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or ctx  # click forgets of which command the option is
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None:
            hint = did_you_mean(name, self.commands)
            raise click.UsageError(
                _("command: {name} is not known{hint}; allowed: {commands}").format(
                    name=quoted(name), hint=hint, commands=", ".join(self.commands)
                )
            )
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@run_options
@click.option("--start", is_flag=True, help="Start training at once.")
@click.option("--exit-when-done", is_flag=True, help="Quit when the run has ended.")
@click.option("--json", "as_json", is_flag=True, help="With --exit-when-done: print the result as JSON afterwards.")
@fps_option
@click.option("--no-store", is_flag=True, help="Keep nothing on disk.")
@hangup_option
@speak_option
@click.version_option(__version__, prog_name="d2ltui", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    /,
    start: bool,
    exit_when_done: bool,
    as_json: bool,
    max_fps: float,
    no_store: bool,
    on_hangup: Any,
    speak: bool,
    **options: Any,
) -> None:
    """Learn and watch deep learning in a terminal.

    Without a command, opens the application; the options preset its form.
    """
    ctx.obj = options
    for problem in left_out():
        click.echo(f"d2ltui: {problem}", err=True)
    if ctx.invoked_subcommand is not None:
        for name in ("start", "exit_when_done", "as_json", "max_fps", "no_store", "on_hangup", "speak"):
            flag = "json" if name == "as_json" else name.replace("_", "-")
            if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError(
                    _(
                        "{flag}: --{flag} before a command concerns the application alone; allowed: without "
                        "'{invoked_subcommand}', or what 'd2ltui {invoked_subcommand} --help' lists after it"
                    ).format(flag=flag, invoked_subcommand=ctx.invoked_subcommand)
                )
        _refuse_unused(ctx, ctx.invoked_subcommand, options)
        return
    if as_json and not exit_when_done:
        raise click.UsageError(_("json: --json alone is not allowed; allowed: with --exit-when-done"))
    config, typed = described(options)
    if speak:
        from d2ltui.runner.headless import train as train_headless

        ctx.exit(train_headless(config, as_json, False, store=not no_store, on_hangup=on_hangup, speak=True))
    ctx.exit(
        _open_application(
            config,
            typed=typed,
            start=start,
            exit_when_done=exit_when_done,
            as_json=as_json,
            max_fps=max_fps,
            store=not no_store,
            on_hangup=on_hangup,
        )
    )


def _refuse_unused(ctx: click.Context, name: str, options: dict[str, Any]) -> None:
    """That run options before a command are of use to it: nothing that is typed is dropped in silence."""
    command = cli.get_command(ctx, name)
    taken = {param.name for param in command.params} if command is not None else set()
    for option, value in options.items():
        if value is not None and option not in taken:
            flag = option.removesuffix("_file").replace("_", "-")
            raise click.UsageError(
                _(
                    "{flag}: --{flag} before '{name}' is not allowed; allowed: before commands that "
                    "train, or what 'd2ltui {name} --help' lists, after it"
                ).format(flag=flag, name=name)
            )
        if value is not None and "model" not in taken:
            flag = option.replace("_", "-")
            raise click.UsageError(
                _("{flag}: --{flag} before '{name}' is not allowed; allowed: after it").format(flag=flag, name=name)
            )


def _open_application(config: RunConfig, **options: Any) -> int:
    want_terminal()
    # Nothing of what is imported and built until the first paint is garbage; `D2LApp` lets it be looked for again.
    collector.hold()
    from d2ltui.tui.signals import AppSignals
    from d2ltui.tui.typed_ahead import TypedAhead

    with AppSignals() as signals, TypedAhead() as typed_ahead:
        from d2ltui.tui.run import run_app

        return run_app(config, signals, typed_ahead, **options)


@cli.command()
@click.argument("run", default="latest")
@click.option("--exit-when-done", is_flag=True, help="Quit when the run has ended.")
@click.option("--json", "as_json", is_flag=True, help="Afterwards, print what 'show --json' prints.")
@fps_option
@speak_option
@click.pass_context
def watch(ctx: click.Context, run: str, exit_when_done: bool, as_json: bool, max_fps: float, speak: bool) -> None:
    """Open the application on a stored RUN, live.

    RUN is a name, its beginning, or latest, and is shown while it is trained; so is a map or a group, by its name.
    """
    from d2ltui.cli.references import find_run

    path, config = find_run(run, ends=exit_when_done and not speak)
    if speak:
        from d2ltui.cli.references import speak_of

        ctx.exit(speak_of(path))
    options = {"exit_when_done": exit_when_done, "as_json": as_json, "max_fps": max_fps, "watch": path}
    ctx.exit(_open_application(config or resolve({}), **options))


@cli.command()
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.option("--strict", is_flag=True, help="Exit with status 3 where the final diagnosis has an alarm.")
@click.option("--no-store", is_flag=True, help="Keep nothing on disk.")
@click.option("--resume", metavar="RUN", help="Resume a stored run: its name, the beginning of it, or latest.")
@click.option("--seeds", metavar="N", callback=positive_int("seeds", MAX_RUNS), help="Train N times, with N seeds.")
@jobs_options
@hangup_option
@speak_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    as_json: bool,
    quiet: bool,
    strict: bool,
    no_store: bool,
    resume: str | None,
    seeds: int | None,
    jobs: int | None,
    backend: str | None,
    scheduler: str | None,
    on_hangup: Any,
    speak: bool,
    **options: Any,
) -> None:
    """Train without the interface.

    Progress goes to standard error, a table of epochs to standard output.
    """
    from d2ltui.cli import stored

    given = {**ctx.obj, **{name: value for name, value in options.items() if value is not None}}
    if resume is not None:
        others = {**given, "seeds": seeds, "no_store": no_store or None}
        others |= {"jobs": jobs, "backend": backend, "scheduler": scheduler}
        typed = [name for name, value in others.items() if value is not None]
        if typed:
            shown = " ".join("--" + name.removesuffix("_file").replace("_", "-") for name in typed)
            raise click.UsageError(
                _("resume: {shown} is not allowed with it; allowed: --json, --quiet, --strict, --on-hangup").format(
                    shown=shown
                )
            )
        ctx.exit(stored.resume(resume, as_json=as_json, quiet=quiet, strict=strict, on_hangup=on_hangup, speak=speak))
    if strict and seeds is not None:
        raise click.UsageError(_("strict: --seeds is not allowed with it; allowed: a single run"))
    beside = jobs_of(jobs, backend, scheduler, needs_seeds=seeds is None)
    config = configure(given)
    if seeds is not None:
        how = {"as_json": as_json, "quiet": quiet, "store": not no_store, "on_hangup": on_hangup, "jobs": beside}
        ctx.exit(stored.train_seeds(config, seeds, **how))
    from d2ltui.runner.headless import train as train_headless

    store = not no_store
    spoken = speak and not quiet
    ctx.exit(train_headless(config, as_json, quiet, strict=strict, store=store, on_hangup=on_hangup, speak=spoken))


@cli.command()
@click.argument("name", required=False, metavar="[NAME|all]")
@click.option("--seeds", metavar="N", callback=positive_int("seeds"), help="Measure N times where chance matters.")
@click.option("--data-dir", metavar="PATH", help="With Fashion-MNIST in it: lessons that can use it do.")
@click.option("--no-store", is_flag=True, help="Keep none of its runs on disk.")
@click.option("--html", metavar="FILE", help="Write the lesson to FILE, as a page to hand out (HTML).")
@click.option("--svg", metavar="FILE", help="Write its figure to FILE, as a picture (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.pass_context
def lessons(
    ctx: click.Context,
    name: str | None,
    seeds: int | None,
    data_dir: str | None,
    no_store: bool,
    html: str | None,
    svg: str | None,
    as_json: bool,
) -> None:
    """List the lessons, or measure one, or all of them.

    The runs of a lesson are stored as the group lesson-NAME. Measured again, they take the place of those of the last
    time, but for runs that you have renamed or written a note about.

    The exit status is 0 when every claim holds, 1 when one does not.
    """
    from d2ltui.cli.lessons import list_lessons, measure, sheet_for
    from d2ltui.cli.references import click_errors
    from d2ltui.lessons import LESSONS, SEEDS

    given, files = {"seeds": seeds, "data-dir": data_dir, "no-store": no_store or None}, {"html": html, "svg": svg}
    if name is None:
        for option, value in (*given.items(), *files.items()):
            if value is not None:
                raise click.UsageError(
                    _("{option}: --{option} is not allowed without a lesson; allowed: with NAME or all").format(
                        option=option
                    )
                )
        ctx.exit(list_lessons(as_json))
    if name not in LESSONS and name != "all":
        hint = did_you_mean(name, [*LESSONS, "all"])
        raise click.UsageError(
            _("lesson: {name} is not known{hint}; allowed: {lessons}, all").format(
                name=quoted(name), hint=hint, lessons=", ".join(LESSONS)
            )
        )
    try:
        root = parse("data_dir", data_dir) if data_dir is not None else None
        chosen = [LESSONS[name]] if name in LESSONS else LESSONS.values()
        if root is None and any(lesson.uses_images for lesson in chosen):
            check_environment()
    except ConfigError as error:
        raise refused(error, ("data_dir",)) from None
    names = tuple(LESSONS) if name == "all" else (name,)
    for option, value in files.items():
        if value is not None and name == "all":
            raise click.UsageError(
                _("{option}: --{option} is not allowed with all; allowed: with NAME").format(option=option)
            )
    with click_errors():
        data = None if root is None else str(root)
        ctx.exit(measure(names, seeds or SEEDS, data, as_json, not no_store, sheet_for(html, svg)))


def main() -> NoReturn:
    """The command line: every wrong argument ends as one sentence and exit status 2, never as a traceback."""
    startup.prepare()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where the locale has no → or ², a ? is better than a traceback
    try:
        startup.catch_interrupts()
        status = cli.main(standalone_mode=False, prog_name="d2ltui")
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        for line in misuse.in_words(error).splitlines():
            click.echo(f"d2ltui: {printable(line, MAX_LINE)}", err=True)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except OSError as error:
        if error.filename is not None:  # no output of ours: commands tell of the files that they read and write
            raise
        status = output.unwritable(error, sys.stderr)
    unwritten = output.flush()
    sys.exit(unwritten or (status if isinstance(status, int) else 0))
