"""The cursor on the charts: it reads every curve, and the layers go to its step; numbers stand in the titles."""

from __future__ import annotations

import re

import pytest
from person import ENDLESS, SMALL, Opener

from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.widgets.status import StatusLine


async def test_a_chart_is_read_at_a_step_and_zoomed(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        loss, accuracy = (person.main.query_one(f"#{name}", ChartPane) for name in ("loss", "accuracy"))
        live = person.live
        last = live.epochs[-1]
        figures = f"train {last.train_loss:.3g} val {last.val_loss:.3g}"
        await person.until(lambda: figures in str(loss.border_title), "the last epoch's losses in the title")
        assert f"train {last.train_metric:.3g} val {last.val_metric:.3g}" in str(accuracy.border_title)

        def text(pane: ChartPane) -> str:
            return "\n".join("".join(text for _, text in line) for line in pane.view.lines)

        before = text(loss)
        person.main.set_focus(None)  # as where a run has been begun and no pane chosen
        await person.press("left", "left", "left")
        assert person.main.focused is loss
        await person.until(lambda: person.main.cursor is not None and "┊" in text(loss) + text(accuracy), "the cursor")
        step = person.main.cursor
        assert step is not None
        assert 1 <= step < live.step
        raw = live.losses.values()[step - 1]
        for pane, value in ((loss, raw), (accuracy, live.metrics.values()[step - 1])):
            await person.until(lambda p=pane: f"{step:,}" in "".join(text(p).splitlines()[-2:]), "the reading")
            assert "(smooth" in text(pane), "and what stands in the brackets"
            assert f"train {value:.3g}" in text(pane)
        with_cursor, without = ([row[:8] for row in said.split("\n")[:-2]] for said in (text(loss), before))
        assert with_cursor == without, "the axis of the values has not moved"
        shown = [probed.step for probed in live.probes if probed.step <= step] or [live.probes[0].step]
        activations = person.main.query_one("#activations")
        told = f"  look at step {shown[-1]:,}"
        await person.until(lambda: str(activations.border_subtitle).endswith(told), "the layers of that step")

        await person.press("u")
        box = person.app.screen.query_one(".box")
        await person.until(lambda: f", look at step {shown[-1]:,} (" in str(box.border_title), "a layer at that step")
        await person.press("escape")

        await person.press("i")
        await person.until(lambda: " step " in text(loss), "an axis of steps")
        await person.press("plus")
        await person.until(lambda: person.main.chart_zoom == 1, "a part of the run")
        await person.press("minus", "i", "i")
        await person.until(lambda: person.main.chart_zoom == 0 and "epoch  0" in text(loss), "all of it")
        await person.press("escape")
        await person.until(lambda: person.main.cursor is None and text(loss) == before, "the chart as it was")

        await person.press("space")
        await person.until(lambda: "replay at" in person.status and "┊" in text(loss), "the replay")
        await person.press(*"<<<<<<<<<")
        await person.until(lambda: "replay at 1 step/s" in person.status, "its slowest speed")
        at = person.main.cursor or 0
        await person.until(lambda: (person.main.cursor or 0) > at, "the next step")
        await person.press("space")
        await person.until(lambda: "replay" not in person.status, "the end of it")
        assert person.main.cursor is not None
        assert person.main.speed is None, "the next run goes as fast as it can"
        await person.press("space", *">>>>>>>>>")
        await person.until(lambda: "replay" not in person.status and person.main.cursor is None, "the newest step")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_titles_and_status_line_tell_of_the_moment_that_is_shown(open_app: Opener, size: tuple[int, int]) -> None:
    """And that it is the past; of a run that is played as of one that stands still. All of it in one row."""
    async with open_app({**SMALL, "epochs": 12}, size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        loss, live = person.main.query_one("#loss", ChartPane), person.live
        ended = person.status
        assert "in the past" not in ended
        assert loss.region.area

        def tells_of_the_cursor() -> bool:
            step = person.main.cursor
            if step is None:
                return False
            train, val = live.losses.values()[step - 1], live.epochs[live.header.epoch_of(step + 1) - 2].val_loss
            read = f"train {train:.3g}"
            first, then = person.status.split("\n")[:2]
            return bool(
                f"in the past: epoch {step / live.header.steps_per_epoch:.2f}/12 " in first
                and f" step {step:,}" in first
                and then.startswith(f"then: loss {train:.3g} train, {val:.3g} val; accuracy ")
                and re.match(rf"Loss at (step )?{step:,}: {read} val {val:.3g}( of |$)", str(loss.border_title))
                and any(f"step {step:,}, epoch {step / live.header.steps_per_epoch:.2f}" in row for row in rows(loss))
                and any(read in row for row in rows(loss))
            )

        def rows(pane: ChartPane) -> list[str]:
            return ["".join(text for _, text in line) for line in pane.view.lines]

        await person.press(*["shift+left"] * (4 if size[0] == 80 else 2), "left")
        await person.until(tells_of_the_cursor, "the cursor's moment")
        assert person.word == "finished", "what has become of the run is told all the same"
        assert person.main.query_one(StatusLine).size.height == 2
        await person.press("space", "<", "<", "<")
        await person.until(
            lambda: "replay at 1 step/s" in person.status and tells_of_the_cursor(), "the replay's moment"
        )
        assert person.main.query_one(StatusLine).size.height == 2
        await person.press("space")
        await person.press("escape")
        await person.until(lambda: person.status.split("\n")[1:] == ended.split("\n")[1:], "the end again")
        assert "in the past" not in person.status
        assert "at step" not in str(loss.border_title)


async def test_of_a_run_that_goes_on_it_is_said_that_the_cursor_stays_behind(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(80, 24)) as person:
        await person.press("ctrl+r")
        await person.until(lambda: person.live.step > 50, "some steps")
        await person.press("left", "left")
        await person.until(lambda: person.main.cursor is not None, "the cursor")
        step = person.main.cursor or 0
        await person.until(lambda: f"the cursor is in the past: step {step:,}, epoch " in person.status, "where it is")
        assert person.word == "training"
        assert f" of {person.live.step:,}" not in person.status.split("\n")[0]
        await person.press("escape")
        await person.until(lambda: "in the past" not in person.status, "the newest step")
