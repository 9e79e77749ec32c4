"""The status line: the run's word, where it is, how fast, how long still, and the machine."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from d2ltui.spec.findings import MARKS, Tally, tally
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.numbers import clock, duration, number, setting, whole_percent
from d2ltui.spec.text import counted
from d2ltui.spec.text import pace as pace_of
from d2ltui.spec.width import padded
from d2ltui.tui.render.cached import CachedRender
from d2ltui.tui.render.locale import AsciiFilter, ConsoleFilter
from d2ltui.tui.widgets.lines import changed_cells
from d2ltui.tui.widgets.tabs import STYLES

if TYPE_CHECKING:
    from typing_extensions import Self

    from d2ltui.history.live import LiveRun
    from d2ltui.tui.widgets.past import Past

BAR_WIDTH = 20
WIDE = 110  # columns of a screen on which there is room for more
SHORT = 20  # rows of a screen on which one row tells where the run is
_MARKS = {"ready": "○", "loading": "…", "training": "▶", "over": "…", "paused": "‖", "finished": "✓", "stopped": "■",
          "interrupted": "■",
          "diverged": "▲", "failed": "✗"}  # fmt: skip
_EDGE = "edge"  # the look of what is no part: the padding
Part = str | tuple[str, str]  # text, or text and its style


class Speed:
    """Steps a second: of the last SPAN seconds of training while a run goes on, of the whole run in the end."""

    SPAN, LEAST = 10.0, 1.0

    def __init__(self) -> None:
        self._live: LiveRun | None = None
        self._past: deque[tuple[float, int]] = deque()  # seconds of training, steps

    def of(self, live: LiveRun) -> float:
        """Of `live`, which is asked about as it goes on."""
        now, step = live.seconds, live.step
        if live is not self._live or (self._past and step < self._past[-1][1]):
            self._live = live
            self._past.clear()
        if self._past and now - self._past[-1][0] > self.SPAN:
            self._past.clear()  # nobody has asked meanwhile
        if not self._past or now > self._past[-1][0]:
            self._past.append((now, step))
        while len(self._past) > 2 and now - self._past[1][0] >= self.SPAN:
            self._past.popleft()
        before, steps_before = self._past[0]
        if live.ended is not None or now - before < self.LEAST:
            return step / now if now > 0 else 0.0
        return (step - steps_before) / (now - before)


def progress_bar(fraction: float, width: int) -> tuple[str, str]:
    """The part that is done and the part that is not; together `width` cells."""
    done = round(min(1.0, max(0.0, fraction)) * width)
    return "━" * done, "─" * (width - done)


def _words(part: Part) -> str:
    return part if isinstance(part, str) else part[0]


def _style(part: Part) -> str:
    return "" if isinstance(part, str) else part[1]


def _text(line: list[Part]) -> str:
    return "".join(map(_words, line))


def _rows(text: str, width: int) -> int:
    """The rows that `text` takes in so many columns, or one more where it is more than one: words are not broken."""
    return sum(max(1, -(-cell_len(line) // max(1, width))) for line in text.split("\n")) if text else 0


def _in_short(live: LiveRun) -> str:
    """How a run that came to its end has ended, beside the number of epochs above it; "" of another one."""
    if live.status != "finished" or not live.epochs:
        return ""
    last = live.epochs[-1]
    figures = last.train_loss, last.val_loss, last.train_metric, last.val_metric
    train_loss, val_loss, train, val = (number(figure, 4) for figure in figures)
    said = _("loss {train_loss} train, {val_loss} val; {metric} {train} train, {val} val")
    return said.format(train_loss=train_loss, val_loss=val_loss, metric=live.header.metric_title, train=train, val=val)


def _word(status: str, found: Tally, counts: str) -> list[Part]:
    """The run's state, and how much is wrong with it: one that has learned nothing must not look well."""
    mark, style = _MARKS[status], _STYLES[status]
    said = padded(pgettext("status", status), 8)
    if found.severity is None:
        return [(f"{mark} {said}", style)]
    grave = f"bold {STYLES[found.severity]}"
    if status == "finished":
        mark, style = MARKS[found.severity], grave
    return [(f"{mark} {said}", style), (f"  {counts}", grave)]


