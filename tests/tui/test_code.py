"""The run as code, beside the run."""

from __future__ import annotations

from person import Opener

from d2ltui.tui.widgets.code import CodeView

LINEAR: dict[str, object] = {"model": "linear", "epochs": 1_000_000, "lr": 0.25, "weight_decay": 0.01}


def shown(view: CodeView) -> list[str]:
    """What stands in the view, as far as it goes."""
    return ["".join(text for _, text in line) for line in view.lines]


def marked(view: CodeView) -> str:
    """The one line with a mark, and what stands beside it."""
    (line,) = (line for line in shown(view) if line[0] != " ")
    return line


async def test_the_run_stands_beside_itself_as_code(open_app: Opener) -> None:
    async with open_app(LINEAR, size=(120, 40)) as person:
        await person.press("c")  # no run yet: what the form describes
        scratch, concise = person.app.screen.query(CodeView)
        await person.until(lambda: bool(concise.lines), "the code")
        assert "  num_epochs, batch_size, lr = 1000000, 32, 0.25" in shown(scratch)
        assert "      return X @ W + b" in shown(scratch)
        assert "  net = nn.Sequential(nn.Linear(2, 1))" in shown(concise)
        colours = {style for line in concise.lines for style, _ in line}
        assert len(colours) > 4  # keywords, names, numbers, …
        # No line is broken: what does not fit ends with a sign, and is reached sideways.
        cut = [line for line in shown(concise) if line.endswith("…")]
        assert cut
        assert all(len(line) <= concise.size.width for line in shown(concise))
        assert {len(line) for line in cut} == {concise.scrollable_content_region.width}
        await person.press("right", "right")
        assert sum(line.endswith("…") for line in shown(concise)) < len(cut)
        await person.press("left", "left")
        assert [line for line in shown(concise) if line.endswith("…")] == cut
        await person.press("escape")

        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("space")
        await person.until_word("paused")
        control = person.app.control
        assert control is not None
        control.set_lr(0.125)
        await person.until(lambda: person.live.lr == 0.125, "another learning rate")
        await person.press("c")
        scratch, concise = person.app.screen.query(CodeView)
        await person.until(lambda: any("0.125" in line for line in shown(concise)), "the rate of now")
        step = person.live.step

        # The step that comes next, line by line, in both columns; the run waits meanwhile.
        await person.until(lambda: "forward, line 1 of 6" in person.text(), "the step's first line")
        assert marked(scratch).startswith("▶     return X @ W + b")
        assert marked(concise).startswith("▶ net = nn.Sequential(nn.Linear(2, 1))")
        await person.press("s")
        assert "loss, line 2 of 6" in person.text()
        assert marked(concise).startswith("▶     l = loss(y_hat, y)")
        await person.press("s", "s")
        assert "backward, line 4 of 6" in person.text()
        assert marked(scratch).startswith("◀     return X @ W + b")
        await person.press("s")
        assert marked(concise).startswith("▶     optimizer.step()")
        assert "W.grad" in person.text()
        await person.press("s")
        assert "update, line 6 of 6" in person.text()
        assert person.live.step == step
        await person.press("s")  # after the last line the run takes the step
        await person.until(lambda: person.live.step == step + 1, "the step")
        await person.until(lambda: "forward, line 1 of 6" in person.text(), "the first line of the step after it")
        assert f"Step {step + 2:,}," in person.text()
        await person.press("S")
        await person.until(lambda: person.live.step == step + 2, "the rest of a step")
        await person.press("space")
        await person.until(lambda: person.live.step > step + 100, "a run that trains on")
        await person.until(lambda: "line 1 of" not in person.text(), "no step while it trains")
        await person.press("less_than_sign")
        await person.until(lambda: " steps/s" in person.text(), "slow motion")
        await person.press("s")
        await person.until(lambda: "forward, line 1 of 6" in person.text(), "a pause before the next step")

        await person.pilot.resize_terminal(80, 24)
        await person.until(lambda: not scratch.parent.display, "one at a time")  # type: ignore[union-attr]
        await person.press("v")
        await person.until(lambda: "From scratch" in person.text(), "the other one")
        assert "Concise" not in person.text()
        await person.press("x")
        await person.until(lambda: person.live.ended is not None, "the end")
        await person.until(lambda: "line 1 of" not in person.text(), "no step to come")
        await person.press("question_mark")
        await person.until(lambda: "the lines that are left" in person.text(), "this screen's keys")
        await person.press("escape")
        await person.press("down", "down")
        assert scratch.scroll_offset.y == 2
        over = person.live
        await person.press("s")  # of a run that is over there is no line that comes next
        await person.until(lambda: person.live is not over, "a new run")
        assert any("a new run has begun" in notice.message for notice in person.app._notifications)
        await person.press("x")
        await person.until(lambda: person.live.ended is not None, "its end")
        await person.press("c")
        await person.settle()
        assert person.app.screen is person.main
