"""Every size, and the mouse."""

from __future__ import annotations

import asyncio

import pytest
from person import ENDLESS, ORDER, SMALL, TABS, WIDE, Opener, shown_panes
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import RadioButton

from d2ltui.history.live import LiveRun
from d2ltui.spec.catalogue import datasets_for
from d2ltui.spec.config import resolve
from d2ltui.spec.events import Finding, LayersProbed
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.panes.findings import FindingsPane
from d2ltui.tui.panes.layers import LayersPane
from d2ltui.tui.panes.spec import RunView
from d2ltui.tui.screens.dialogs import ChoiceScreen, ConfirmScreen, HelpScreen
from d2ltui.tui.widgets.fields import ChoiceField
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import Line
from d2ltui.tui.widgets.tabs import TabStrip
from tests.selection import long_after


async def test_wide_has_columns_and_narrow_has_tabs(open_app: Opener) -> None:
    async with open_app(size=(120, 40)) as person:
        assert shown_panes(person) == WIDE
        assert not person.main.query_one(TabStrip).display
        await person.pilot.resize_terminal(80, 24)
        await person.until(lambda: person.main.query_one(TabStrip).display, "tabs")
        seen: set[str] = set()
        for title, panes in TABS.items():
            while person.focused_pane not in panes:
                await person.press("tab")
            assert set(shown_panes(person)) <= set(panes)
            seen.update(shown_panes(person))
            assert f"[{title}]" in person.text().splitlines()[0]
            for name in shown_panes(person):
                region = person.main.query_one(f"#{name}").region
                assert region.right <= 80
        assert seen == set(ORDER)
        await person.pilot.resize_terminal(200, 60)
        await person.until(lambda: shown_panes(person) == WIDE, "columns")


async def test_run_on_a_narrow_terminal_goes_to_the_loss(open_app: Opener) -> None:
    async with open_app(size=(80, 24)) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert shown_panes(person) == ["loss"]
        assert person.main.query_one("#loss").region.width == 80


async def test_nothing_of_a_form_is_out_of_reach_on_a_small_terminal(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "fashion-mnist", "init": "normal"}, size=(80, 24)) as person:
        for name in person.shown_fields():
            await person.focus(name)
            field = person.field(name)
            await person.until(
                lambda field=field: person.setup.region.contains_region(field.region), f"{name} on the screen"
            )


async def test_a_field_is_in_sight_however_quickly_one_goes_there(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "fashion-mnist", "init": "normal"}, size=(80, 24)) as person:
        for pause in range(12):
            await person.focus("hidden")
            person.field("data_dir").focus()
            await asyncio.sleep(0.003 * pause)
            person.field("hidden").focus()  # while the form may still move to the other one
            await asyncio.sleep(0.1)
            await person.until(
                lambda: person.setup.region.contains_region(person.field("hidden").region), "the field in sight"
            )


