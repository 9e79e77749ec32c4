"""The picture: on its key, in its place, with the kinds that the run has; made only while somebody sees it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from person import Opener, Person

from d2ltui.history.live import LiveRun
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import resolve
from d2ltui.spec.pictures import Maps, PictureMade, PictureRequest
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.panes.picture import PicturePane, is_whole, kinds_of


def pane(person: Person) -> PicturePane:
    return person.main.query_one("#picture", PicturePane)


def request(person: Person) -> PictureRequest | None:
    assert person.app.pictures is not None
    return person.app.pictures.request


async def until_shown(person: Person, kind: str) -> None:
    """Until the picture of `kind` is on the screen in the pane's present size."""

    def shown() -> bool:
        desk, view = person.app.pictures, pane(person).view
        made = desk.made if desk is not None else None
        return (
            made is not None
            and desk is not None
            and made.request == desk.request
            and made.request.kind == kind
            and made.request.width == view.size.width
            and len(view.lines) == view.size.height
        )

    await person.until(shown, f"the picture {kind}")


def displayed(person: Person, name: str) -> bool:
    return bool(person.main.query_one(f"#{name}").display)


async def test_the_picture_of_a_run_that_goes_on_and_of_one_that_is_over(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "moons", "epochs": 1_000_000}) as person:
        await person.press("p")
        assert person.focused_pane == "picture"
        assert not displayed(person, "activations")
        await person.until(lambda: "the data, and" in person.text(), "what there will be")
        await person.press("s")
        await person.until_word("paused")
        await until_shown(person, "regions")
        await person.until(lambda: " upper" in person.text() and " lower" in person.text(), "the classes")
        assert "Picture: decision regions" in person.text()
        # Asked for again, the same picture is looked for until it is another one, and then shown at once.
        desk, view = person.app.pictures, pane(person)._last
        assert desk is not None
        assert view is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(desk, "on_ask", lambda: None)  # nobody answers
            desk.ask(None)
            pane(person).show_run(view)
            pane(person)._look_for_answer()
            assert pane(person)._looking
        made = desk.made
        assert made is not None
        desk.put(msgspec.structs.replace(made, step=7))
        pane(person)._look_for_answer()
        assert not pane(person)._looking
        assert "step 7" in str(pane(person).border_subtitle)
        await person.press("v")
        await until_shown(person, "units")
        await person.press("left", "left")
        await until_shown(person, "activation")
        await person.press("left")
        await until_shown(person, "softmax")
        await person.press("down")
        await person.until(lambda: "sample 2 of 200" in person.text(), "the next sample")
        await person.press("z")
        await until_shown(person, "softmax")
        await person.press("z", "right", "v")
        await until_shown(person, "regions")
        asked = request(person)
        assert asked is not None
        await person.press("?")
        assert request(person) is None  # a screen that covers it
        await person.press("escape")
        await person.until(lambda: request(person) == asked, "the picture again")
        await person.press("p")
        assert displayed(person, "activations")
        assert not displayed(person, "picture")
        await person.until(lambda: request(person) is None, "nobody to look")
        await person.press("x")
        await person.until_word("stopped")
        await person.press("p")
        await until_shown(person, "regions")
        # As a tab, and by `tab`, which goes through the panes in their order.
        await person.pilot.resize_terminal(80, 24)
        await until_shown(person, "regions")
        await person.until(lambda: "[Picture]" in person.text(), "its tab")
        await person.press("shift+tab")
        assert person.focused_pane == "gradients"
        await person.until(lambda: request(person) is None, "nobody to look")
        await person.press("tab")
        await until_shown(person, "regions")


@pytest.mark.parametrize(
    ("kind", "total", "whole"), [("weights", 4, True), ("weights", 9, False), ("features", 4, False)]
)
def test_one_page_is_not_turned(kind: str, total: int, whole: bool) -> None:
    shown = Maps(np.zeros((4, 5, 5), np.float32), ("a", "b", "c", "d"), 0, total, "")
    assert is_whole(PictureMade(PictureRequest(kind, 40, 20, 0), 1, shown)) is whole


def test_the_kinds_of_a_run_are_the_same_before_its_data_is_loaded() -> None:
    for given in ({"model": "mlp", "dataset": "moons"}, {"model": "lenet", "dataset": "fashion-mnist"}):
        live = LiveRun(resolve(given))
        before = kinds_of(live)
        live.header = msgspec.structs.replace(live.header, layers=layer_plan(live.config))
        assert [kind.name for kind in before] == [kind.name for kind in kinds_of(live)]
        assert "activation" in [kind.name for kind in before]


async def test_letters_where_there_are_no_colours(open_app: Opener) -> None:
    async with open_app({"model": "softmax", "dataset": "moons", "epochs": 1}, ascii=True) as person:
        person.app.no_color = True
        await person.press("p", "ctrl+r")
        await person.until_word("finished")
        await until_shown(person, "regions")
        await person.until(lambda: "A upper  B lower" in person.text(), "the classes")
        assert person.text().isascii()
        assert "aaaaa" in person.text()
        # With the cursor on an earlier step, the picture is of what the network was by then.
        await person.press("tab")
        while person.focused_pane != "loss":
            await person.press("tab")
        await person.press(*["left"] * 4)
        await person.until(lambda: person.main.cursor is not None, "the cursor")
        step = person.main.cursor or 0
        await person.until(lambda: f"v kind  step {step}" in person.text(), "its picture")
        await person.press("escape")
        # On a light background what stands out is dark.
        for key in ("", "ctrl+t"):
            await person.press(*([key] if key else []))
            look = look_of(pane(person).view, ascii=True)
            assert (sum(look.foreground) > sum(look.background)) == person.app.current_theme.dark
