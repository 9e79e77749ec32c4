"""The map: a network for each cell of a grid of two hyperparameters, trained together and drawn while they are."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static

from d2ltui.spec.axes import OF_HIDDEN
from d2ltui.spec.axes_usual import zoomed
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.maps import Cell, MapSpec, best, called, effort_of, quantities_of
from d2ltui.spec.parsing import ConfigError
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import MAP_HELP, MAP_KEYS, bindings, help_rows, in_words
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens import map_words
from d2ltui.tui.screens.map_axes import SEEDS, MapAxes
from d2ltui.tui.screens.map_parts import LEAST_CURVE, MapView, cell_lines, histogram_lines
from d2ltui.tui.screens.map_stored import StoredMapActions
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.map_runner import STOPPED, GrowingMap
from d2ltui.tui.services.occupied import MEASURING
from d2ltui.tui.services.threads import begin
from d2ltui.tui.widgets.fields import FieldSubmitted
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.pane import Pane

ELSEWHERE = _("another process trains this map: it can be stopped there")
NARROW, WIDE = 100, 160  # columns
Wanted = tuple[MapSpec, str]  # a map, and the quantity to show
SUBTITLE_ROOM = 6  # cells of the frame beside how far the map is
CELL_WIDTHS = (33, 44, 60)  # of the cell's pane, below NARROW, below WIDE, from there on


class MapScreen(StoredMapActions, Hosted, Once, BatchedScreen, Screen["RunConfig | None"]):
    """Choose two axes, train, look. It is left with the run of a cell, or with None.

    Args:
        config: the run that the form describes.
        given: the fields of it that somebody has chosen.
        stored: the name of a stored map to show.
        wanted: a map to train at once, where nothing else is in the way.
    """

    DEFAULT_CSS = f"""
    MapScreen #map-body {{ height: 1fr; }}
    MapScreen #map-pane {{ width: 1fr; height: 1fr; }}
    MapScreen #cell-pane {{ width: {CELL_WIDTHS[1]}; height: 1fr; }}
    MapScreen.-narrow #cell-pane {{ width: {CELL_WIDTHS[0]}; }}
    MapScreen.-wide #cell-pane {{ width: {CELL_WIDTHS[2]}; }}
    MapScreen LinesView {{ height: 1fr; }}
    MapScreen #said {{ height: auto; display: none; background: $warning 20%; padding: 0 1; }}
    """
    BINDINGS = bindings(MAP_KEYS)
    AUTO_FOCUS = ""

    def __init__(
        self, config: RunConfig, given: Mapping[str, object], stored: str = "", wanted: Wanted | None = None
    ) -> None:
        super().__init__()
        self._stored, self._wanted = stored, wanted
        self.trains = False  # whether the run that it is left with is to be trained at once
        self._config = config
        self._shown: object = None
        self._trouble = ""  # as it was said last
        self._metric_curve = False
        self._axes = MapAxes(config, given)
        self._view, self._cell_view = MapView(), LinesView(id="cell", scrolls=False)
        self._map_pane = Pane(_("Map"), self._view, id="map-pane")
        self._cell_pane = Pane(_("Cell"), self._cell_view, id="cell-pane")
        self._said = Static(id="said", markup=False)

    def compose(self) -> ComposeResult:
        """The axes, the map, and the cell beside it."""
        yield self._axes
        yield Horizontal(self._map_pane, self._cell_pane, id="map-body")
        yield self._said
        yield KeysLine()

    def begin(self) -> None:
        """Look at the map a few times a second."""
        self._arrange()
        growing = self.host.maps.present
        if growing is not None:
            self._axes.show(growing.spec)
            self.host.maps.follow()
        self.set_focus(self._view if growing is not None else self._axes.fields["x"])
        self.set_interval(1 / self.host.max_fps, self.tick)
        self.call_after_refresh(self.tick)
        if self._wanted is not None:
            self._begin_wanted(*self._wanted)
        if self._stored and (growing is None or growing.name != self._stored) and not self.must_wait():
            begin(self.app, self.show_stored(self._stored))

    def _begin_wanted(self, spec: MapSpec, quantity: str) -> None:
        """Train it, or go on where it was stopped; one that is there is only shown."""
        growing = self.host.maps.present
        there = growing is not None and growing.spec == spec and (growing.complete or self.host.maps.busy)
        self._axes.show(spec)
        if there or not self.must_wait():
            self.host.maps.quantity = quantity
        if not there:
            self._begin(spec)

    def on_unmount(self) -> None:
        """What another process adds to a map is taken in while it is looked at."""
        self.host.maps.unfollow()

    def on_resize(self) -> None:
        """Another size."""
        self._arrange()
        self.call_after_refresh(self.tick)

    def _arrange(self) -> None:
        width = self.app.size.width
        self.set_class(width < NARROW, "-narrow")
        self.set_class(width >= WIDE, "-wide")

    # What is shown

    @property
    def _quantities(self) -> tuple[str, ...]:
        growing = self.host.maps.present
        return quantities_of((growing.spec.config if growing is not None else self._config).task)

    @property
    def _quantity(self) -> str:
        chosen = self.host.maps.quantity
        return chosen if chosen in self._quantities else self._quantities[0]

    @property
    def _cursor(self) -> Cell:
        growing, (column, row) = self.host.maps.present, self.host.maps.cursor
        if growing is None:
            return 0, 0
        return min(column, growing.spec.columns - 1), min(row, growing.spec.rows - 1)

    def say(self, sentence: str) -> None:
        """A sentence in a line of its own, until the next one."""
        self._said.update(sentence)
        self._said.display = bool(sentence)

    def tick(self) -> None:
        """Show what there is, where that has changed."""
        growing, quantity, cursor = self.host.maps.present, self._quantity, self._cursor
        state = (growing, quantity, cursor, self._view.size, self._cell_view.size, self._metric_curve)
        if growing is not None:
            busy = self.host.maps.busy
            state = (*state, len(growing.known.cells), growing.problem, growing.doing, busy, growing.trouble)  # type: ignore[assignment]
            state = (*state, growing.elsewhere)  # type: ignore[assignment]
            room = self._map_pane.outer_size.width - SUBTITLE_ROOM
            self._map_pane.subtitle(map_words.progress(growing, busy, room))
        if state == self._shown or self._view.size.width <= 0:
            return
        self._shown = state
        if growing is None:
            self._view.show(map_words.welcome(self._view.size.width))
            self._cell_view.show([])
            return
        if (trouble := map_words.trouble(growing)) or self._trouble:
            self.say(trouble)
        self._trouble = trouble
        self._show_map(growing, quantity, cursor)

    def _show_map(self, growing: GrowingMap, quantity: str, cursor: Cell) -> None:
        from d2ltui.charts import of_map

        spec, ascii = growing.spec, self.host.ascii
        title = of_map.title(spec)
        self._map_pane.title(self._map_pane.longest_fitting(f"{called(quantity)}: {title}", called(quantity)))
        failed = growing.problem and not growing.known.cells and growing.problem != STOPPED
        if failed:
            self._view.show(map_words.failure(growing.problem, self._view.size.width))
        else:
            self._view.show_map(spec, growing.known, quantity, cursor, ascii)
        width, height = self._cell_view.size
        figures = growing.known.cells.get(cursor)
        lines = cell_lines(spec, cursor, figures, quantity, width)
        more = histogram_lines(spec, cursor, figures, width, ascii) if figures is not None else []
        if height - len(lines) - len(more) > LEAST_CURVE:  # where there is no room for both, the curves
            lines += more
        if figures is not None and height - len(lines) > LEAST_CURVE:
            name = "metric" if self._metric_curve else "loss"
            rows = min(height - len(lines), max(LEAST_CURVE, width // 3))
            lines += of_map.draw_curves(figures, name, width, rows, ascii)
        self._cell_view.show(lines[:height])

    # Training

    def on_field_submitted(self, event: FieldSubmitted) -> None:
        """Enter in a text: take it, or say what is wrong with it."""
        event.stop()
        if event.name == SEEDS:
            self._axes.check_seeds()
        else:
            self._axes.check(event.name)
        self.set_focus(self._axes.wrong or (self._axes.fields["y"] if event.name == "x" else self._view))

    def action_train(self) -> None:
        """Train the map of these axes, or what is left of it."""
        field = self.focused
        if isinstance(field, Input):  # the keys that were typed just before are on their way to it
            field.call_later(self.call_later, self._train)
        else:
            self._train()

    def _train(self) -> None:
        spec = self._axes.described()
        if spec is None:
            self.app.bell()
            self.set_focus(self._axes.wrong)  # letters are keys: `q` goes back, enter edits it
        else:
            self._begin(spec)

    def _begin(self, spec: MapSpec) -> None:
        """Train it, or go on where it was stopped; where something else is being trained, only say so."""
        growing = self.host.maps.present
        if self.must_wait():
            return
        if growing is None or not growing.continues(spec):
            self._ask(spec, part=False)
        elif growing.elsewhere:
            self.say(ELSEWHERE)
        else:
            self.host.maps.resume()
            self.map_shown()

    def must_wait(self) -> bool:
        if self.host.training:
            self.say(_("a run is in progress: stop it first (x on the main screen)"))
        elif self.host.measuring.busy:
            self.say(MEASURING)
        elif self.host.maps.busy:
            self.say(_("this map is being trained: stop it first (x)"))
        elif self.host.preflight.thread is not None:
            self.say(_("a check is just ending: once more, in a moment"))
        else:
            return False
        return True

    def _ask(self, spec: MapSpec, *, part: bool) -> None:
        """Train `spec`; first ask where that takes long."""
        from d2ltui.tui.screens.dialogs import ConfirmScreen

        effort = effort_of(spec)
        if not effort.is_large:
            self._start(spec, part)
            return

        def answered(trains: bool | None) -> None:
            if trains and not self.must_wait():
                self._start(spec, part)

        self.open(
            ConfirmScreen(_("{in_words}. Train them?").format(in_words=effort.in_words), _("train"), _("back")),
            answered,
        )

    def _start(self, spec: MapSpec, part: bool) -> None:
        maps = self.host.maps
        maps.start(spec, self._quantity, part=part)
        maps.cursor = spec.columns // 2, spec.rows // 2
        self.map_shown()

    def map_shown(self) -> None:
        self.say("")
        growing = self.host.maps.present
        if growing is not None:
            self._axes.show(growing.spec)
        self.set_focus(self._view)
        self.tick()

    def action_pause(self) -> None:
        """Pause, or resume."""
        control = self.host.maps.under_way
        if control is None:
            self.say(_("no map is being trained: ctrl+r begins"))
        else:
            control.resume() if control.mode == "pause" else control.pause()
            self.tick()

    def action_stop_map(self) -> None:
        """End it; what is done stays."""
        if self.host.maps.busy:
            self.host.maps.stop()
        elif self.host.maps.present is not None and self.host.maps.present.elsewhere:
            self.say(ELSEWHERE)
        else:
            self.say(_("no map is being trained: ctrl+r begins"))

    def action_zoom_in(self) -> None:
        """Train the part around the cursor as a map of its own."""
        growing = self.host.maps.present
        if growing is None:
            self.say(_("there is no map yet: ctrl+r begins"))
        elif not self.must_wait():
            spec, (column, row) = growing.spec, self._cursor
            try:
                x, y = zoomed("x", spec.x, column), zoomed("y", spec.y, row)
            except ConfigError as error:
                self.say(error.problems[0].message)
                return
            if (x, y) == (spec.x, spec.y):
                self.say(_("there is nothing between the values of these axes"))
                return
            first = {axis.field: axis.values[0] for axis in (x, y) if axis.field not in OF_HIDDEN}
            config = msgspec.structs.replace(spec.config, **first)
            self._ask(msgspec.structs.replace(spec, config=config, x=x, y=y), part=True)

    def action_zoom_out(self) -> None:
        """Back to the map of which this one is a part."""
        maps = self.host.maps
        if not maps.is_part:
            self.say(_("this map is no part of another one"))
        elif not maps.widen():
            self.say(_("this map is being trained: stop it first (x)"))
        elif maps.present is not None:
            self.map_shown()

    # What is seen of it

    def action_quantity(self, by: int) -> None:
        """Another quantity."""
        quantities = self._quantities
        self.host.maps.quantity = quantities[(quantities.index(self._quantity) + by) % len(quantities)]
        self.tick()

    def action_curve(self) -> None:
        """The cell's losses, or its metric."""
        self._metric_curve = not self._metric_curve
        self.tick()

    def action_best(self) -> None:
        """The cursor to the best cell."""
        growing, quantities = self.host.maps.present, self._quantities
        known = dict(growing.known.cells) if growing is not None else {}
        found = best(known, self._quantity) or best(known, quantities[0])
        if found is None:
            self.say(_("no cell has come to a number yet"))
        else:
            self.host.maps.cursor = found[0]
            self.tick()

    def on_map_view_moved(self, message: MapView.Moved) -> None:
        """Another cell."""
        self.host.maps.cursor = message.cell
        self.tick()

    def on_map_view_taken(self, message: MapView.Taken) -> None:
        """The cell's run is wanted in the form."""
        growing = self.host.maps.present
        if growing is not None:
            self.dismiss(growing.spec.run_of(self._cursor))

    def action_train_cell(self) -> None:
        """Leave with the cell's run, which is trained by itself."""
        growing = self.host.maps.present
        if growing is None:
            self.say(_("there is no map yet: ctrl+r begins"))
        elif not self.must_wait():
            self.trains = True
            self.dismiss(growing.spec.run_of(self._cursor))

    # Everything else

    def action_next_pane(self) -> None:
        """The axes, the map."""
        places = [*self._axes.places, self._view]
        inside = (i for i, place in enumerate(places) if place.has_focus_within)
        self.set_focus(places[(next(inside, -1) + 1) % len(places)])

    def action_traceback(self) -> None:
        """The whole error of a map that failed."""
        from d2ltui.tui.screens.dialogs import TextScreen

        growing = self.host.maps.present
        if growing is not None and growing.traceback:
            self.open(TextScreen(_("Why the map failed"), growing.traceback))
        else:
            self.say(_("no map has failed with an error to show"))

    def action_help(self) -> None:
        """All keys."""
        from d2ltui.tui.screens.dialogs import HelpScreen

        self.open(HelpScreen([*help_rows(MAP_KEYS), *in_words(MAP_HELP)]))

    def action_close(self) -> None:
        """Leave a text; else back to the main screen, and a map goes on."""
        if isinstance(self.focused, Input):
            self.set_focus(self._view)
        else:
            self.dismiss(None)
