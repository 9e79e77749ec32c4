"""What goes wrong in the run, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from d2ltui.spec.findings import Tally, all_well, tally
from d2ltui.spec.language import _
from d2ltui.tui.panes.finding_lines import finding_lines, is_cut, remedy_lines, with_cut
from d2ltui.tui.panes.lines import ScrollingPane
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.spec.events import Finding
    from d2ltui.tui.panes.layer_lines import TextLine

MOST_REMEDY_ROWS = 3


class FindingsPane(ScrollingPane):
    """What is happening, in words. ↑ and ↓ select a finding; `f` puts its remedy into the form.

    Where there is no room for all, what to try stands below the lines that scroll.
    """

    def __init__(self, spec: PaneSpec) -> None:
        self._remedy = LinesView(scrolls=False)
        super().__init__(spec, self._remedy)
        self._remedy.display = False
        self._selected = 0
        self._findings: tuple[Finding, ...] = ()
        self._newest: tuple[Finding, ...] = ()  # whatever step is looked at
        self._now: frozenset[str] | None = None  # the rules of the newest, where an earlier step is looked at
        self._well = ""  # what was looked at, where all is well
        self._found_lines: list[TextLine] = []
        self._seen_rows = 0  # for them
        self._starts: list[int] = []
        self._said: tuple[str, str] = ("", "")  # how many are grave, and of which moment

    @property
    def selected(self) -> Finding | None:
        """The finding whose remedy is meant: the selected one, or the gravest that has a remedy."""
        if self._selected < len(self._findings) and self._findings[self._selected].remedy:
            return self._findings[self._selected]
        return next((finding for finding in self._findings if finding.remedy), None)

    @property
    def tally(self) -> Tally:
        """How many alarms and warnings there are."""
        return tally(self._newest)

    def show_run(self, view: RunView) -> None:
        """Show the newest findings, or, while the charts are read at a step, those of that moment."""
        live = view.live
        self._newest = live.findings if live is not None else ()
        width, height = self.room
        if width <= 0 or height <= 0 or not self.display:
            self._findings = live.findings if live is not None else ()
            return
        findings, looked_at = live.findings_at(view.cursor) if live is not None else ((), ())
        started = live is not None and live.layers is not None
        well = all_well(findings, looked_at)
        moment = _("step {cursor:,}").format(cursor=view.cursor) if view.cursor is not None else ""
        now = frozenset(finding.rule for finding in self._newest) if moment else None
        state = (findings, self._selected, self.size, started, well, moment, now)
        if state == self._shown:
            return
        self._shown, self._findings, self._well, self._now = state, findings, well, now
        self._selected = min(self._selected, max(0, len(findings) - 1))
        self._said = (tally(findings).words, moment)
        self.subtitle("  ".join(filter(None, self._said)))
        if not findings and not well:
            self._remedy.display, self._found_lines = False, []
            self.show_text(
                _("nothing out of the ordinary")
                if started and not moment
                else _("nothing out of the ordinary then")
                if started
                else _("what goes wrong inside, why, and what to change")
            )
            return
        self._show_lines(width)

    def _show_lines(self, width: int) -> None:
        rows, below = self.size.height, None
        remedy: list[TextLine] = []
        lines, self._starts = finding_lines(self._findings, self._selected, width, self._well, now=self._now)
        if len(lines) > rows and (below := self._tried) is not None:
            lines, self._starts = finding_lines(self._findings, self._selected, width, self._well, below, self._now)
            most = max(1, min(MOST_REMEDY_ROWS, rows // 2))
            remedy = remedy_lines(below, width, most)
            if is_cut(remedy):  # what to try matters more than to see a second line of what scrolls
                remedy = remedy_lines(below, width, max(most, rows - 1))
            self._remedy.show(remedy)
            self._remedy.styles.height = len(remedy)
        self._remedy.display = below is not None
        self._found_lines, self._seen_rows = lines, rows - len(remedy)
        self._show_as_scrolled()
        more = _("↑ ↓ more") if len(lines) > self._seen_rows else ""  # a line at the edge looks like the last one
        self.subtitle("  ".join(filter(None, (*self._said, more))))

    def on_mount(self) -> None:
        """Another row is the last one to be seen when lines scroll."""
        self.watch(self.view, "scroll_y", self._show_as_scrolled, init=False)

    def _show_as_scrolled(self) -> None:
        if self._found_lines:
            last = self.view.scroll_offset.y + self._seen_rows - 1
            self.view.show(with_cut(self._found_lines, self._starts, last, self.room[0]))

    @property
    def _tried(self) -> Finding | None:
        """The finding of which is told what to try, where there is no room for all."""
        chosen = self._findings[self._selected] if self._findings else None
        if chosen is not None and chosen.try_ and not chosen.because_of:
            return chosen
        return self.selected or next((finding for finding in self._findings if finding.try_), None)

    def on_key(self, event: events.Key) -> None:
        """Select. With one finding the keys scroll, as they do in any pane of lines."""
        step = {"up": -1, "down": 1}.get(event.key)
        if step is None or len(self._findings) < 2:
            return
        event.prevent_default()  # nor scroll, too
        self._selected = min(len(self._findings) - 1, max(0, self._selected + step))
        self._shown = None
        self._show_lines(self.room[0])
        self.view.scroll_to(y=self._starts[self._selected], animate=False)
        event.stop()


FINDINGS = PANES.register(
    PaneSpec("findings", "What is happening", FindingsPane, tab="Findings", short="Find", min_height=6)
)