class StatusLine(CachedRender, Widget):
    """One line, and below it what there is to say."""

    DEFAULT_CSS = """
    StatusLine { height: auto; min-height: 2; max-height: 6; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__(id="status")
        self._status = "ready"
        self._line: list[Part] = []
        self._message = ""
        self._alarming = ""  # the beginning of the message, where it says why a run went wrong
        self._composed_for = 0  # columns
        self._speed = Speed()
        self._at_most: float | None = None  # steps a second, as asked for
        self._looks: dict[str, RichStyle] = {}  # how the parts' styles look, as Textual has drawn them

    @property
    def word(self) -> str:
        """The run's state, as shown."""
        return self._status

    def show(
        self,
        live: LiveRun | None,
        machine: str,
        hint: str = "",
        *,
        interrupted: bool = False,
        speed: str = "",
        at_most: float | None = None,
        past: Past | None = None,
    ) -> None:
        """Show where `live` is. Refreshes only when something reads differently.

        `speed`: how it is played, or slowed down, in words; `at_most`: to so many steps a second.
        `past`: the moment of the cursor, where that is an earlier one than the run's.
        `interrupted`: its process has gone without ending it, and the word is that of the list of runs.
        """
        self._at_most = at_most
        status: str = live.word if live is not None else "ready"
        if interrupted:
            status = "interrupted"
        ended = live is not None and live.ended is not None
        if past is not None and not ended:
            hint = self.both(past.when, hint)
        message, result = hint, ""
        if past is not None and live is not None and live.ended is not None:
            if status != "finished":  # why it has gone no further
                result = live.ended.message
            message = self.both(self.both(result, past.figures), hint)
        elif live is not None and live.ended is not None:
            # How a run has ended stays; what else there is to say comes beside it, or below.
            result = live.ended.message
            if cell_len(result) > self.app.size.width - 2:
                result = _in_short(live) or result
            message = self.both(result, hint)
        elif live is not None and status in ("loading", "training", "over") and live.loading is not None:
            fraction = live.loading.fraction
            message = live.loading.message
            if fraction is not None:
                message += "  " + "".join(progress_bar(fraction, BAR_WIDTH)) + f" {whole_percent(fraction)}"
            if live.examined:  # the results are read, and keys are pressed
                message = self.both(message, hint)
        elif live is not None and status == "training" and live.thread_changes:
            last = live.thread_changes[-1]
            message = hint or (last.sentence if last.threads <= last.before else "")  # of what slows it down
        elif live is not None and status == "training" and live.notes and not live.epochs:
            message = hint or live.notes[-1].sentence
        if live is not None and past is not None and ended:
            line = self._with_machine(self._compose_past(live, status, past, speed), machine)
        else:
            line = self._compose_line(live, status, machine, speed, alone=not message)
        if line == self._line and message == self._message:
            return
        drawn, before, said = self._line, _text(self._line), self._message
        after = _text(line)
        width = self.app.size.width - 2
        old, new = ((_rows(first, width), _rows(second, width)) for first, second in ((before, said), (after, message)))
        # Where they need other rows than before, everything above moves; and what is laid out after a resize is the
        # line of the old width, wrapped.
        grows = old != new or (message != said and new[1] > 1) or width != self._composed_for
        self._composed_for = width
        self._status, self._line, self._message = status, line, message
        alarming, self._alarming = self._alarming, result if status in ("failed", "diverged") else ""
        cells = None
        one_row = "\n" not in before + after and max(cell_len(before), cell_len(after)) <= self.content_size.width
        if one_row and not grows and (message, self._alarming) == (said, alarming):
            cells = changed_cells(*([(_style(part), _words(part)) for part in line] for line in (drawn, line)))
        if cells is None:
            self.refresh(layout=grows)
        else:
            self.refresh(Region(cells[0], 0, cells[1] - cells[0], 1))

    def both(self, first: str, second: str) -> str:
        """Both sentences: beside each other where there is room, or else below."""
        if not (first and second):
            return first or second
        beside = f"{first}; {second}"
        return beside if cell_len(beside) <= self.app.size.width - 2 else f"{first}\n{second}"

    def _compose_line(self, live: LiveRun | None, status: str, machine: str, speed: str, alone: bool) -> list[Part]:
        """The line. The machine's figures stand at its end, or, where there is nothing else to say, below it."""
        width = self.app.size.width - 2
        wide = self.app.size.width >= WIDE
        found = tally(live.findings if live is not None else ())
        parts = _word(status, found, found.marks)
        if live is not None and live.started is not None:
            header = live.header
            # While the cause is looked for, the run itself is over.
            rate = self._speed.of(live) if live.loading is None else None
            if rate and self._at_most:
                rate = min(rate, self._at_most)  # at once: what it was until now tells nothing of the time that is left
            of = f"{header.epochs:,}" if header.epochs else "?"
            parts.append(_("  epoch {epoch:,}/{of} ").format(epoch=live.epoch, of=of))
            # Of a run that is over, and may be played, how many steps it has, and not where it is.
            counting = live.ended is None
            told = [_(" step {step:,}").format(step=live.step) if counting else f" {counted(live.step, 'step', ',')}"]
            if live.ended is not None:
                time = [f"  {duration(live.seconds)}"]
            elif rate and header.total_steps is not None:
                time = [_("  {time} left").format(time=clock((header.total_steps - live.step) / rate))]
            else:
                time = []
            if wide and live.lr_changes:
                time.append(f"  lr {setting(live.lr)}")
            # Three digits: more of them only flicker.
            pace = [f"  {pace_of(rate)}"] if rate else []
            if speed:
                told.insert(0, f"  {speed} ")
                if cell_len(_text(parts) + "".join([*told, *pace, *time])) > width:
                    pace = []  # it is what was asked for, about
            told += [*pace, *time]
            while told and self.app.size.height < SHORT and cell_len(_text(parts)) + cell_len("".join(told)) > width:
                told.pop()  # a row more would be one less for everything else
            parts = self._around_bar(parts, _word(status, found, found.words), live, live.step, "".join(told))
        space = width - 2 - cell_len(_text(parts))
        if alone and space < len(machine) <= width:
            return [*parts, "\n" + " " * (width - len(machine)), (machine, "$text-muted")]
        return self._with_machine(parts, machine)

    def _with_machine(self, parts: list[Part], machine: str) -> list[Part]:
        """`parts`, and as many of the machine's figures as there is room for."""
        space = self.app.size.width - 4 - cell_len(_text(parts))
        for shown in (machine, machine.partition("  gpu")[0], machine.partition("  mem")[0]):
            if len(shown) <= space:
                return [*parts, " " * (space + 2 - len(shown)), (shown, "$text-muted")]
        return parts

    def _compose_past(self, live: LiveRun, status: str, past: Past, speed: str) -> list[Part]:
        """The line of a run that is over, where the cursor stands in its past: one row, whatever that leaves out."""
        width, found = self.app.size.width - 2, tally(live.findings)
        parts: list[Part] = [*_word(status, found, found.marks), past.line(live)]
        told = past.told(live, speed)
        after = next((said for said in told if cell_len(_text(parts)) + cell_len(said) <= width), told[-1])
        return self._around_bar(parts, _word(status, found, found.words), live, past.step, after)

    def _around_bar(self, parts: list[Part], in_words: list[Part], live: LiveRun, step: int, after: str) -> list[Part]:
        """`parts`, which begin with the word `in_words` where there is room, a bar up to `step`, and `after`."""
        width = self.app.size.width - 2
        if cell_len(_text([*in_words, *parts[len(in_words) :]])) + cell_len(after) <= width:
            parts = [*in_words, *parts[len(in_words) :]]
        # The bar gives way before a word goes to the next row.
        room = max(0, width - cell_len(_text(parts)) - cell_len(after))
        share = step / live.header.total_steps if live.header.total_steps else 0.0
        longest = BAR_WIDTH if self.app.size.width >= WIDE else BAR_WIDTH // 2
        done, left = progress_bar(share, min(room, longest))
        return [*parts, (done, "$primary"), (left, "$foreground 30%"), after]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As much as there is to say, and no more than half of the screen."""
        return min(super().get_content_height(container, viewport, width), max(2, viewport.height // 2))

    def _draw_rows(self, crop: Region) -> list[Strip]:
        """As Textual draws them; the highest row, which changes with every frame, from what is known of its styles.

        Textual goes the whole way from a style's name to its colours again each time: that took as long as a chart.
        """
        width = self.outer_size.width
        text = _text(self._line)
        single = crop == Region(0, 0, width, 1) and 2 + cell_len(text) <= width and "\n" not in text
        if not single or self.screen.selections:  # what is selected looks otherwise
            return super()._draw_rows(crop)
        if self._looks and all(_style(part) in self._looks for part in self._line if _words(part)):
            return [self._first_row(width)]
        rows = super()._draw_rows(crop)
        self._learn(rows[0])
        return rows

    def _first_row(self, width: int) -> Strip:
        edge = self._looks[_EDGE]
        segments, x = [Segment(" ", edge)], 0
        for part in self._line:
            if not (words := _words(part)):
                continue
            segments.append(Segment(words, self._looks[_style(part)] + RichStyle(meta={"offset": (x, 0)})))
            x += cell_len(words)
        segments.append(Segment(" " * (width - 1 - x), edge))
        strip = Strip(segments, width)
        # The other filters change colours, and the looks that were learned are of their making.
        for line_filter in self.get_line_filters():
            if isinstance(line_filter, (AsciiFilter, ConsoleFilter)):
                strip = strip.apply_filter(line_filter, Color(0, 0, 0))
        return strip

    def _learn(self, row: Strip) -> None:
        styles = [segment.style or RichStyle() for segment in row for _ in range(segment.cell_length)]
        self._looks = {_EDGE: styles[0]}
        x = 1
        for part in self._line:
            words = cell_len(_words(part))
            if words:
                self._looks[_style(part)] = styles[x].clear_meta_and_links()
            x += words

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Without `regions` anything may look otherwise."""
        if not regions:
            self._looks = {}
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """The theme has changed: colours are looked up again."""
        super().notify_style_update()
        self._looks = {}

    def render(self) -> Content:
        """The line, and the message below it."""
        if not self._message:
            return Content.assemble(*self._line)
        rest = self._message[len(self._alarming) :]
        return Content.assemble(*self._line, "\n", (self._alarming, "$text-error"), (rest, "$text"))


_STYLES: dict[str, str] = {
    "ready": "bold",
    "loading": "bold $text-accent",
    "training": "bold $text-success",
    "over": "bold $text-accent",
    "paused": "bold $text-warning",
    "finished": "bold $text-success",
    "stopped": "bold $text-warning",
    "interrupted": "bold $text-warning",
    "diverged": "bold $text-error",
    "failed": "bold $text-error",
}
