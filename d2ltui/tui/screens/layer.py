"""One layer, opened: each of its units, the dead ones marked; and its activation function with its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import is_
from typing import TYPE_CHECKING

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import ModalScreen

from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.activations import activation_of
from d2ltui.spec.events import MAX_LISTED_UNITS
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number, percent
from d2ltui.spec.pictures import PictureRequest
from d2ltui.spec.text import counted
from d2ltui.spec.width import wrapped
from d2ltui.tui.host import Hosted
from d2ltui.tui.panes.layer_lines import TextLine
from d2ltui.tui.panes.layers import moment_of
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.panes.picture import is_chain, meant
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.defects import drawn_or_told
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.spec.events import LayersProbed, LayerStats
    from d2ltui.spec.pictures import PictureMade

DEAD = "x"
FEWEST_ROWS = 14  # of the function's curve and the histogram below it
ANSWER_EVERY = 0.1  # seconds until its picture is looked for
_LEVELS = "123456789"


def unit_lines(layer: LayerStats, width: int, look: int | None = None) -> list[TextLine]:
    """A character for each unit: for how many tenths of the samples it passes a gradient on, `x` where for none.

    `look` is the step at which the outputs were looked at, where the units are of another one.
    """
    activity = layer.unit_activity
    if activity is None and layer.kind == "activation":
        return [[(Style.AXIS, _("its units have not been looked at one by one, or not yet"))]]
    if activity is None:
        return [[(Style.AXIS, _("this layer has no units that could die: only an activation's can"))]]
    dead = sum(share == 0 for share in activity)
    of = counted(layer.num_units, "unit", ",")
    if len(activity) < layer.num_units:
        of = _("{some:,} of {units}").format(some=len(activity), units=of)
    saturates = activation_of(layer.title)
    if saturates and saturates.flat_ends:
        told = ngettext(
            "{of}: {dead:,} ({share}) is always saturated, marked {mark};",
            "{of}: {dead:,} ({share}) are always saturated, marked {mark};",
            dead,
        )
        how = _("the others by the tenths of the samples for which they are not: 1 few, 9 nearly all")
    else:
        told = ngettext(
            "{of}: {dead:,} ({share}) is never active, marked {mark};",
            "{of}: {dead:,} ({share}) are never active, marked {mark};",
            dead,
        )
        how = _("the others by the tenths of the samples for which they are: 1 few, 9 nearly all")
    told = told.format(of=of, dead=dead, share=percent(dead / max(1, len(activity))), mark=DEAD)
    lines: list[TextLine] = []
    for style, text in (
        (Style.TEXT, told),
        (Style.AXIS, how),
    ):
        lines += [[(style, line)] for line in wrapped(text, max(10, width))]
    lines.append([(Style.AXIS, "")])
    lines[-1:] = [*_about_zero(layer, width, look), *lines[-1:]]
    per_line = max(10, (width - 6) // 10 * 10)
    for start in range(0, len(activity), per_line):
        runs: TextLine = [(Style.AXIS, f"{start + 1:>5} ")]
        for share in activity[start : start + per_line]:
            mark = DEAD if share == 0 else _LEVELS[min(8, int(share * 10))]
            style = Style.WARNING if share == 0 else Style.TRAIN
            if runs[-1][0] == style:
                runs[-1] = (style, runs[-1][1] + mark)
            else:
                runs.append((style, mark))
        lines.append(runs)
    return lines


def _about_zero(layer: LayerStats, width: int, look: int | None) -> list[TextLine]:
    """Whether the outputs lie about 0, which decides the signs of the next layer's gradients."""
    activation = activation_of(layer.title)
    if activation is None or not activation.never_negative or layer.minimum == layer.maximum:
        return []  # outputs that are all one number, such as a dead layer's zeros, lie about nothing
    low, high, mean = (number(figure) for figure in (layer.minimum, layer.maximum, layer.mean))
    told = _(
        "not zero-centred: outputs from {low} to {high}, mean {mean}; none is negative, so that "
        "for each sample all the weights into a unit of the next layer are pushed up or down "
        "together"
    ).format(low=low, high=high, mean=mean)
    if look is not None:
        told += _(" (figures of step {step:,}, when its outputs were looked at)").format(step=look)
    return [[(Style.AXIS, line)] for line in wrapped(told, max(10, width))]


