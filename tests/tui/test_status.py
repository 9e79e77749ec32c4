"""The status line: of what it tells, only what differs is drawn again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rich.style import Style as RichStyle
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.selection import SELECT_ALL
from textual.strip import Strip
from textual.widget import Widget

from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import resolve
from d2ltui.spec.numbers import clock
from d2ltui.tui.widgets.past import Past
from d2ltui.tui.widgets.status import Speed, StatusLine
from tests.selection import long_after, long_unless

CONFIG = resolve({"model": "softmax", "dataset": "moons", "epochs": 50})
MACHINE = "cpu  50 %  mem 1.2 GB  gpu –"


class Watched(StatusLine):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Region, ...]] = []

    def refresh(self, *regions: Region, **options: bool):  # type: ignore[no-untyped-def]
        if hasattr(self, "asked"):
            self.asked.append(regions)
        return super().refresh(*regions, **options)


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield Watched()


@pytest.mark.parametrize("size", [(120, 10), (80, 10)])
async def test_a_frame_draws_the_cells_that_differ(size: tuple[int, int]) -> None:
    app, live = Host(), LiveRun(CONFIG)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        status = app.query_one(Watched)
        status.show(live, MACHINE, "a hint")
        await pilot.pause()
        status.asked.clear()
        status.show(live, MACHINE, "a hint")
        assert status.asked == [], "nothing differs"
        status.show(live, MACHINE.replace("50", "51"), "a hint")
        ((region,),) = status.asked
        assert (region.width, region.height) == (1, 1)
        # The region is where the character stands on the screen: everything else may stay as it was.
        line = app.screen._compositor.render_strips()[status.region.y].text
        assert line[status.content_region.x + region.x] == "1"
        status.asked.clear()
        status.show(live, MACHINE.replace("50", "51"), "another hint")
        assert status.asked == [()], "the lower line, too"


@pytest.mark.parametrize("width", [40, 60, 100])
async def test_a_line_that_takes_two_rows_is_drawn_whole(width: int) -> None:
    app, live = Host(), LiveRun(CONFIG)
    async with app.run_test(size=(width, 10)) as pilot:
        await pilot.pause()
        status = app.query_one(Watched)
        for cpu in (50, 51):
            # As after a terminal has shrunk: the line was composed for a wider one.
            line = ["▶ training  " + "step " * (width // 5), f"cpu  {cpu} %"]
            status._compose_line = lambda *_, line=line, **__: line  # type: ignore[method-assign,assignment,misc]
            status.show(live, MACHINE, "a hint")
            await pilot.pause()
        shown = "".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "51" in shown
        assert "50" not in shown


@pytest.mark.parametrize("message", ["one\ntwo\nthree", "漢字" * 50, "word " * 40], ids=["lines", "wide", "long"])
async def test_a_message_is_seen_whole(message: str) -> None:
    app = Host()
    async with app.run_test(size=(120, 40)) as pilot:
        line = app.query_one(Watched)
        for text, rows in ((message, None), ("", 2)):
            line.show(None, MACHINE, text)
            await pilot.pause()
            await pilot.pause()
            needed = line.get_content_height(app.size, app.size, line.content_size.width)
            assert line.content_size.height == max(2, needed)
            assert rows is None or line.content_size.height == rows


def looks(strip: Strip) -> list[tuple[str, RichStyle]]:
    """Each character and how it looks; not where Textual believes that a selection begins."""
    return [
        (character, (segment.style or RichStyle()).clear_meta_and_links())
        for segment in strip
        for character in segment.text
    ]


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "dracula"])
async def test_the_line_looks_as_textual_draws_it(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_textual = []
    original = Widget.render_lines

    def counted(self: Widget, crop: Region) -> list[Strip]:
        by_textual.append(self)
        return original(self, crop)

    monkeypatch.setattr(Widget, "render_lines", counted)
    app = Host()
    row = Region(0, 0, 120, 1)
    async with app.run_test(size=(120, 10)) as pilot:
        app.theme = theme
        await pilot.pause()
        status = app.query_one(Watched)
        for done in range(8):
            if done == 5:
                app.theme = "nord"
                await pilot.pause()
            status._line = [
                ("▶ training", "bold $text-success"),
                " 漢 ",
                ("━" * done, "$primary"),
                ("─" * (8 - done), "$foreground 30%"),
                (f" {done} %", "$text-muted"),
            ]
            status.refresh(Region(0, 0, 30, 1))
            by_textual.clear()
            (shown,) = status.render_lines(row)
            # What it has not drawn before, it draws: each style once.
            assert bool(by_textual) == (done in (0, 1, 5))
            (anew,) = original(status, row)
            assert looks(shown) == looks(anew)
            assert shown.cell_length == 120


async def test_the_look_of_what_is_selected_is_not_kept() -> None:
    app = Host()
    row = Region(0, 0, 120, 1)
    async with app.run_test(size=(120, 10)) as pilot:
        await pilot.pause()
        status = app.query_one(Watched)
        status._line = [("▶ training", "bold $text-success"), "  epoch 1"]
        app.screen.selections = {status: SELECT_ALL}
        await pilot.pause()
        status.refresh(Region(0, 0, 30, 1))
        (selected,) = status.render_lines(row)
        app.screen.selections = {}  # Textual tells the widget later
        status.refresh(Region(0, 0, 30, 1))
        (after,) = status.render_lines(row)
        await pilot.pause()
        status.refresh()
        (anew,) = status.render_lines(row)
        assert looks(selected) != looks(anew)
        assert looks(after) == looks(anew)


async def test_a_line_without_words_is_drawn() -> None:
    app = Host()
    async with app.run_test(size=(120, 10)) as pilot:
        await pilot.pause()
        status = app.query_one(Watched)
        assert status._line == []
        assert status.render_lines(Region(0, 0, 120, 1))[0].text == " " * 120


@pytest.mark.parametrize(("before", "after"), [(300, 80), (90, 78), (100, 99), (78, 90), (60, 120)])
async def test_after_a_resize_it_takes_the_rows_that_it_needs(before: int, after: int) -> None:
    app = Host()
    live = LiveRun(CONFIG)
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 1, "memory"))
    live(events.StatusChanged("training"))
    live(events.StepsTrained(123, np.ones(123, np.float32), np.ones(123, np.float32), 0.01))
    live(events.LearningRateChanged(123, 0.0001))
    async with app.run_test(size=(before, 24)) as pilot:
        status = app.query_one(Watched)
        status.show(live, MACHINE)
        await pilot.pause()
        await pilot.resize_terminal(after, 24)
        await pilot.pause()
        status.show(live, MACHINE)
        await pilot.pause()
        taken = status.size.height
        status.refresh(layout=True)
        await pilot.pause()
        assert taken == status.size.height


@pytest.mark.parametrize("width", long_unless(lambda width: width % 6 == 0, range(66, 84)))
async def test_the_bar_gives_way_before_a_word_does(width: int) -> None:
    app, live = Host(), LiveRun(CONFIG)
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 1, "memory"))
    live(events.StatusChanged("training"))
    live(events.StepsTrained(12, np.ones(12, np.float32), np.ones(12, np.float32), 0.01))
    async with app.run_test(size=(width, 10)) as pilot:
        app.query_one(Watched).show(live, MACHINE)
        await pilot.pause()
        first = app.screen._compositor.render_strips()[app.query_one(Watched).region.y].text
        assert first.split()[:2] == ["▶", "training"]
        assert " left" in first


def test_the_speed_is_that_of_late_and_in_the_end_of_the_whole_run() -> None:
    live, speed = LiveRun(CONFIG), Speed()
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 1, "memory"))
    assert speed.of(live) == 0
    step, seconds = 0, 0.0

    def train(steps: int, took: float) -> float:
        nonlocal step, seconds
        step, seconds = step + steps, seconds + took
        figures = np.ones(steps, np.float32)
        live(events.StepsTrained(step, figures, figures, seconds))
        return speed.of(live)

    assert train(100, 0.5) == 200  # too soon for anything but the mean
    for _ in range(20):
        slow = train(10, 1.0)
    assert slow == pytest.approx(10)
    for _ in range(11):
        fast = train(1000, 1.0)
    assert fast == pytest.approx(1000)
    assert speed.of(live) == fast  # a pause changes nothing
    live(events.RunEnded("stopped", "", {}))
    assert speed.of(live) == pytest.approx(step / seconds)


MESSAGES = (
    "",
    "paused: space goes on",
    "hidden: 4096,4096 does not fit into the memory of cuda:0; allowed: what fits, so try fewer",
    "data_dir: '/home/somebody/with/a/long/path/to/the/data/sets' is not allowed; allowed: an existing directory",
    "other programs hold 1.0 of 2 cores: --threads auto, or 1, trains faster than 2",
    "store: no checkpoint (No space left on device)\nand more",
)


@pytest.mark.parametrize("width", [80, 120])
async def test_how_a_run_has_ended_takes_one_row(width: int) -> None:
    app, live = Host(), LiveRun(CONFIG)
    live(events.EpochEnded(50, 300, 0.01234, 0.04567, 0.9988, 0.9876, 1.0))
    said = "after 50 epochs: loss 0.01234 train, 0.04567 validation; accuracy 0.9988 train, 0.9876 validation"
    live(events.RunEnded("finished", said, {}))
    async with app.run_test(size=(width, 24)) as pilot:
        status = app.query_one(Watched)
        status.show(live, MACHINE)
        await pilot.pause()
        assert status.size.height == 2
        shown = "".join(strip.text for strip in app.screen._compositor.render_strips())
        assert (said in shown) is (width == 120)
        assert "0.9988 train, 0.9876 val" in shown


@pytest.mark.parametrize("width", long_after(1, [66, 40, 80, 100]))
async def test_every_message_has_the_rows_that_it_needs_whatever_was_said_before(width: int) -> None:
    app = Host()
    async with app.run_test(size=(width, 24)) as pilot:
        status = app.query_one(Watched)
        for first, second in itertools.permutations(MESSAGES, 2):
            for message in (first, second):
                status.show(None, MACHINE, message)
                await pilot.pause()
            taken = status.size.height
            status.refresh(layout=True)
            await pilot.pause()
            assert taken == status.size.height, (first, second)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("step", [12, 123_456])
async def test_the_past_takes_one_row_whatever_its_numbers(width: int, step: int) -> None:
    app, live = Host(), LiveRun(CONFIG)
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 4_000, "memory"))
    live(events.EpochEnded(50, 200_000, 0.01234, 0.04567, 0.9988, 0.9876, 1.0))
    live.step = 200_000
    alarm = events.Finding("dead-relu", "alarm", 2, step, 1.0, "dead", "why", "try", {})
    live(events.FindingsChanged(step, (alarm,) * 12))
    live(events.RunEnded("finished", "after 50 epochs", {}))
    past = Past(
        step, f"{step / 4000:.2f}", "12:34", "then: loss 0.15 train, 0.162 val; accuracy 0.938 train, 0.964 val"
    )
    async with app.run_test(size=(width, 24)) as pilot:
        status = app.query_one(Watched)
        status.show(live, MACHINE, speed="replay at 10,000 steps/s", past=past)
        await pilot.pause()
        assert status.size.height == 2
        first, then = (strip.text.strip() for strip in app.screen._compositor.render_strips()[:2])
        assert f"in the past: epoch {step / 4000:.2f}/50 " in first
        assert f" step {step:,}" in first
        assert then == past.figures


@pytest.mark.parametrize("step", [12, 1_234])
async def test_slow_motion_takes_one_row(step: int) -> None:
    app, live = Host(), LiveRun(CONFIG)
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 100, "memory"))
    live(events.StatusChanged("training"))
    live(events.StepsTrained(step, np.ones(step, np.float32), np.ones(step, np.float32), step / 300))
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one(Watched).show(live, MACHINE, "a hint", speed="slow motion: 300 steps/s")
        await pilot.pause()
        first, below = (strip.text.strip() for strip in app.screen._compositor.render_strips()[:2])
        assert first.endswith(" left")
        assert "slow motion: 300 steps/s" in first
        assert below == "a hint"


async def test_in_slow_motion_the_time_that_is_left_is_that_of_its_speed() -> None:
    app, live = Host(), LiveRun(CONFIG)
    live(events.RunStarted(CONFIG, "cpu", layer_plan(CONFIG), 100, 10, 100, "memory"))
    live(events.StatusChanged("training"))
    live(events.StepsTrained(400, np.ones(400, np.float32), np.ones(400, np.float32), 400 / 300))
    async with app.run_test(size=(120, 24)) as pilot:
        assert live.header.total_steps is not None
        left = (live.header.total_steps - 400) / 2
        app.query_one(Watched).show(live, MACHINE, speed="slow motion: 2 steps/s", at_most=2.0)
        await pilot.pause()
        line = app.screen._compositor.render_strips()[0].text
        assert f"{clock(left)} left" in line
