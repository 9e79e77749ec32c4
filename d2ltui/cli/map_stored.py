"""What there is to do with a stored map from the shell: show it, follow it while it grows, export it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from d2ltui.charts import of_map
from d2ltui.charts.export_map import picture as svg_of
from d2ltui.cli import map_report, text
from d2ltui.spec.axes_usual import axis_text
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.maps import MapSpec, called, quantities_of
from d2ltui.spec.numbers import optional
from d2ltui.spec.text import counted, json_line, printable
from d2ltui.store import home, maps
from d2ltui.store.errors import StoreError
from d2ltui.store.map_reader import INTERRUPTED, STOPPED, TRAINING, MapReader

EVERY = 0.5  # seconds between two looks at a map that another process trains
PATIENCE = 20  # looks in a row that fail: a network may be away for a while


def _done(cells: int, spec: MapSpec) -> str:
    return _("{done} of {cells}").format(done=f"{cells:,}", cells=counted(spec.total, "cell", ","))


def show(path: Path, *, as_json: bool = False, speak: bool = False) -> None:
    """`d2ltui show MAP`.

    Raises:
        StoreError: where it cannot be read.
    """
    reader = MapReader(path)
    if as_json:
        text.say(json_line(reader.overview()))
        return
    spec, known, status = reader.spec, reader.known, reader.status
    quantity = map_report.quantity_of(spec.config, None)
    done = _done(len(known.cells), reader.spec)
    text.say(f"{reader.name}: {status}, {done}")
    begun = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(reader.row().created))
    text.say(_("begun {begun}; {title}").format(begun=begun, title=of_map.title(spec)))
    text.say(_("across {x}; upwards {y}").format(x=axis_text(spec.x), y=axis_text(spec.y)))
    if note := home.note(path):
        text.say(_("note: {note}").format(note=note))
    for name in quantities_of(spec.config.task):
        if name in known.low and not speak:
            text.say(
                _("{name}: from {low} to {high}").format(
                    name=called(name), low=optional(known.low[name]), high=optional(known.high[name])
                )
            )
    if not speak:
        text.say()
        text.lines(map_report.picture(spec, known, quantity))
    if known.diverged:
        text.say(_("diverged: {cells}").format(cells=counted(known.diverged, "cell", ",")))
    map_report.tell_findings(known)
    map_report.tell_best(spec, known, quantity)
    if status in (STOPPED, INTERRUPTED):
        text.say(_("d2ltui map --resume {name} continues it").format(name=reader.name))


def follow(path: Path) -> int:
    """`d2ltui watch --speak MAP`: tell of it, a line for each look that finds more, until nobody trains it.

    Raises:
        StoreError: where it cannot be read.
    """
    reader = MapReader(path)
    spec = reader.spec
    quantity = map_report.quantity_of(spec.config, None)
    text.say(f"{reader.name}: {of_map.title(spec)}, {axis_text(spec.x)} {axis_text(spec.y)}")
    told, failures = -1, 0
    while True:
        status = reader.status  # before the reading: what a process wrote just before its end is not missed
        try:
            reader.poll()
        except StoreError:
            if (failures := failures + 1) == PATIENCE:
                raise
            time.sleep(EVERY)
            continue
        failures = 0
        known = reader.known
        if len(known.cells) != told:
            told = len(known.cells)
            found = map_report.best_in_words(spec, known, quantity)
            said = [_done(told, spec), *([found[1]] if found is not None else [])]
            if known.diverged:
                said.append(_("{diverged:,} diverged").format(diverged=known.diverged))
            text.say("; ".join(said))
        if reader.complete or status != TRAINING:
            map_report.tell_findings(known)
            more = _("d2ltui map --resume {name} continues it").format(name=reader.name)
            ended = _("interrupted: {more}") if status == INTERRUPTED else _("stopped: {more}")
            text.say(pgettext("status", "finished") if reader.complete else ended.format(more=more))
            return 0
        time.sleep(EVERY)


def export(path: Path, form: str) -> Iterator[str]:
    """The text of a map as CSV, JSON or SVG.

    Raises:
        StoreError: where it cannot be read.
    """
    spec, cells = maps.read(path)
    if form == "csv":
        return maps.csv_lines(spec, cells)
    if form == "json":
        return iter([maps.json_text(spec, cells)])
    return iter([svg_of(printable(path.name), spec, cells)])
