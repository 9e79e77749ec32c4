"""A validation loss that grows while the accuracy stays good: the network is too sure of itself, which is said."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from looks import MLP, layer, looked
from runs import rules

from d2ltui.cli.app import cli as main
from d2ltui.diagnosis.monitor import examine
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.spec.findings import all_well
from d2ltui.tui.panes.finding_lines import finding_lines

LOOKED_AT = ("loss and accuracy of 8 epochs",)


def found_in(val_losses: list[float], train: float, val: float) -> tuple[events.Finding, ...]:
    """What is found in a run on digits with these validation losses, and accuracies in training and on validation."""
    told = [
        events.EpochEnded(i, 45 * i, 0.5 / i, loss, train, val, float(i)) for i, loss in enumerate(val_losses, start=1)
    ]
    return examine([looked(0, layer(1), loss=2.3), looked(360, layer(1), loss=0.1)], told, resolve(MLP))


@pytest.mark.parametrize(
    ("val_losses", "train", "val", "expected"),
    [
        ([0.3, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 0.97, 0.94, {"overconfidence": "note"}),
        ([5.0, 5.2, 5.3], 0.95, 0.939, {"overconfidence": "note"}),  # more than a guess's, from the first epoch on
        ([0.3, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 1.0, 0.8, {"overfitting": "alarm"}),
        ([0.3, 0.2, 0.19, 0.19, 0.2, 0.19, 0.2, 0.2], 0.97, 0.94, {}),
        ([3e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4], 1.0, 1.0, {}),  # no mistake to be sure of
    ],
)
def test_which_it_is(val_losses: list[float], train: float, val: float, expected: dict[str, str]) -> None:
    assert rules(found_in(val_losses, train, val)) == expected


def test_beside_it_all_is_not_simply_well() -> None:
    findings = found_in([5.0, 5.2, 5.3], 0.95, 0.939)
    (finding,) = findings
    assert "is 5.3 after epoch 3, more than the 2.3 of a guess, though the accuracy is 0.939" in finding.what
    well = all_well(findings, LOOKED_AT)
    assert well == "Looked at loss and accuracy of 8 epochs: all well, but for what is noted."
    lines, _ = finding_lines(findings, 0, 200, well)
    assert "".join(text for _, text in lines[1]).startswith(" · The network is too sure of itself")


def test_train_prints_what_is_noted() -> None:
    """Of usual settings, for long: no mistake in training, and sure of all others."""
    given = ("--optimizer", "adam", "--lr", "0.003", "--batch-size", "16", "--epochs", "60")
    printed = CliRunner().invoke(main, ["train", *given, "--device", "cpu", "--threads", "1"]).stderr.splitlines()
    assert printed[-5].endswith(": all well, but for what is noted.")
    assert printed[-4].startswith("note: The network is too sure of itself: the validation loss was ")
    assert printed[-2].startswith("    try: Where its probabilities matter: ")
    assert printed[-1].startswith("        d2ltui train --model mlp --dataset ")
