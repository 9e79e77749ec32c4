"""`python -m d2ltui` as a shell runs it: real pipes, real signals, a real terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from terminal import Terminal

from d2ltui.store.listing import runs
from tests import processes

PATIENCE = 100.0  # seconds until a test gives up; nothing is measured by it
LINEAR = ("train", "--model", "linear", "--device", "cpu")
ENDLESS = (*LINEAR, "--epochs", "1000000", "--json")


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    """`d2ltui ARGUMENTS`, with pipes for its output."""
    return processes.start(
        ["-m", "d2ltui", *arguments],
        encoding="utf-8",
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str], list[str]]:
    """Exit status, lines of standard output, lines of standard error."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.splitlines(), err.splitlines()


def test_a_script_gets_json_as_the_last_line_in_any_locale() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    status, out, err = finish(start(*LINEAR, "--epochs", "3", "--json", env=environment))
    assert status == 0
    summary = json.loads(out[-1])
    assert summary["status"] == "finished"
    assert sum(line.startswith("{") for line in out) == 1
    for found, truth in zip(summary["parameters"]["weight"], (2, -3.4), strict=True):
        assert found == pytest.approx(truth, abs=0.05)
    assert summary["parameters"]["bias"] == pytest.approx(4.2, abs=0.05)
    assert err[-2].startswith("finished: after 3 epochs: ")
    assert err[-1].startswith("Looked at loss and R")
    assert "\x1b" not in "".join(err)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_what_was_done(tmp_path: Path, number: signal.Signals, expected: int) -> None:
    with (tmp_path / "err").open("w") as errors:
        process = start(*ENDLESS, stderr=errors)
        assert process.stdout is not None
        rows = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(number)
        *more, last = process.stdout.read().splitlines()
        assert process.wait(PATIENCE) == expected
    err = (tmp_path / "err").read_text().splitlines()
    summary = json.loads(last)
    assert summary["status"] == "stopped"
    # The table has a heading, and a row for each epoch that was completed.
    assert [row.split()[0] for row in rows + more] == ["epoch", *map(str, range(1, summary["epochs"] + 1))]
    assert summary["steps"] >= 32 * summary["epochs"]
    assert err[-1] == f"stopped after step {summary['steps']:,}"
    assert "Traceback" not in "".join(err)


def test_a_reader_that_has_had_enough() -> None:
    process = start(*ENDLESS)
    read = subprocess.run(["head", "-2"], stdin=process.stdout, capture_output=True, text=True, timeout=PATIENCE)
    assert process.stdout is not None
    process.stdout.close()  # as a shell's pipe, which only `head` has had
    process.stdout = None
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 141
    assert len(read.stdout.splitlines()) == 2
    assert re.search(r"^d2ltui: nobody is reading the output any more: stopped after step \d+$", err, re.MULTILINE)
    assert [run.status for run in runs()] == ["stopped"]
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_a_bar_on_a_terminal() -> None:
    terminal = Terminal([sys.executable, "-m", "d2ltui", *ENDLESS], 60, 24, warm=True)
    try:
        bar = re.compile(rb"epoch \d+/1000000 \[\.{24}\] [\d,]+ steps/s[^\r\n]*\r\x1b\[K")
        terminal.until(lambda: bar.search(terminal.raw), "a bar that is drawn again")
        terminal.send("ctrl+c")
        assert terminal.ended() == 130
    finally:
        terminal.close()
    last = terminal.raw.decode().replace("^C", "").splitlines()[-1]
    assert json.loads(last[last.index('{"model"') :])["status"] == "stopped"


# Nothing below imports PyTorch.


@pytest.mark.parametrize("command", ["datasets", "models", "lessons", "train --help", "--help"])
def test_a_full_disk_is_one_sentence(command: str) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "d2ltui", *command.split()], stdout=full, stderr=subprocess.PIPE, encoding="utf-8"
        )
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (1, "d2ltui: the output cannot be written (No space left on device)\n")


def test_a_list_whose_reader_has_had_enough() -> None:
    command = f"for _ in 1 2 3; do {sys.executable} -m d2ltui models; done | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


@pytest.mark.parametrize("encoding", ["latin-1", "cp437", "utf-8"])
def test_lists_in_any_locale(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "d2ltui", "datasets"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "fashion-mnist: " in done.stdout.decode(encoding)


def test_the_application_without_a_terminal() -> None:
    status, out, err = finish(start())
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith("d2ltui: the application needs a terminal, and standard input and standard error are not")


def test_the_application_with_its_input_from_a_file(tmp_path: Path) -> None:
    terminal = pexpect.spawn(
        "bash", ["-c", f"{sys.executable} -m d2ltui </dev/null"], encoding="utf-8", timeout=PATIENCE
    )
    terminal.expect("the application needs a terminal, and standard input is not one")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 2


def test_a_wrong_value_from_a_shell() -> None:
    status, out, err = finish(start("train", "--lr", "0"))
    assert (status, out, err) == (2, [], ["d2ltui: lr: '0' is not allowed; allowed: a finite number greater than 0"])
