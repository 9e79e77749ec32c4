"""The order of the list of runs: by what a person clicks on."""

from __future__ import annotations

import contextlib

import msgspec
from person import Opener
from test_runs_screen import CONFIG, rows_of, runs_screen

from d2ltui.spec import events
from d2ltui.store import home
from d2ltui.store.session import RunWriter
from d2ltui.tui.widgets.runs_table import RunsTable


async def test_a_click_on_a_heading_sorts_by_that_column_and_the_next_one_the_other_way_round(open_app: Opener) -> None:
    names = []
    for epochs, loss in ((3, 0.7), (10, 0.2), (5, None)):
        config = msgspec.structs.replace(CONFIG, epochs=epochs)
        path = home.create("softmax-moons", lambda path, config=config: RunWriter.make(path, config, None))
        with contextlib.closing(RunWriter(path, config)) as session:
            if loss is not None:
                session.take(events.EpochEnded(1, 3, 0.5, loss, 0.75, 0.75, 1.0))
            session.take(events.RunEnded("stopped", "stopped by you", {}))
            session.write()
        names.append(path.name)
    ten_of, low, unmeasured = names
    async with open_app({}, size=(160, 45)) as person:
        screen = await runs_screen(person, 3)
        screen._table.names = ("val_loss", "epochs", "batch_size", "hidden")
        screen.show_runs()
        await person.settle()

        async def click(column: str) -> list[str]:
            at = [column_.label.plain for column_ in screen._table.ordered_columns].index(column)
            x = sum(column_.get_render_width(screen._table) for column_ in screen._table.ordered_columns[:at]) + 2
            await person.pilot.click(RunsTable, offset=(x, 0))
            await person.settle()
            return list(rows_of(screen))

        assert await click("val loss") == [low, ten_of, unmeasured], "what has none is last"
        assert "by validation loss" in person.text()
        assert await click("val loss") == [ten_of, low, unmeasured]
        assert "by val loss, the largest first" in person.text()
        assert await click("run") == sorted(names)
        assert await click("hidden") == sorted(names), "equals by name"
        before = list(rows_of(screen))
        assert await click("") == before, "the column of the marks is in no order"
        await person.press("s")
        assert "newest first" in person.text()
