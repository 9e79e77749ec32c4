"""Who leaves is gone: whatever still runs in the interface then is no defect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from person import SMALL, Opener
from textual.css.query import NoMatches

from d2ltui.spec.config import resolve
from d2ltui.tui.app import D2LApp
from d2ltui.tui.screens.main import MainScreen


async def test_an_end_while_the_screen_is_put_together_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = MainScreen.compose

    def leave_first(screen: MainScreen) -> Iterator[object]:
        screen.host.leave(143)
        yield from compose(screen)

    monkeypatch.setattr(MainScreen, "compose", leave_first)
    app = D2LApp(resolve({}), ascii=False)
    await app.run_async(headless=True)
    assert app.return_code == 143


async def test_the_same_in_an_application_that_goes_on_is_a_defect(open_app: Opener) -> None:
    async def look_for_nothing() -> None:
        async with open_app(SMALL) as person:
            person.app.call_later(person.main.query_one, "#nowhere")
            await person.settle()

    with pytest.raises(NoMatches):
        await look_for_nothing()
