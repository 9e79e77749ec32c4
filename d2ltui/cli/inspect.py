"""`runs`, `show`, `compare`: what the store holds, as text."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui.cli import text
from d2ltui.diagnosis.causes import command_with
from d2ltui.history.live import LiveRun
from d2ltui.spec import comparison
from d2ltui.spec.catalogue import has_use
from d2ltui.spec.findings import all_well, findings_in_words
from d2ltui.spec.header import epoch_columns, validation
from d2ltui.spec.language import _
from d2ltui.spec.numbers import duration, fixed, number, optional, setting
from d2ltui.spec.text import counted, json_line, printable
from d2ltui.spec.versions import unknown_fields
from d2ltui.store import columns, filters
from d2ltui.store.errors import Damaged
from d2ltui.store.export import overview
from d2ltui.store.groups import CLOSED, Group, folded
from d2ltui.store.listing import DAMAGED, RunInfo, describe, newest_first, runs
from d2ltui.store.map_reader import MapRows
from d2ltui.store.reader import RunReader

if TYPE_CHECKING:
    from d2ltui.charts.overlay import Curve

_IN_FULL = columns.Manner(digits=4, moment="%Y-%m-%d %H:%M", translated=False)
_WORDS = ("status", "group", "note", "host", "model", "dataset")  # to the left
SMOOTHING = 0.6
_SAMPLE = 6  # columns of a legend beside a name: a piece of the line, and blanks
MAX_NOTE_SHOWN = 200  # characters of a note in a list


def list_runs(conditions: Sequence[str], as_json: bool, names: Sequence[str] | None = None) -> None:
    """`d2ltui runs`: a row for each run that fulfils the conditions, the newest first, with the columns `names`.

    Raises:
        StoreError: where a condition is wrong, or the runs cannot be read.
    """
    parsed = filters.parse(conditions)
    found = sorted((run for run in (*runs(), *MapRows().read()) if filters.matches(parsed, run)), key=newest_first)
    if as_json:
        text.say(json_line([run.to_json() for run in found]))
        return
    listed = [entry.row() if isinstance(entry, Group) else entry for entry in (found if parsed else folded(found))]
    shown = [columns.COLUMNS[name] for name in names or columns.IN_THE_SHELL]
    rows = [(run.name, *(_cell(column, run) for column in shown)) for run in listed]
    if rows:
        titles = ("run", *(column.name.replace("_", " ") for column in shown))
        left = 1 + next((i for i, column in enumerate(shown) if column.name not in _WORDS), len(shown))
        text.table(titles, rows, left=left)
    if any(run.name.startswith(CLOSED) for run in listed):
        text.say(_("of a group, with the means of those that finished: 'd2ltui runs group=NAME' lists its runs"))
    if any(run.of_map is not None and run.of_map.best is not None for run in found):
        text.say(_("of a map, with the figures of its best cell: 'd2ltui show NAME' draws it"))
    for run in found:
        if run.problem:
            text.say(run.problem)
        elif run.pruned:
            text.say(f"{run.name}: {run.message}")
    for run in found:
        if run.note:
            text.say(f"{run.name}: {printable(run.note.splitlines()[0], MAX_NOTE_SHOWN)}")
    if not rows:
        text.say(_("no run fulfils these conditions") if parsed else _("no run yet: 'd2ltui train' makes one"))


def list_columns() -> None:
    """`d2ltui runs --columns help`: the names that it takes."""
    usual = ", ".join(columns.IN_THE_SHELL)
    text.say(
        "\n".join(
            textwrap.wrap(
                _("columns: {columns}").format(columns=", ".join(columns.COLUMNS)), text.width(), subsequent_indent="  "
            )
        )
    )
    text.say(
        "\n".join(
            textwrap.wrap(_("without --columns: {usual}").format(usual=usual), text.width(), subsequent_indent="  ")
        )
    )


def _cell(column: columns.Column, run: RunInfo) -> str:
    known = run.name.startswith(CLOSED) or (run.status != DAMAGED and run.header is not None)
    if not known and column.name != "status":
        return "–"
    return column.text(run, _IN_FULL)


def show(path: Path, as_json: bool = False) -> None:
    """`d2ltui show`: one run, with its curves; or, `as_json`, its settings and figures in one line.

    Raises:
        StoreError: where it cannot be read.
    """
    from d2ltui.charts.of_run import Curves

    try:
        with RunReader(path) as reader:
            live, meta = reader.live, reader.meta
            run = describe(path, meta, live.findings)
            after, kept = reader.gap()
            if as_json:
                text.say(json_line(overview(reader)))
                return
    except Damaged as error:
        hint = _("; 'd2ltui train --resume {name}' can still resume it from its checkpoint").format(name=path.name)
        raise Damaged(f"{error}{hint if _can_go_on(path) else ''}") from None
    text.say(f"{run.name}: {run.status}" + (f", {run.message}" if run.message else ""))
    begun = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created))
    trained = f"{counted(run.steps, 'step', ',')}, {duration(run.seconds)}"
    device = run.device or str(live.header.params.get("device", ""))
    if live.started is not None and device == "cpu":
        device += f", {counted(live.started.threads, 'thread')}"
    where = _("begun {begun} on {host}").format(begun=begun, host=run.host)
    text.say(", ".join(filter(None, (where, device))) + f"; {trained}")
    if after:
        said = (
            _("its history begins after step {after:,}: the run.db of before is kept as {kept}")
            if kept
            else _("its history begins after step {after:,}: the run.db of before is gone")
        )
        text.say(said.format(after=after, kept=kept))
    if run.group:
        text.say(_("group {group}").format(group=run.group))
    if run.note:
        text.say(_("note: {note}").format(note=run.note))
    params = live.header.params
    unknown = unknown_fields(live.config) if live.is_configured else {}
    known = {name: value for name, value in params.items() if name not in unknown}
    if live.is_configured:
        known = {name: value for name, value in known.items() if has_use(name, params)}
    text.say("  ".join(f"{printable(name)} {printable(setting(value))}" for name, value in known.items()))
    if unknown:
        shown = "  ".join(f"{printable(name)} {printable(setting(value))}" for name, value in unknown.items())
        text.say(_("not known to this version: {shown}").format(shown=shown))
    versions = meta.get("environment", {})
    text.say(
        "  ".join(
            f"{name} {versions[name]}" for name in ("d2ltui", "python", "torch", "git_commit") if name in versions
        )
    )
    if live.header.layers:
        text.say(" · ".join(layer.title for layer in live.header.layers))
    text.say()
    curves, width, ascii = Curves(live), text.width(), text.is_ascii()
    text.say(_("loss"))
    text.chart(curves.loss(width, text.HEIGHT, log=False, smoothing=SMOOTHING, ascii=ascii))
    text.say(live.header.metric_title)
    text.chart(curves.metric(width, text.HEIGHT, smoothing=SMOOTHING, ascii=ascii))
    if live.epochs:
        text.say()
        _epochs(live)
    for note in live.notes:
        text.say(note.sentence)
    for threads in live.thread_changes:
        text.say(threads.sentence)
    for change in live.lr_changes:
        text.say(_("lr {lr} after step {step:,}").format(lr=setting(change.lr), step=change.step))
    if well := all_well(live.findings, live.looked_at):
        text.say(well)
    command = partial(command_with, live.config) if live.is_configured else None
    for line in findings_in_words(live.findings, command):
        text.say(line)


def _can_go_on(path: Path) -> bool:
    """Whether a damaged run has a checkpoint that is whole. Imports PyTorch where it has any."""
    from d2ltui.runner.recording import last_checkpoint
    from d2ltui.store import StoreError, recovery

    if not recovery.has_checkpoint(path):
        return False
    try:
        return last_checkpoint(path, recovery.config_of(path))[0] is not None
    except (StoreError, ValueError):  # ValueError: a CheckpointError, too
        return False


def _epochs(live: LiveRun, most: int = 10) -> None:
    """The epochs: all, or some of them and the last."""
    every = max(1, -(-len(live.epochs) // most))
    chosen = live.epochs[every - 1 :: every]
    if chosen[-1].epoch != live.epochs[-1].epoch:
        chosen.append(live.epochs[-1])
    text.table(
        epoch_columns(live.header),
        [
            (
                str(epoch.epoch),
                *(number(x, 4) for x in (epoch.train_loss, epoch.val_loss, epoch.train_metric, epoch.val_metric)),
                fixed(epoch.seconds),
            )
            for epoch in chosen
        ],
        left=0,
    )


def compare(paths: Sequence[Path]) -> None:
    """`d2ltui compare`: several runs in common charts, what differs between them, and how they ended.

    Losses are in one unit. Of runs from scratch and concise ones it says why their curves differ.

    Raises:
        StoreError: where one cannot be read.
    """
    from d2ltui.charts.overlay import letter

    lives, infos = [], []
    for path in paths:
        with RunReader(path) as reader:
            lives.append(reader.live)
            infos.append(describe(path, reader.meta))
    letters = [letter(index) for index in range(len(lives))]
    for mark, run in zip(letters, infos, strict=True):
        text.say(f"{mark}  {run.name}: {run.status}")
    text.say()
    factors = comparison.loss_factors([live.header for live in lives])
    tasks = list(dict.fromkeys(live.header.task for live in lives))
    for task in tasks:  # a cross-entropy and a squared error share no axis
        of_task = [index for index, live in enumerate(lives) if live.header.task == task]
        _charts(
            [lives[i] for i in of_task],
            {i: infos[i].name for i in of_task},
            [factors[i] for i in of_task],
            alone=len(tasks) == 1,
        )
    text.say()
    rows: list[tuple[str, ...]] = [
        (name, *values) for name, values in comparison.differences([live.header for live in lives])
    ]
    figures = list(dict.fromkeys(name for run in infos for name in run.figures))
    for name in figures:
        values = [run.figures.get(name) for run in infos]
        if name.endswith("loss"):
            values = [v if v is None else factor * v for v, factor in zip(values, factors, strict=True)]
        rows.append((name, *map(optional, values)))
    rows.append((_("epochs ended"), *(str(run.epochs) for run in infos)))
    rows.append((_("seconds"), *(fixed(run.seconds) for run in infos)))
    text.table(("", *letters), rows)
    for sentence in comparison.explanations([live.config for live in lives if live.is_configured]):
        text.say(_("note: {sentence}.").format(sentence=sentence))


def _charts(lives: Sequence[LiveRun], names: Mapping[int, str], factors: Sequence[float], *, alone: bool) -> None:
    """The curves of runs of one task, `names` by their places: each has the letter of its own."""
    from d2ltui.charts.overlay import epoch_curves, training_losses

    header = lives[0].header
    of_loss = (_("a cross-entropy") if header.task == "classification" else _("a squared error")) if not alone else ""
    text.say(", ".join(filter(None, (_("training loss"), of_loss))))
    _chart(training_losses(lives, text.width(), SMOOTHING, factors), names)
    text.say(", ".join(filter(None, (_("validation loss"), of_loss))))
    _chart(epoch_curves(lives, "val_loss", text.width(), factors=factors), names)
    text.say(validation(header.metric_title))
    _chart(epoch_curves(lives, "val_metric", text.width()), names)


def _chart(curves: Sequence[Curve], names: Mapping[int, str]) -> None:
    from d2ltui.charts.overlay import overlay

    longest, width = max((x[-1] for x, __ in curves if x), default=1.0), text.width()
    # The list above says whose letters these are, too: a legend that has to cut the names says nothing.
    fits = sum(len(name) + _SAMPLE for name in names.values()) <= width
    shown = [name if fits else "" for name in names.values()]
    text.chart(
        overlay(curves, shown, width, text.HEIGHT, text.is_ascii(), longest, _("nothing yet"), places=list(names))
    )
