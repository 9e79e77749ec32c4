"""The application in a real terminal: painted, trained with, resized, and left."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from terminal import PATIENCE, Terminal, application

SPIRALS = ("--model", "mlp", "--dataset", "spirals", "--epochs", "100000")
# PyTorch's import waits for a file: what happens before that needs none of it.
GATE = """
import os, sys, time
from importlib.machinery import PathFinder
class Gate:
    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def wait(module):
            while not os.path.exists(os.environ["TEST_GATE"]):
                time.sleep(0.01)
            run(module)
        spec.loader.exec_module = wait
        return spec
sys.meta_path.insert(0, Gate())
"""


def loss_chart(terminal: Terminal) -> str:
    """What the loss pane shows."""
    lines = terminal.text().split("\n")
    end = next(at for at, line in enumerate(lines) if at > 0 and "─ smoothing" in line)
    return "\n".join(line[34:79] for line in lines[1:end])


def test_from_the_first_paint_to_a_trained_network(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    with application("--epochs", "12", before=GATE, cold=True, TEST_GATE=str(gate)) as terminal:
        terminal.wait("ready")
        for words in ("Multilayer perceptron", "digits", "Loss", "Activations", "Gradients", "^r run"):
            terminal.wait(words)
        maps = Path(f"/proc/{terminal.pid}/maps")
        if maps.exists():
            assert "libtorch" not in maps.read_text()
        terminal.press("?")  # it answers, too
        terminal.wait("Keys (escape closes)")
        terminal.press("escape")
        gate.touch()

        terminal.press("ctrl+r")
        terminal.wait("✓ finished")

        def accuracy() -> re.Match[str] | None:
            return re.search(r"accuracy [\d.]+ train, ([\d.]+)\s+validation", re.sub(r"\s+", " ", terminal.text()))

        terminal.until(accuracy, "the result")  # a frame arrives in pieces
        found = accuracy()
        assert found is not None
        assert float(found[1]) >= 0.93

        terminal.resize(80, 24)
        terminal.wait("[Setup]")
        terminal.resize(200, 60)
        terminal.until(lambda: "[Setup]" not in terminal.text() and "Gradients" in terminal.text(), "columns")

        terminal.press("tab", "tab", "tab", "tab")  # past model and data to the form, and on: nonsense does no harm
        terminal.press(*"nonsense 123 [];'\\", "escape", "escape")
        terminal.resize(120, 40)
        terminal.press("q")
        # A letter of the nonsense may have begun a run: then it asks, when it comes to it.
        while terminal.child.status is None and "A run is in progress" not in terminal.text():
            terminal.read(0.05)
        if terminal.child.status is None:
            terminal.press("y")
        assert terminal.ended() == 0
        terminal.assert_restored()


def test_watched_paused_and_left_in_the_middle() -> None:
    with application(*SPIRALS, "--start", unhurried=True) as terminal:
        terminal.wait("▶ training")
        seen = {loss_chart(terminal)}

        def moves(pictures: int) -> None:
            wanted = len(seen) + pictures

            def moved() -> bool:
                seen.add(loss_chart(terminal))
                return len(seen) >= wanted

            terminal.until(moved, f"{pictures} other pictures of the loss")

        moves(4)
        terminal.press(" ")
        terminal.wait("‖ paused")
        terminal.press("s", " ")
        terminal.wait("▶ training")
        terminal.press("x")
        terminal.wait("■ stopped")
        terminal.press("ctrl+r")
        terminal.wait("▶ training")
        terminal.press("q")
        terminal.wait("A run is in progress")
        terminal.press("y")
        assert terminal.ended() == 0
        terminal.assert_restored()


def test_json_after_the_terminal_is_restored_and_only_ascii_without_colour() -> None:
    arguments = ("--dataset", "moons", "--epochs", "3", "--start", "--exit-when-done", "--json")
    with application(*arguments, LC_ALL="C", NO_COLOR="1") as terminal:
        terminal.wait("loading")
        assert terminal.ended() == 0
        terminal.assert_restored()
        raw = bytes(terminal.raw)
        left, _, after = raw.rpartition(b"\x1b[?1049l")
        assert re.search(rb'\{"model": "mlp".*"status": "finished".*\}\r?\n?$', after)
        assert b'"model"' not in left
        assert sorted({byte for byte in raw if byte > 126}) == []
        # Grey levels are left, so that what is chosen still stands out.
        styles = b" ".join(re.findall(rb"\x1b\[([\d;]*)m", raw))
        greys = re.compile(rb"[34]8;2;(\d+);\1;\1(?!\d)")
        colours = re.findall(rb"(?<!\d)(?:[34][0-8]|9[0-7]|10[0-7])(?!\d)", greys.sub(b"", styles))
        assert colours == []


def test_json_into_a_file_from_a_terminal_of_sixteen_colours(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    arguments = ["--dataset", "moons", "--epochs", "3", "--lr", "1e30", "--start", "--exit-when-done", "--json"]
    # As a shell does for `> result.json`, before the program begins.
    code = f"import os; os.dup2(os.open({str(out)!r}, os.O_WRONLY | os.O_CREAT), 1)\n"
    command = [sys.executable, "-c", f"{code}from d2ltui.__main__ import main\nmain()", *arguments]
    terminal = Terminal(command, environment={"TERM": "xterm", "COLORTERM": ""}, warm=True)
    try:
        assert terminal.ended() == 1  # diverged
        terminal.assert_restored()
    finally:
        terminal.close()
    (line,) = out.read_text().splitlines()
    assert '"status": "diverged"' in line
    raw = bytes(terminal.raw)
    assert b"\x1b[?1049h" in raw
    assert b"diverged: the loss is" in raw.rpartition(b"\x1b[?1049l")[2], "why, where the screen is gone"
    assert not re.search(rb"\x1b\[[\d;]*[34]8;[25];", raw)


def test_no_terminal_is_one_sentence_and_status_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "d2ltui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("d2ltui: the application needs a terminal, and standard input and standard error are not")