@pytest.mark.parametrize("layers", long_after(1, [20, 100]))
async def test_more_layers_than_there_is_room_for_scroll(open_app: Opener, layers: int) -> None:
    async with open_app({**SMALL, "model": "mlp", "hidden": ",".join(["4"] * (layers - 1))}) as person:
        await person.press("s")
        await person.until_word("paused")
        for name in ("activations", "gradients"):
            view = person.main.query_one(f"#{name}", LayersPane).view
            await person.until(lambda view=view: len(view.lines) >= layers, "a line for each layer")
            # The pause is looked at after it has been told of: not before that do the figures stand still.
            await person.until(lambda: person.live.layers is not None and person.live.layers.step == 1, "a look")
            person.main.tick()
            await person.settle()
            last = "".join(text for _, text in view.lines[-1]).strip()
            while person.focused_pane != name:
                await person.press("tab")
            assert last not in person.text()
            for _ in range(len(view.lines) // view.size.height + 1):
                await person.pilot.press("pagedown")
            await person.settle()
            assert last in person.text()
            await person.press("up")
            assert 0 < view.scroll_offset.y < len(view.lines) - view.size.height
            for _ in range(len(view.lines) // view.size.height + 1):
                await person.pilot.press("pageup")
            await person.settle()
            assert view.scroll_offset.y == 0
        # A shallow network afterwards: nothing stays scrolled out of sight.
        await person.press("pagedown")
        await person.choose_model("softmax")
        await person.press("s")
        await person.until(lambda: "1 Linear 2→2" in person.text(), "the other network")


async def test_the_newest_look_at_the_layers_is_shown(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        pane = person.main.query_one("#activations", LayersPane)
        await person.press("s")
        await person.until(lambda: str(pane.border_subtitle).endswith("  step 1"), "the first step's look")
        for step in range(2, 8):
            await person.press("s")
            told = f"  step {step}"
            await person.until(lambda told=told: str(pane.border_subtitle).endswith(told), f"the look of {told}")


async def test_the_mouse_does_what_the_keys_do(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "epochs": 1}) as person:
        pilot = person.pilot
        # A model.
        softmax = next(button for button in person.main.query(RadioButton) if button.name == "softmax")
        await pilot.click(softmax)
        await person.settle()
        assert person.setup.state["model"] == "softmax"
        # A choice: its arrows, and its name for the list of all.
        field = person.field("dataset")
        assert isinstance(field, ChoiceField)
        before = field.value
        shown = field.render().plain
        await pilot.click(field, offset=(shown.index("›"), 0))
        await person.settle()
        after = field.value
        assert after != before
        await pilot.click(field, offset=(shown.index("‹"), 0))
        await person.settle()
        assert field.value == before
        await pilot.click(field, offset=(2, 0))
        await person.settle()
        assert isinstance(person.app.screen, ChoiceScreen)
        await person.press("escape")
        # A field, a pane, a key of the footer.
        await pilot.click(person.field("lr").query_one("Input"))
        await person.settle()
        assert person.focused_pane == "form-pane"
        await pilot.click("#accuracy")
        await person.settle()
        assert person.focused_pane == "accuracy"

        async def click_key(word: str) -> None:
            line = person.main.query_one(KeysLine)
            await pilot.click(line, offset=(line.render().plain.index(word), 0))
            await person.settle()

        await click_key("help")
        assert isinstance(person.app.screen, HelpScreen)
        await person.press("escape")
        await click_key("step")
        await person.until_word("paused")
        await click_key("quit")
        assert isinstance(person.app.screen, ConfirmScreen)
        await pilot.click("#no")
        await person.settle()
        await click_key("stop")
        await person.until_word("stopped")
        # Tabs.
        await pilot.resize_terminal(80, 24)
        await person.until(lambda: person.main.query_one(TabStrip).display, "tabs")
        for title in reversed(TABS):
            strip = person.main.query_one(TabStrip)
            await pilot.click(strip, offset=(1 + strip.render().plain.index(title), 0))
            await person.until(lambda title=title: set(shown_panes(person)) <= set(TABS[title]), title)


async def test_a_choice_that_is_too_long_can_be_turned_by_its_arrows(open_app: Opener) -> None:
    async with open_app({"model": "linear"}, size=(101, 40)) as person:
        field = person.field("dataset")
        assert isinstance(field, ChoiceField)
        await person.pilot.click(field, offset=(field.render().plain.index("›"), 0))
        await person.settle()
        assert field.value == datasets_for("linear")[1]


@pytest.mark.parametrize("size", long_after(1, [(100, 30), (80, 24), (120, 40), (200, 60)], whole=True))
async def test_no_choice_is_cut_off(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({"model": "linear"}, size=size) as person:
        assert "‹ synthetic-linear ›" in person.text()
        await person.choose_model("mlp")
        await person.choose("dataset", "fashion-mnist")
        assert "‹ fashion-mnist ›" in person.text()


async def test_a_look_that_takes_the_place_of_an_older_one_in_memory_is_shown(open_app: Opener) -> None:
    """CPython gives a new object the address of one that is gone: the address alone does not tell them apart."""
    async with open_app() as person:
        pane = person.main.query_one("#activations", LayersPane)
        live = LiveRun(resolve(SMALL))
        for step in range(50):
            live.layers = None  # the older look is gone before the newer one is made
            live.layers = LayersProbed(step, ())
            pane.show_run(RunView(live))
            assert str(pane.border_subtitle).endswith(f"  step {step}")


async def test_a_selected_finding_begins_at_the_top(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("s")
        await person.until(lambda: person.live.status == "paused" and person.live.layers, "the first step")
        text = "so long that it takes some lines " * 5
        person.live.findings = tuple(
            Finding("rule", "warning", number, 1, 0.5, f"finding {number}", text, text, {}) for number in range(4)
        )
        person.main.query_one("#findings", FindingsPane).focus()
        view = person.main.query_one("#findings", FindingsPane).view
        await person.until(lambda: "›△ finding 0" in person.text(), "all findings")
        await person.press("down")
        await person.until(lambda: view.scroll_offset.y > 0, "the second one")
        first = "".join(text for _, text in view.lines[view.scroll_offset.y])
        assert "finding 1" in first
        # One alone is scrolled, line by line.
        person.live.findings = person.live.findings[:1]
        await person.until(lambda: "finding 1" not in person.text(), "one finding")
        view.scroll_to(y=0, animate=False)
        await person.press("down")
        assert view.scroll_offset.y == 1


async def test_a_chart_back_in_its_former_size_is_there_with_the_layout(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        loss = person.main.query_one("#loss", ChartPane)
        small = loss.view.lines
        await person.press("z")
        await person.until_drawn("loss")
        assert loss.view.size.width > 100
        assert loss.view.lines != small
        shown: list[list[Line]] = []
        render_lines = loss.view.render_lines

        def noting(crop: Region) -> list[Strip]:
            strips = render_lines(crop)
            shown.append(loss.view.lines)
            return strips

        loss.view.render_lines = noting  # type: ignore[method-assign]
        await person.press("z")
        await person.until(lambda: shown, "the small chart drawn on the screen")
        assert shown[0] == small, "the first thing painted is the old drawing, not a piece of the large one"


async def test_a_kept_drawing_is_not_shown_for_another_look(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        loss = person.main.query_one("#loss", ChartPane)
        linear = loss.view.lines
        await person.press("z", "l")  # another axis
        await person.until_drawn("loss")
        await person.press("z")
        await person.until_drawn("loss")
        await person.until(lambda: loss._shown[1] == tuple(loss.view.size), "a drawing in the small size")
        assert loss.view.lines != linear


@pytest.mark.parametrize("size", long_after(1, [(100, 30), (120, 40), (200, 60)], whole=True))
async def test_every_field_of_the_form_is_in_sight_where_there_are_columns(
    open_app: Opener, size: tuple[int, int]
) -> None:
    async with open_app({"model": "mlp"}, size=size) as person:
        await person.until(lambda: "threads" in person.text(), "the last field")
        assert person.setup.max_scroll_y == 0
        assert "parameters" in person.text() or size == (100, 30)
        assert ("normalised" in person.text()) == (size != (100, 30))
