"""A screen that was behind another one and comes back: it is shown at once, and nothing is done twice for it."""

from __future__ import annotations

import pytest
from emulator import Emulator, drawn_anew
from test_compositor import HEIGHT, WIDTH, Two, cells, listen, text, until
from textual._compositor import Compositor
from textual.app import ComposeResult
from textual.geometry import Region, Size
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Static

from d2ltui.tui.render.compositor import BatchedScreen, CellDiffCompositor
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.lines import LinesView


class Dialog(Once, BatchedScreen, ModalScreen[None]):
    """In front of the drawings, which can be seen around it, or not."""

    DEFAULT_CSS = "Dialog { align: center middle; }  Dialog.-opaque { background: $surface; }"

    def compose(self) -> ComposeResult:
        yield Static("a question")


def rendering(patch: pytest.MonkeyPatch) -> list[str | None]:
    """The names of the drawings that are rendered from now on."""
    rendered: list[str | None] = []
    original = LinesView.render_lines

    def render_lines(self: LinesView, crop: Region) -> list[Strip]:
        rendered.append(self.id)
        return original(self, crop)

    patch.setattr(LinesView, "render_lines", render_lines)
    return rendered


@pytest.mark.parametrize("opaque", [False, True])
async def test_a_screen_that_comes_back_is_shown_as_it_was_with_what_has_changed(
    monkeypatch: pytest.MonkeyPatch, opaque: bool
) -> None:
    """At once, before the other one is taken down; nothing else is rendered, and nothing laid out."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        below = app.drawings
        app.show("left", "abcdefgh", "one")
        app.show("right", "ABCDEFGH", "two")
        await pilot.pause(0.1)
        dialog = Dialog(classes="-opaque" if opaque else "")
        app.push_screen(dialog)
        await until(pilot, lambda: "question" in text("".join(sent)))
        await pilot.pause(0.1)
        below.query_one("#left", LinesView).show([[(1, "abcdefgX")], [(1, "one")]])
        await pilot.pause(0.1)
        assert cells("".join(sent)) == app.shown(), "what can be seen of it behind the other one is new, too"
        rendered = rendering(monkeypatch)
        laid_out: list[Size] = []
        monkeypatch.setattr(
            CellDiffCompositor,
            "reflow",
            lambda self, parent, size, original=CellDiffCompositor.reflow: (
                laid_out.append(size) or original(self, parent, size)
            ),
        )
        dialog.dismiss(None)
        assert app.screen is below
        assert rendered == ["left"]
        assert text("".join(sent)).startswith("abcdefgX")
        answered = len(sent)
        await until(pilot, lambda: not dialog.is_attached)
        await pilot.pause(0.1)
        assert rendered == ["left"]
        assert not laid_out
        assert not "".join(sent[answered:])
        assert cells("".join(sent)) == app.shown()


async def test_a_screen_that_comes_back_in_another_size_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        await pilot.pause(0.1)
        dialog = Dialog()
        app.push_screen(dialog)
        await pilot.pause(0.1)
        await pilot.resize_terminal(WIDTH - 4, HEIGHT)
        await pilot.pause(0.1)
        dialog.dismiss(None)
        await until(pilot, lambda: not dialog.is_attached)
        await pilot.pause(0.1)
        emulator = Emulator(WIDTH - 4, HEIGHT)
        emulator.feed("".join(sent))
        assert emulator.looks() == drawn_anew(app.screen._compositor.render_strips(), WIDTH - 4, HEIGHT)


async def test_a_screen_of_which_all_is_wanted_draws_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds tells of its own changes, also where both come together."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        app.show("right", "ABCDEFGH", "two")
        await pilot.pause(0.1)
        rendered = rendering(monkeypatch)
        app.show("right", "ABCxEFGH", "two")
        app.screen.refresh()
        await pilot.pause(0.1)
        assert rendered == ["right"]
        assert cells("".join(sent)) == app.shown()


async def test_all_of_a_screen_is_rendered_widget_by_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual cuts each line of each widget wherever another one begins or ends."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        app.show("part", *["part of it"] * 4)
        await pilot.pause(0.1)
        sent.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Compositor, "_render_chops", None)
            rendered = rendering(patch)
            app.redraw()
            await until(pilot, lambda: sent)
        assert sorted(str(name) for name in rendered) == ["front", "left", "part", "right"]
        assert cells("".join(sent)) == app.shown()


async def test_what_cannot_be_seen_lays_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has changed within something that is hidden, together with what can be seen."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        app.screen.query_one("#cut").display = False
        await pilot.pause(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(Compositor, "_arrange_root", None)
            app.show("part", "", "unseen")
            app.show("left", "abcdefgX", "one")
            await pilot.pause(0.1)
            assert app.screen.query_one("#left").region, "Textual would look for it in a new layout"
        assert cells("".join(sent)) == app.shown()
        app.screen.query_one("#cut").display = True
        await pilot.pause(0.1)
        assert "seen" in text("".join(sent))
        assert cells("".join(sent)) == app.shown()
