"""Before a run begins: what would go wrong with it, and which learning rate to take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from d2ltui.charts.spec import Style
from d2ltui.diagnosis.remedies import in_words
from d2ltui.runner.preflight import title_of
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting, whole_percent
from d2ltui.spec.width import padded, wrapped
from d2ltui.tui.host import Hosted
from d2ltui.tui.panes.finding_lines import finding_lines
from d2ltui.tui.panes.layer_lines import TextLine
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.engine.readings import Reading
    from d2ltui.runner.preflight import Attempt
    from d2ltui.spec.events import Finding

NAME_WIDTH = 9  # of what a check reads, the longest of them
LEAST_CHART = 6  # rows; with less room, the words alone


class AttemptScreen(Hosted, Once, BatchedScreen, ModalScreen["Mapping[str, object] | None"]):
    """An attempt that goes on in a thread, and its result; closes with the values that are to be put into the form."""

    DEFAULT_CSS = """
    AttemptScreen { align: center middle; background: $background; }
    AttemptScreen > .box { width: 96%; height: 92%; border: round $border; padding: 0 1; background: $surface; }
    """
    BINDINGS = [
        Binding("escape,q", "cancel", "close"),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]
    title_text = ""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt
        self._shown: object = None
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        self._view = LinesView(id="attempt")
        self._box = Vertical(self._view, classes="box")

    def compose(self) -> ComposeResult:
        """A frame of lines."""
        yield self._box

    def on_mount(self) -> None:
        """Look at the attempt a few times a second."""
        self.set_interval(1 / self.host.max_fps, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self.attempt.stop()

    def on_resize(self) -> None:
        """Other lines fit."""
        self.call_after_refresh(self.tick)

    def tick(self) -> None:
        """Show what there is, where that has changed."""
        attempt, (width, height) = self.attempt, self._view.size
        share = None if attempt.share is None else round(100 * attempt.share)
        state = (attempt.ended, attempt.doing, share, len(attempt.readings), width, height)
        if state == self._shown or width <= 0 or height <= 0:
            return
        self._shown = state
        keys = _("escape stops it") if not attempt.ended else self.offer + _("escape closes")
        self._box.border_title = f"{self.title_text} ({keys})"
        lines = _wrapped(f"{title_of(attempt.config)}, lr {setting(attempt.config.lr)}", width, Style.TEXT)
        self._view.show([*lines, *self.result(width, height - len(lines)), *self._progress(width)])

    def _progress(self, width: int) -> list[TextLine]:
        attempt = self.attempt
        if attempt.problem:
            return _wrapped(attempt.problem, width, Style.WARNING)
        if attempt.ended:
            return []
        percent = f" {whole_percent(attempt.share)}" if attempt.share is not None else ""
        return [[(Style.AXIS, f"… {attempt.doing}{percent}")]]

    @property
    def values(self) -> Mapping[str, object]:
        """What is offered to be put into the form; empty where there is nothing."""
        raise NotImplementedError

    @property
    def offer(self) -> str:
        """How the title tells of it."""
        return _("f puts {values} into the form, ").format(values=in_words(dict(self.values))) if self.values else ""

    def result(self, width: int, height: int) -> list[TextLine]:
        """What there is so far, in a frame of `width` × `height` cells."""
        raise NotImplementedError

    def action_take(self) -> None:
        """Put it into the form."""
        if self.values:
            self.dismiss(self.values)

    def action_cancel(self) -> None:
        """Leave the form as it is."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Through more lines than there is room for."""
        self._view.scroll_relative(y=by, animate=False)


class CheckScreen(AttemptScreen):
    """What would go wrong with a run, before its first step."""

    BINDINGS = [Binding("f", "take", "fix"), Binding("k", "cancel", show=False)]
    title_text = _("Before the first step")

    @property
    def _findings(self) -> tuple[Finding, ...]:
        return self.attempt.checkup.findings if self.attempt.checkup is not None else ()

    @property
    def values(self) -> Mapping[str, object]:
        """The remedy of the first finding that has one."""
        return next((finding.remedy for finding in self._findings if finding.remedy), {})

    def result(self, width: int, height: int) -> list[TextLine]:
        """A line for each reading; after the last one, what is wrong."""
        lines = [line for reading in self.attempt.readings for line in _reading_lines(reading, width)]
        if self.attempt.checkup is not None and len(lines) < height // 2:
            lines.append([(Style.TEXT, "")])
        if self._findings:
            selected = next((i for i, finding in enumerate(self._findings) if finding.remedy), 0)
            lines += finding_lines(self._findings, selected, width)[0]
        elif self.attempt.checkup is not None:
            lines.append([(Style.FIT, _("nothing is wrong before the first step"))])
        return lines


class RatesScreen(AttemptScreen):
    """Which learning rate to take: the loss of a short run over growing rates."""

    BINDINGS = [Binding("f,enter", "take", "take"), Binding("F", "cancel", show=False)]
    title_text = _("Which learning rate")

    @property
    def values(self) -> Mapping[str, object]:
        """The suggested rate; or, where there is none, what helps, with its rate."""
        found = self.attempt.range_test
        if found is None or found.suggestion is not None:
            return {"lr": found.suggestion} if found is not None else {}
        return found.instead[0].values if found.instead else {}

    def result(self, width: int, height: int) -> list[TextLine]:
        """The curve, and what it suggests."""
        found = self.attempt.range_test
        if found is None:
            return []
        from d2ltui.charts.draw import draw
        from d2ltui.charts.of_rates import rate_chart
        from d2ltui.engine.range_test import HIGHEST

        words = _wrapped(found.extent, width, Style.AXIS)
        suggested, *others = found.in_words(_("key k"))
        words += _wrapped(suggested, width, Style.VALIDATION if self.values else Style.TEXT)
        for sentence in others:
            words += _wrapped(sentence, width, Style.TEXT)
        rows = height - len(words)
        if rows < LEAST_CHART:
            return words
        return [*draw(rate_chart(found, HIGHEST, width, rows, self.host.ascii)), *words]


def _reading_lines(reading: Reading, width: int) -> list[TextLine]:
    """`✓ name  what was read`, wrapped below itself."""
    severity = reading.finding.severity if reading.finding is not None else None
    mark = "✓" if severity is None else "▲" if severity == "alarm" else "△"
    style = Style.FIT if severity is None else Style.WARNING if severity == "alarm" else Style.VALIDATION
    first, *rest = wrapped(reading.line, max(8, width - NAME_WIDTH - 4)) or [""]
    head = f" {padded(_(reading.name), NAME_WIDTH)}  "
    indented: list[TextLine] = [[(Style.TEXT, f"{'':<{NAME_WIDTH + 4}}{line}")] for line in rest]
    return [[(style, mark), (Style.TEXT, head + first)], *indented]


def _wrapped(text: str, width: int, style: Style) -> list[TextLine]:
    return [[(style, line)] for line in wrapped(text, max(8, width)) or [""]]
