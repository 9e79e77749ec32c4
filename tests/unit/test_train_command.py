"""`d2ltui train` in the test's own process: what goes to which stream, and the exit status."""

from __future__ import annotations

import errno
import io
import json
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from runs import short

from d2ltui.data.sources import SOURCES
from d2ltui.engine import device as device_module
from d2ltui.engine import summary
from d2ltui.nn.network import Network
from d2ltui.runner.headless import Progress, StderrReporter, train
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.language import using


def outcome(
    capfd: pytest.CaptureFixture[str], config: RunConfig, *, as_json: bool = True, quiet: bool = False
) -> tuple[int, list[str], list[str]]:
    """Exit status, lines of standard output, lines of standard error."""
    status = train(config, as_json, quiet)
    out, err = capfd.readouterr()
    return status, out.splitlines(), err.splitlines()


def test_table_json_and_progress(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = outcome(capfd, short())
    assert status == 0
    assert out[0].split("  ")[-1] == "seconds"
    assert [line.split()[0] for line in out[:4]] == ["epoch", "1", "2", "3"]
    assert len(out) == 5
    summary = json.loads(out[-1])
    assert (summary["status"], summary["epochs"], summary["steps"]) == ("finished", 3, 30)
    assert err[0] == "synthetic-linear: loading"
    assert err[1] == "linear (concise) on synthetic-linear: 1,000 train + 1,000 validation samples"
    assert err[2] == "Linear 2→1: 3 parameters; cpu, 1 thread, data in memory"
    told = [line.partition(":")[0] for line in err[3:-1] if not line.startswith("training is over; looking")]
    assert told == ["epoch 1/3", "epoch 2/3", "epoch 3/3", "finished"]
    assert err[-1].endswith(": all well.")
    assert not any("\x1b" in line or "\r" in line for line in err)


def test_no_json_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = outcome(capfd, short(), as_json=False)
    assert len(out) == 4
    assert "{" not in "".join(out)


def test_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = outcome(capfd, short(), quiet=True)
    assert (status, len(out), err) == (0, 1, [])
    assert json.loads(out[0])["status"] == "finished"
    assert outcome(capfd, short(), as_json=False, quiet=True) == (0, [], [])


@pytest.mark.parametrize("quiet", [True, False])
def test_diverged(capfd: pytest.CaptureFixture[str], quiet: bool) -> None:
    status, out, err = outcome(capfd, short(lr=1e30), quiet=quiet)
    summary = json.loads(out[-1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (status, summary["status"]) == (1, "diverged")
    assert summary["steps"] > 0
    message, what, why, try_, pasted, follows = err[-6:]
    assert "a lower lr than 1e30 may help" in message
    assert what.startswith("alarm: The learning rate 1e30 is too high: ")
    assert why.startswith("    ")
    assert try_ == "    try: Train again with lr 0.03."
    assert pasted.startswith("        d2ltui train --model ")
    assert "--lr 0.03" in pasted
    assert follows.startswith("    because of this: ")
    assert what.endswith(f"the loss diverged at step {summary['steps']}.")
    finding, _ = summary["findings"]
    assert (finding["rule"], finding["remedy"]) == ("learning-rate-high", {"lr": 0.03})


SICK = {"dataset": "moons", "hidden": "4", "init": "zeros", "epochs": "20", "batch_size": "30", "device": "cpu"}


@pytest.mark.parametrize("quiet", [True, False])
def test_a_run_that_ends_sick_says_what_is_wrong_and_what_to_try(
    capfd: pytest.CaptureFixture[str], quiet: bool
) -> None:
    status, out, err = outcome(capfd, resolve(SICK), quiet=quiet)
    summary = json.loads(out[-1])
    assert (status, summary["status"]) == (0, "finished")
    assert not any(word in "".join(out[:-1]) for word in ("gradient", "alarm", "try"))
    what, why, try_, pasted, *others = err if quiet else err[-6:]
    assert what.startswith("alarm: All weights start at 0, so that all units of a layer stay alike")
    assert why.startswith("    Units that start equal get equal gradients, and stay equal for ever")
    assert try_ == "    try: Train again with init kaiming."
    assert "--init kaiming" in pasted
    assert others[0].startswith("    because of this: 100 % of the units of layer 2 (ReLU) are dead")
    cause, *follows = summary["findings"]
    names = ["rule", "severity", "layer", "step", "figure", "what", "why", "try", "remedy", "because_of"]
    assert list(cause) == names
    assert (cause["rule"], cause["remedy"], cause["because_of"]) == ("symmetry", {"init": "kaiming"}, None)
    assert {finding["because_of"] for finding in follows} == {"symmetry"}


def test_strict_has_exit_status_3_where_a_finished_run_has_an_alarm(capfd: pytest.CaptureFixture[str]) -> None:
    assert train(resolve(SICK), False, True, strict=True) == 3
    assert train(short(), False, True, strict=True) == 0
    capfd.readouterr()


def test_a_run_of_a_few_steps_is_told_that_they_are_few(capfd: pytest.CaptureFixture[str]) -> None:
    given = {**SICK, "init": "kaiming", "hidden": "32", "epochs": "1", "batch_size": "300"}
    *_, what, _, try_, _ = outcome(capfd, resolve(given))[2]
    assert what.startswith("warning: 3 training steps are too few: validation accuracy 0.8")
    assert try_ == "    try: Train again with epochs 200."


@pytest.mark.parametrize("given", [{"init": "kaiming", "hidden": "32", "epochs": "60"}])
def test_a_run_that_is_well_or_merely_of_note_says_so_in_one_line(
    capfd: pytest.CaptureFixture[str], given: dict[str, str]
) -> None:
    *_, result, last = outcome(capfd, resolve({**SICK, **given}))[2]
    assert result.startswith("finished: ")
    assert last.startswith("Looked at loss and accuracy of 60 epochs, ")
    assert last.endswith(": all well.")


def test_failed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(network: Network, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("shapes do not fit")

    monkeypatch.setattr(Network, "__call__", fail)
    status, out, err = outcome(capfd, short())
    assert (status, json.loads(out[-1])["status"]) == (1, "failed")
    assert err[-1] == "failed: ValueError: shapes do not fit"


def test_a_missing_device_is_a_wrong_argument(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "available", lambda: ("cpu",))
    status, out, err = outcome(capfd, short(device="cuda"))
    assert (status, out) == (2, [])
    assert err == [
        "d2ltui: device: 'cuda' is not available (PyTorch finds no CUDA device on this machine); "
        "allowed here: auto, cpu"
    ]


@pytest.mark.parametrize("truncated", [True, False])
def test_data_that_cannot_be_had(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, truncated: bool
) -> None:
    closed = [source._replace(urls=(f"http://127.0.0.1:9/{source.name}",)) for source in SOURCES["fashion-mnist"]]
    monkeypatch.setitem(SOURCES, "fashion-mnist", tuple(closed))
    if truncated:
        raw = tmp_path / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (raw / f"{name}-ubyte").write_bytes(b"\0\0\x08")
    config = resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path), "device": "cpu"})
    status, out, err = outcome(capfd, config)
    assert (status, len(out), json.loads(out[0])["status"]) == (1, 1, "failed")
    assert "is damaged or foreign" in err[-1] if truncated else "--dataset digits" in err[-1]
    assert err[-1].startswith("failed: fashion-mnist: ")


@pytest.mark.parametrize(
    ("error", "expected"), [(BrokenPipeError(), 141), (OSError(errno.ENOSPC, "No space left on device"), 1)]
)
def test_a_table_that_cannot_be_written_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, error: OSError, expected: int
) -> None:
    class Out(io.StringIO):
        lines = 0

        def write(self, text: str) -> int:
            self.lines += text == "\n"
            if self.lines > 1:
                raise error
            return super().write(text)

    out, err = Out(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert train(short(epochs=1_000_000), False, False) == expected
    assert "Traceback" not in err.getvalue()
    assert ("the output cannot be written (No space left on device)" in err.getvalue()) == (expected == 1)


def test_no_streams_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert train(short(), True, False) == 0


def test_signal_handlers_are_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    outcome(capfd, short())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_is_one_piece_whoever_else_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's thread tells of its trouble while the training tells of its epochs."""

    class Pieces(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    pieces: list[str] = []
    progress, teller = Progress(short(), io.StringIO(), Pieces()), StderrReporter(Pieces())
    progress(events.Loading("moons: loading"))
    teller("store: there is trouble")
    progress(events.RunEnded("stopped", "stopped by you", {}))
    assert pieces == ["moons: loading\n", "d2ltui: store: there is trouble\n", "stopped by you\n"]


def test_the_bar_is_drawn_over_itself_and_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(monotonic=lambda: 1e9)
    monkeypatch.setattr("d2ltui.runner.headless.time", now)
    out, err = io.StringIO(), Terminal()
    progress = Progress(short(), out, err)
    progress(events.Loading("fashion-mnist: downloading x, 1.0 of 2.0 MB", 0.5))
    import numpy as np

    block = np.zeros(5, np.float32)
    now.monotonic = lambda: 2e9
    progress(events.StepsTrained(5, block, block, seconds=1.0))
    now.monotonic = lambda: 3e9
    progress(events.StepsTrained(15, block, block, seconds=3.0))
    progress(events.StepsTrained(20, block, block, seconds=4.0))  # too soon: not drawn
    progress(events.EpochEnded(1, 20, 1.0, 2.0, 0.5, 0.5, 4.0))
    parts = err.getvalue().split("\r\x1b[K")
    assert parts == [
        "",
        "fashion-mnist: downloading x, 1.0 of 2.0 MB [############............]",
        "epoch 1/3 [####....................] 5 steps/s, 0:05 left",
        "epoch 2/3 [############............] 5 steps/s, 0:03 left",
        "",
    ]
    assert out.getvalue().split() == ["1", "1", "2", "0.5", "0.5", "4.00"]


def test_a_run_that_was_stopped_says_so_once_in_any_language(capfd: pytest.CaptureFixture[str]) -> None:
    for name, said in (("en", "stopped after step 3"), ("zh", "在第3步之后停止")):
        with using(name):
            message = summary.stopped(3)
            Progress(short(), sys.stdout, sys.stderr)(events.RunEnded("stopped", message, {}))
        assert said in message
        assert capfd.readouterr().err.splitlines()[-1] == message
