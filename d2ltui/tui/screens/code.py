"""The run as code: its model and its training step as the book writes them, from scratch and concise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from d2ltui.code.lines import Line
from d2ltui.code.listing import TITLES, listing
from d2ltui.tui.host import Hosted
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.code import CodeView

if TYPE_CHECKING:
    from d2ltui.spec.config import RunConfig

WIDE = 120  # columns from which on both stand side by side
SIDEWAYS = 8  # columns at once


class CodeScreen(Hosted, Once, BatchedScreen, ModalScreen[None]):
    """Both implementations; on a narrow terminal one at a time, first that of the run.

    Args:
        config: the run, or the one that the form describes.
        own: whether it is the run on the screen, whose present learning rate counts.
    """

    DEFAULT_CSS = """
    CodeScreen { align: center middle; }
    CodeScreen .box { width: 1fr; height: 100%; border: round $border; background: $surface; }
    """
    BINDINGS = [
        Binding("escape,q,c", "dismiss", "close"),
        Binding("v,tab", "turn", show=False),
        Binding("left", f"shift({-SIDEWAYS})", show=False),
        Binding("right", f"shift({SIDEWAYS})", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("s", "step", show=False),
        Binding("space", "pause", show=False),
    ]

    def __init__(self, config: RunConfig, *, own: bool) -> None:
        super().__init__()
        self._config, self._own = config, own
        self._shown = config.implementation if config.implementation in TITLES else "concise"
        self._views = {which: CodeView() for which in TITLES}
        self._boxes = {which: Vertical(view, classes="box") for which, view in self._views.items()}
        self._code: dict[str, list[Line]] = {}
        self._told: RunConfig | None = None  # what the code has been made of

    def compose(self) -> ComposeResult:
        """The two beside each other."""
        yield Horizontal(*self._boxes.values())

    def on_mount(self) -> None:
        """Follow the run: its learning rate may be changed."""
        self._arrange()
        self.set_interval(1 / self.host.max_fps, self.tick)
        self.call_after_refresh(self.tick)

    def on_resize(self) -> None:
        """Two or one."""
        self._arrange()
        self.call_after_refresh(self.tick)

    def _arrange(self) -> None:
        both = self.app.size.width >= WIDE
        for which, box in self._boxes.items():
            box.display = both or which == self._shown
            keys = "← → ↑ ↓ move, esc closes" if both else "v the other, ← → ↑ ↓ move, esc closes"
            box.border_title = TITLES[which] + (", this run" if which == self._config.implementation else "")
            box.border_subtitle = keys if which == list(TITLES)[-1] or not both else ""

    def tick(self) -> None:
        """Show the code with the run's present numbers."""
        live, config = self.host.live, self._config
        if self._own and live is not None and live.lr != config.lr:
            config = msgspec.structs.replace(config, lr=live.lr)
        if config != self._told:
            self._told = config
            self._code = {which: listing(config, which) for which in TITLES}
        for which, view in self._views.items():
            if view.size.width > 0:
                view.show_code(self._code[which])

    def action_turn(self) -> None:
        """The other implementation, where there is room for one."""
        if self.app.size.width < WIDE:
            self._shown = next(which for which in TITLES if which != self._shown)
            self._arrange()
            self.call_after_refresh(self.tick)

    def action_shift(self, by: int) -> None:
        """Sideways."""
        for view in self._views.values():
            view.shift(by)
        self.tick()

    def action_scroll(self, by: int) -> None:
        """Up and down."""
        for view in self._views.values():
            view.scroll_relative(y=by, animate=False)

    def action_step(self) -> None:
        """One training step, as on the main screen."""
        if (control := self.host.control) is not None:
            control.step()

    def action_pause(self) -> None:
        """Pause, or resume, as on the main screen."""
        control = self.host.control
        if control is not None:
            control.resume() if control.mode == "pause" else control.pause()