class LayerScreen(Hosted, Once, BatchedScreen, ModalScreen[None]):
    """The units of a layer, live; ← and → go to the other layers."""

    DEFAULT_CSS = """
    LayerScreen { align: center middle; background: $background; }
    LayerScreen > .box { width: 90%; height: 80%; border: round $border; padding: 0 1; background: $surface; }
    """
    BINDINGS = [
        Binding("escape,q,enter,u", "dismiss", "close"),
        Binding("left", "go(-1)", show=False),
        Binding("right", "go(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.cursor: int | None = None  # the step at which the charts are read
        self._at: int | None = None
        self._copied: int | None = None  # the step of the weights that the units are of, where they are not the look's
        self._shown: tuple[object, ...] = ()  # what the present lines were made from
        self._size_shown = Size(0, 0)
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        self._view = LinesView(id="units")
        self._box = Vertical(self._view, classes="box")

    def compose(self) -> ComposeResult:
        """A frame of lines."""
        yield self._box

    def begin(self) -> None:
        """Look a few times a second, and have the engine look at the units."""
        self.host.observe("units", True)
        self.set_interval(1 / self.host.max_fps, self.tick)
        self.tick()
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        """Nobody looks at the units any more."""
        if not self.begun:
            return
        self.host.observe("units", False)
        if self.host.pictures is not None:
            self.host.pictures.ask(None)

    def tick(self) -> None:
        """Show the newest look at the layer."""
        live = self.host.live
        probed = live.layers_at(self.cursor) if live is not None else None
        if probed is None:
            return
        layers = probed.layers
        if self._at is None:  # begin with the first layer whose units can die
            self._at = next((i for i, layer in enumerate(layers) if layer.kind == "activation"), 0)
        self._at = min(self._at, len(layers) - 1)
        layer = layers[self._at]
        desk = self.host.pictures
        state = layer, desk and meant(desk, self.cursor), desk and desk.request
        size = self._view.scrollable_content_region.size  # without the scroll bar, where there is one
        if size == self._size_shown and all(map(is_, state, self._shown)):
            return
        self._shown, self._size_shown = state, size
        self._copied = None
        if size.width > 0:
            lines, made = self._units(layer, probed)
            whole = [*lines, *self._function(made, probed.step, len(lines))]
            self._view.show(whole)
            # The screen behind, which this one covers now, may take the request back: then it is asked for again.
            self._shown = layer, state[1], desk and desk.request
            hidden = len(whole) > self._view.size.height
            what = _("its function and inputs, below") if len(whole) > len(lines) else _("more units")
            self._box.border_subtitle = f"↑ ↓ {what}" if hidden else ""
        self._box.border_title = _("{index} {title}{moment} (← → other layers, escape closes)").format(
            index=layer.index, title=layer.title, moment=self._moment(probed)
        )

    def _moment(self, probed: LayersProbed) -> str:
        """Of which step the units are, beside a cursor: that of the look, or of the weights that complete it."""
        if self.cursor is None:
            return ""
        if self._copied is None:
            return f", {moment_of(probed, self.cursor)}"
        said = _("step {step:,}") if self._copied <= self.cursor else _("step {step:,}, not the cursor's")
        return f", {said.format(step=self._copied)}"

    def _units(self, layer: LayerStats, probed: LayersProbed) -> tuple[list[TextLine], PictureMade | None]:
        """Each of the layer's units, and the picture of its function.

        A look that has not told the units one by one, such as one that was stored or was taken earlier, is completed by
        the picture, which is made of the weights of that moment.
        """
        width = self._size_shown.width
        lines = unit_lines(layer, width)
        likely = lines
        if layer.unit_activity is None:  # so many lines they will take: the picture is asked for in the room below
            units = (1.0,) * min(layer.num_units, MAX_LISTED_UNITS)
            likely = unit_lines(msgspec.structs.replace(layer, unit_activity=units), width, probed.step)
        made = self._asked(layer, probed.layers, len(likely))
        activity = getattr(made.picture, "activity", ()) if made is not None else ()
        if made is not None and activity and layer.unit_activity is None:
            self._copied = made.step
            look = probed.step if probed.step != made.step else None
            lines = unit_lines(msgspec.structs.replace(layer, unit_activity=activity), width, look)
        return lines, made

    def _asked(self, layer: LayerStats, layers: Sequence[LayerStats], above: int) -> PictureMade | None:
        """What there is of the picture of the layer's function, in the room below so many lines."""
        desk, live = self.host.pictures, self.host.live
        if desk is None or live is None or layer.kind != "activation" or not is_chain(live):
            return None
        from d2ltui.charts.picture import area  # it needs numpy, which the first paint must not

        width, height = self._room(above)
        which = [other.index for other in layers if other.kind == "activation"].index(layer.index)
        request = PictureRequest("activation", *area(width, height), which)
        if desk.request != request:
            desk.ask(request)
            self.set_timer(ANSWER_EVERY, self.tick)
        desk.look_at(self.cursor)
        made = meant(desk, self.cursor)
        if made is None or (made.request.kind, made.request.choice) != ("activation", which):
            return None
        return made

    def _room(self, above: int) -> tuple[int, int]:
        return self._size_shown.width - 1, max(FEWEST_ROWS, self._size_shown.height - above - 1)

    def _function(self, made: PictureMade | None, look: int, above: int) -> Drawing:
        """The layer's function, and where its inputs lie, below `above` lines; of which step, if not the title's."""
        if made is None:
            return []
        if made.picture is None:
            return [[(int(Style.AXIS), "")], [(int(Style.WARNING), made.problem)]]
        from d2ltui.charts.picture import draw_picture

        above_it = ""
        if self.cursor is not None and self._copied is None and made.step != look:
            said = _("its inputs at step {step:,}")
            above_it = (_("step {step:,}, not the cursor's") if made.step > self.cursor else said).format(
                step=made.step
            )
        return [
            [(int(Style.AXIS), above_it)],
            *drawn_or_told(
                self.app, partial(draw_picture, made.picture, *self._room(above), look_of(self._view, self.host.ascii))
            ),
        ]

    def action_go(self, by: int) -> None:
        """The next layer, or the one before."""
        live = self.host.live
        if live is not None and live.layers is not None and self._at is not None:
            self._at = (self._at + by) % len(live.layers.layers)
            self.tick()

    def action_scroll(self, by: int) -> None:
        """Through many units."""
        self._view.scroll_relative(y=by, animate=False)
