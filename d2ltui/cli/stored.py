"""The commands about stored runs, as the command line has them. Heavy imports stand inside the commands."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from d2ltui.cli.jobs import jobs_of, jobs_options
from d2ltui.cli.options import Command, hangup_option, refused, speak_option
from d2ltui.cli.references import click_errors, is_group, map_of
from d2ltui.spec.config import RunConfig
from d2ltui.spec.config_file import read_toml
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.parsing import ConfigError, Problem, parse
from d2ltui.spec.text import counted, printable
from d2ltui.store.errors import NotAllowed, StoreError, reason, unwritten


def resume(reference: str, *, as_json: bool, quiet: bool, strict: bool, on_hangup: Any, speak: bool) -> int:
    """`train --resume`: the exit status."""
    from d2ltui.runner.headless import train
    from d2ltui.store.named import find
    from d2ltui.store.recovery import config_of

    with click_errors():
        path = find(reference, alone=True)
        spoken = speak and not quiet
        return train(config_of(path), as_json, quiet, strict=strict, on_hangup=on_hangup, resume=path, speak=spoken)


def train_seeds(config: RunConfig, seeds: int, **how: Any) -> int:
    """`train --seeds`: the exit status."""
    from d2ltui.cli.sweep import train_all
    from d2ltui.spec.repeats import with_seeds

    with click_errors():
        configs = with_seeds(config, seeds)
    return train_all(configs, ["seed"], "seeds", **how)


@click.command(cls=Command)
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--columns", metavar="NAMES", help="Which columns, separated by commas; 'help' lists all of them.")
def runs(filters: tuple[str, ...], as_json: bool, columns: str | None) -> None:
    """List the stored runs, the newest first.

    All of them, or those that fulfil conditions such as lr>=0.1 model=mlp.
    """
    from d2ltui.cli.inspect import list_columns, list_runs
    from d2ltui.store.columns import chosen

    if as_json and columns is not None:
        raise click.UsageError(_("columns: they are not allowed with --json, which has all of them"))
    with click_errors():
        if columns == "help":
            list_columns()
            return
        list_runs(filters, as_json, chosen(columns) if columns is not None else None)


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: its settings, figures and findings.")
@speak_option
def show(run: str, as_json: bool, speak: bool) -> None:
    """One run: how it was set, how it went, its curves.

    RUN is a name, its beginning, or latest; or a map's name, or a group's.
    """
    from d2ltui.cli.inspect import show as show_run
    from d2ltui.store.named import find

    with click_errors():
        if (a_map := map_of(run)) is not None:
            from d2ltui.cli.map_stored import show as show_map

            show_map(a_map, as_json=as_json, speak=speak)
        elif not as_json and is_group(run):
            from d2ltui.cli.group_stored import show as show_group

            show_group(run)
        elif speak and not as_json:
            from d2ltui.cli.speaking import tell

            tell(find(run))
        else:
            show_run(find(run), as_json)


@click.command(cls=Command)
@click.argument("names", metavar="RUN RUN...", nargs=-1)
def compare(names: tuple[str, ...]) -> None:
    """Several runs in common charts, and what differs."""
    from d2ltui.cli.inspect import compare as compare_runs
    from d2ltui.store.named import find

    if len(names) < 2:
        given = counted(len(names), "run")
        raise click.UsageError(
            ngettext(
                "compare: {runs} is not allowed; allowed: two or more",
                "compare: {runs} are not allowed; allowed: two or more",
                len(names),
            ).format(runs=given)
        )
    with click_errors():
        if a_map := next((name for name in names if map_of(name) is not None), None):
            raise NotAllowed(
                _("compare: {a_map} is a map, which has no curves of its own; allowed: runs").format(a_map=a_map)
            )
        compare_runs([find(name, alone=True) for name in names])


MAP_FORMATS = ("csv", "json", "svg")
_FORMATS = {
    "csv": "A row for each step.",
    "json": "Everything but the histograms.",
    "svg": "The curves as a picture (SVG), to standard output, or where --output says.",
    "code": "A Python script that trains the same, from scratch and concise.",
    "weights": "The weights, for that network: a PyTorch file.",
    "tensorboard": "Scalars and histograms, in a directory.",
}


def _formats(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(_FORMATS.items()):
        command = click.option(f"--{name}", name, is_flag=True, help=text)(command)
    return command


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@_formats
@click.option("--picture", metavar="KIND", help="A picture of what its network makes of the data: text, or with --svg.")
@click.option("--output", "-o", metavar="PATH", help="Where to write it; a file that is there is not overwritten.")
def export(run: str, output: str | None, picture: str | None, **given: bool) -> None:
    """Write one run, or a map, for other programs.

    To standard output, or with --output into a file.
    """
    from d2ltui.store.named import find

    forms = [name for name in _FORMATS if given[name]]
    if picture is not None and forms in ([], ["svg"]):
        forms = [*forms, "text"][:1]
    elif picture is not None:
        raise click.UsageError(
            _("picture: --{forms} is not allowed beside it; allowed: --svg, or text without").format(forms=forms[0])
        )
    if len(forms) != 1:
        said = (
            _("export: {found} is not allowed; allowed: one of {formats}, --picture")
            if forms
            else _("export: no format is not allowed; allowed: {formats}, --picture")
        )
        raise click.UsageError(said.format(found=f"--{' --'.join(forms)}", formats=f"--{', --'.join(_FORMATS)}"))
    (form,) = forms
    if output is None and form in ("weights", "tensorboard"):
        raise click.UsageError(_("output: it is missing; allowed: with --{form}, -o (--output) PATH").format(form=form))
    with click_errors():
        a_map = map_of(run)
        if a_map is not None and form not in MAP_FORMATS:
            form = "picture" if picture is not None else form
            allowed = ", ".join(f"--{name}" for name in MAP_FORMATS)
            raise NotAllowed(
                _("export: --{form} is not allowed for a map; allowed: {allowed}").format(form=form, allowed=allowed)
            )
        path = a_map or find(run)
        target = Path(output) if output is not None else None
        if target is not None and os.path.lexists(target):
            directory = form == "tensorboard" and target.is_dir()
            if not directory or not _is_empty(target):
                if not target.name:  # "", "." or "/"
                    raise NotAllowed(
                        _("output: '{output}' is not allowed; allowed: a path where there is nothing yet").format(
                            output=output
                        )
                    )
                free = shlex.quote(printable(_free(target)))
                said = (
                    _(
                        "output: '{output}' is not allowed (its files would be read as one run with these, and nothing "
                        "is overwritten); allowed: a path where there is nothing yet, or an empty directory, such as "
                        "-o {free}"
                    )
                    if directory
                    else _(
                        "output: '{output}' is not allowed (it is there already, and nothing is overwritten); "
                        "allowed: a path where there is nothing yet, such as -o {free}"
                    )
                )
                raise NotAllowed(said.format(output=output, free=free))
        if a_map is not None:
            from d2ltui.cli.map_stored import export as export_map

            _write(target, (line.encode() for line in export_map(path, form)))
        elif picture is not None:
            from d2ltui.cli.pictures import as_svg, as_text

            made = as_svg(path, picture) if form == "svg" else as_text(path, picture, plain=target is not None)
            _write(target, iter([made.encode()]))
        else:
            _export(path, form, target)


def _free(target: Path) -> Path:
    """A path beside `target` where there is nothing yet."""
    number = 2
    while os.path.lexists(free := target.with_name(f"{target.stem}-{number}{target.suffix}")):
        number += 1
    return free


def _is_empty(directory: Path) -> bool:
    """TensorBoard reads all event files of a directory as one run: a second export would double every figure."""
    try:
        return not any(directory.iterdir())
    except OSError as error:
        raise unwritten(directory, error) from None


def _export(path: Path, form: str, target: Path | None) -> None:
    from d2ltui.store.reader import RunReader
    from d2ltui.store.recovery import trained_elsewhere

    with RunReader(path) as reader:
        if form in ("weights", "code") and not reader.live.is_configured:
            why = trained_elsewhere(path, reader.live.header)
            raise StoreError(_("run: {why}; allowed: its figures, such as --csv").format(why=why))
        if form == "tensorboard":
            from d2ltui.store import export_tensorboard

            assert target is not None
            export_tensorboard.write(reader, target)
        elif form == "weights":
            from d2ltui.store.export_code import weights

            _write(target, iter([weights(path, reader.live.config)]))
        elif form == "code":
            from d2ltui.store.export_code import code

            _write(target, iter([code(reader.live.config, path.name, reader.live).encode()]))
        elif form == "svg":
            _write(target, iter([_svg(reader).encode()]))
        else:
            from d2ltui.store.export import csv_lines, json_text

            lines = csv_lines(reader) if form == "csv" else iter([json_text(reader)])
            _write(target, (line.encode() for line in lines))


def _svg(reader: Any) -> str:
    from d2ltui.charts.of_run import Curves
    from d2ltui.cli.inspect import SMOOTHING
    from d2ltui.store.export_svg import picture

    curves = Curves(reader.live)
    loss = curves.loss(240, 40, log=False, smoothing=SMOOTHING, ascii=False)
    metric = curves.metric(240, 40, smoothing=SMOOTHING, ascii=False)
    return picture(reader.path.name, (("loss", loss), (reader.live.header.metric_title, metric)))


def _write(target: Path | None, parts: Iterator[bytes]) -> None:
    try:
        if target is None:
            stream = getattr(sys.stdout, "buffer", None)
            if stream is None:
                return
            for part in parts:
                stream.write(part)
            stream.flush()
            return
        file = open(target, "xb")  # noqa: SIM115 - it is closed below, and taken away where it is not whole
        try:
            with file:
                file.writelines(parts)
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink()  # half a file would be taken for a whole one, and be in the way of the next attempt
            raise
    except BrokenPipeError:
        raise
    except OSError as error:
        if target is not None:
            raise unwritten(target, error) from None
        raise StoreError(
            _("output: standard output cannot be written ({reason})").format(reason=reason(error))
        ) from None


def _sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--config", "config_file", metavar="FILE.toml", help="Take the rest from a file.")(command)
    for field in reversed(FIELDS.values()):
        text = field.help[:1].upper() + field.help[1:] + "."
        commas = field.kind not in ("ints", "path")
        metavar = "VALUE,VALUE,…" if commas else "N,N,…" if field.kind == "ints" else "PATH"
        more = "" if commas else " Repeat the option for more values." if field.kind == "ints" else ""
        command = click.option(field.option, field.name, metavar=metavar, multiple=True, help=text + more)(command)
    return command


def _check_each(values: Mapping[str, Sequence[str]]) -> None:
    """That every value of every option is one, and another: the same run twice is a slip, not a grid."""
    problems: list[Problem] = []
    for name, texts in values.items():
        known: list[object] = []
        for text in texts:
            try:
                value = parse(name, text)
            except ConfigError as error:
                problems.extend(error.problems)
                break
            if value in known:
                problems.append(
                    Problem(
                        name,
                        _("{name}: '{text}' is not allowed twice; allowed: each value once").format(
                            name=name, text=text
                        ),
                    )
                )
                break
            known.append(value)
    if problems:
        raise ConfigError(problems)


@click.command(cls=Command)
@_sweep_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.option("--prune", is_flag=True, help="End runs that have learned nothing when it is clear that they will not.")
@click.option("--no-store", is_flag=True, help="Keep nothing on disk.")
@jobs_options
@hangup_option
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    as_json: bool,
    quiet: bool,
    prune: bool,
    no_store: bool,
    jobs: int | None,
    backend: str | None,
    scheduler: str | None,
    on_hangup: Any,
    config_file: str | None,
    **given: Any,
) -> None:
    """Train a grid of runs, one after another.

    --lr 0.01,0.1 --activation relu,sigmoid are four runs.
    """
    from d2ltui.cli.sweep import grid, train_all

    how = jobs_of(jobs, backend, scheduler)
    values: dict[str, list[str]] = {}
    for name in FIELDS:
        for text in given[name] or ():
            commas = FIELDS[name].kind not in ("ints", "path")
            values.setdefault(name, []).extend(text.split(",") if commas else [text])
    before = {name: value for name, value in (ctx.obj or {}).items() if value is not None}
    path, filed = before.pop("config_file", None), dict[str, object]()
    path = config_file or path
    with click_errors():
        try:
            _check_each(values)
            if path is not None:
                filed = read_toml(path)
            fixed: dict[str, object] = {**filed, **before}
            fixed |= {name: found[0] for name, found in values.items() if len(found) == 1}
            varied = {name: found for name, found in values.items() if len(found) > 1}
            if not varied:
                raise NotAllowed(_("sweep: one run is not allowed; allowed: more than one value for some option"))
            configs = grid(fixed, varied)
        except ConfigError as error:
            raise refused(error, {**before, **values}, filed, path) from None
    ctx.exit(
        train_all(
            configs,
            list(varied),
            "sweep",
            as_json=as_json,
            quiet=quiet,
            store=not no_store,
            on_hangup=on_hangup,
            prune=prune,
            jobs=how,
        )
    )
