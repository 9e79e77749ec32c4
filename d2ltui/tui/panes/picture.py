"""The data, and what the network makes of it: decision regions, fitted lines, samples, weights, softmax."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Size

from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.datasets import DescriptionError
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS, PlanError
from d2ltui.spec.pictures import Images, Maps, PictureKind, PictureMade, PictureRequest, picture_kinds
from d2ltui.spec.width import centred, wrapped
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunPane, RunView
from d2ltui.tui.services.defects import drawn_or_told
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.charts.canvas import Look
    from d2ltui.engine.picture_desk import PictureDesk
    from d2ltui.history.live import LiveRun

# Seconds: how often to look for the first picture after it has been asked for, and for how long.
ANSWER_EVERY, ANSWER_WITHIN = 0.02, 2.0


class PicturePane(RunPane):
    """One picture, live. `v`, or ← and →, choose its kind, ↑ and ↓ the inputs, the page or the sample."""

    def __init__(self, spec: PaneSpec) -> None:
        self.view = LinesView(scrolls=False)
        super().__init__(spec, self.view)
        self._kind = ""  # the chosen one's name; the first one's where the run has none of that name
        self._choices: dict[str, int] = {}  # by kind
        self._shown: object = None  # what the present drawing was made from
        self._last: RunView | None = None
        self._kinds: tuple[object, tuple[PictureKind, ...]] = (None, ())  # of which layers
        self._before: PictureMade | None = None  # what there was when it was asked for
        self._until, self._looking = 0.0, False  # when to give up looking for an answer, and whether a timer goes

    def show_run(self, view: RunView) -> None:
        """Ask for what is to be seen, and draw what has come."""
        self._last, desk = view, view.pictures
        if not self.display:
            if desk is not None:
                desk.ask(None)
            return
        size = self.view.size
        if size.width <= 0 or size.height <= 0:
            return
        kind = self.kind
        if view.live is None or desk is None or kind is None:
            self.title(_("Picture"))
            self.subtitle("")
            self._say(
                _("the data, and what the network makes of it")
                if view.live is None
                else _("there is no picture of this run"),
                size,
            )
            return
        title = _(kind.title)
        self.title(self.longest_fitting(_("Picture: {title}").format(title=title), title))
        self._ask(desk, kind, size, view.cursor)
        self._show(desk, size, view)

    @property
    def kinds(self) -> tuple[PictureKind, ...]:
        """The kinds of picture that there are of the run."""
        live = self._last.live if self._last is not None else None
        if live is None:
            return ()
        of = (live, live.header.layers)
        if self._kinds[0] != of:
            self._kinds = (of, kinds_of(live))
        return self._kinds[1]

    @property
    def kind(self) -> PictureKind | None:
        """The chosen one; None where the run has none."""
        kinds = self.kinds
        return next((kind for kind in kinds if kind.name == self._kind), kinds[0] if kinds else None)

    def _ask(self, desk: PictureDesk, kind: PictureKind, size: Size, cursor: int | None) -> None:
        from d2ltui.charts.picture import area  # it needs numpy, which the first paint must not

        request = PictureRequest(kind.name, *area(*size), self._choices.get(kind.name, 0))
        if desk.request != request or desk.moment != cursor:
            self._before = meant(desk, cursor)  # of the same request, perhaps, when it was made the last time
            desk.look_at(cursor)
            desk.ask(request)
            if not self._looking:  # a key that is held down asks again and again
                self._looking = True
                self.set_timer(ANSWER_EVERY, self._look_for_answer)
            self._until = time.monotonic() + ANSWER_WITHIN

    def _look_for_answer(self) -> None:
        self._looking = False
        view = self._last
        if view is None or view.pictures is None or not self.display or view.pictures.request is None:
            return
        made = meant(view.pictures, view.cursor)
        if made is not None and made is not self._before and made.request == view.pictures.request:
            self._show(view.pictures, self.view.size, view)
        elif time.monotonic() < self._until:
            self._looking = True
            self.set_timer(ANSWER_EVERY, self._look_for_answer)

    def _show(self, desk: PictureDesk, size: Size, view: RunView) -> None:
        made = meant(desk, view.cursor)
        if made is None or desk.request is None or made.request.kind != desk.request.kind:
            self._say(_waiting(view.live) if made is None else _("drawing …"), size)
            return
        look = look_of(self.view, view.ascii)
        if self._shown == (made, size, look, view.cursor):
            return
        self._shown = (made, size, look, view.cursor)
        self.view.show(self._drawn(made, size, look))
        choosing = self.kind.choosing if self.kind is not None and not is_whole(made) else ""
        keys = _("↑↓ {choosing}  v kind").format(choosing=_(choosing)) if choosing else _("v kind")
        step, short = _("step {step:,}").format(step=made.step), ""
        if view.cursor is not None and made.step > view.cursor:
            short = _("step {step:,}, not the cursor's").format(step=made.step)
            step = f"{short}: {desk.no_past}" if desk.no_past else short
        said = (short,) if short else (keys, _("v kind  {step}").format(step=step), _("v kind"))
        self.subtitle(self.longest_fitting(f"{keys}  {step}", *((step,) if short else ()), *said))

    def _drawn(self, made: PictureMade, size: Size, look: Look) -> Drawing:
        from d2ltui.charts.picture import draw_picture

        if made.picture is None:
            return _lines(made.problem, size, Style.WARNING)
        return drawn_or_told(self.app, partial(draw_picture, made.picture, *size, look))

    def _say(self, text: str, size: Size) -> None:
        if self._shown != (text, size):
            self._shown = (text, size)
            self.view.show(_lines(text, size, Style.AXIS))

    def on_key(self, event: events.Key) -> None:
        """Another kind of picture, or another one of the kind."""
        by = {"v": 1, "right": 1, "left": -1, "V": -1}.get(event.key, 0)
        other = {"down": 1, "up": -1}.get(event.key, 0)
        kinds, kind = self.kinds, self.kind
        if not (by or other) or kind is None:
            return
        event.stop()
        if by:
            self._kind = kinds[(kinds.index(kind) + by) % len(kinds)].name
        elif kind.choosing:
            self._choices[kind.name] = self._choices.get(kind.name, 0) + other
        if self._last is not None:
            self.show_run(self._last)


def is_whole(made: PictureMade) -> bool:
    """Whether all that there is of a picture is on its one page; of feature maps, those of other layers follow."""
    picture = made.picture
    if made.request.kind == "features" or not isinstance(picture, Images | Maps):
        return False
    return len(picture.captions) >= picture.total


def meant(desk: PictureDesk, cursor: int | None) -> PictureMade | None:
    """What there is of the moment of the `cursor`, or, with None, of now."""
    made = desk.made
    if cursor is not None and (made is None or made.request != desk.request or cursor < made.step):
        made = desk.at(cursor) or made
    return made


def kinds_of(live: LiveRun) -> tuple[PictureKind, ...]:
    """The kinds of picture that there are of a run; none where its data set cannot be described any more."""
    if not live.is_configured:
        return ()
    chain = is_chain(live)
    try:
        info = live.config.dataset_info
        # Before the data is loaded there is the plan alone. That of another package's model is not asked for: it may
        # have to be imported, and no layer of it is shown.
        layers = live.header.layers or (layer_plan(live.config) if chain else ())
    except (DescriptionError, PlanError):
        return ()
    return picture_kinds(info, layers, chain=chain)


def is_chain(live: LiveRun) -> bool:
    """Whether a run's network is its layers one after another; another package's model is whatever it is."""
    return live.is_configured and not MODELS[live.config.model].build


def _waiting(live: LiveRun | None) -> str:
    """Why there is no picture yet."""
    if live is not None and live.ended is not None:
        return _("loading the network …")
    started = live is not None and live.started is not None
    return _("drawing …") if started else _("the network is not there yet")


def _lines(text: str, size: Size, style: Style) -> Drawing:
    """A sentence in the middle."""
    lines = [[(int(style), centred(line, size.width))] for line in wrapped(text, max(8, size.width))]
    blank: Drawing = [[(int(Style.AXIS), "")]] * max(0, (size.height - len(lines)) // 2)
    return [*blank, *lines]


PICTURE = PANES.register(
    PaneSpec("picture", "Picture", PicturePane, short="Pic", share=3, in_place_of=("activations", "gradients"))
)
