"""The cursor on the charts: it reads every curve, and the layers go to its step; numbers stand in the titles."""

from __future__ import annotations

from person import SMALL, Opener

from d2ltui.tui.panes.chart import ChartPane


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
        await person.until(lambda: "replay at 1 step/s: cursor at step" in person.status, "its slowest speed")
        at = person.main.cursor or 0
        await person.until(lambda: (person.main.cursor or 0) > at, "the next step")
        await person.press("space")
        await person.until(lambda: "replay" not in person.status, "the end of it")
        assert person.main.cursor is not None
        assert person.main.speed is None, "the next run goes as fast as it can"
        await person.press("space", *">>>>>>>>>")
        await person.until(lambda: "replay" not in person.status and person.main.cursor is None, "the newest step")
