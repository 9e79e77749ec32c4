"""What a learner may try, what to expect, and whether it came so: judged by the run that the learner trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from d2ltui.lessons.recorder import KIND
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from d2ltui.store.listing import RunInfo

# What may differ in a run that is still the one to try: chance, the machine, and how long it is trained.
EPOCHS = "epochs"
FREE = ("seed", EPOCHS, "device", "threads", "data_dir")
ENOUGH = 0.5  # of the epochs that are asked for, from which on a run says something


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of a run, so that it can be looked up. Whatever is given must hold.

    Of a `figure` after the last epoch: bounds, or by how much it `rises_by` or `falls_by`, compared with the lesson's
    own experiment: with a run of it in the store, or else with what is `usual`. `status` is how the run ends; `finding`
    is the rule of a finding that it has, `without` that of one that it has not.
    """

    figure: Literal["", "val_metric", "val_loss", "train_metric", "train_loss"] = ""
    at_least: float | None = None
    at_most: float | None = None
    rises_by: float | None = None
    falls_by: float | None = None
    usual: float | None = None
    status: str = ""
    finding: str = ""
    without: str = ""

    @property
    def compares(self) -> bool:
        """Whether it needs the experiment as it was."""
        return self.rises_by is not None or self.falls_by is not None

    @property
    def problem(self) -> str:
        """What is wrong with it, or ""."""
        bounds = (self.at_least, self.at_most, self.rises_by, self.falls_by)
        if not (self.figure or self.status or self.finding or self.without):
            return "it expects nothing"
        if bool(self.figure) != any(bound is not None for bound in bounds):
            return "a figure and what is expected of it belong together"
        if self.compares and self.usual is None:
            return "usual is missing: what the figure is without the change"
        return ""


class Trial(msgspec.Struct, frozen=True):
    """A change to try: of the experiment with this `role`, the fields that are `given`; what to do, what to expect.

    Where the lesson trains nothing `role` is "" and `given` is all. `check` is what is expected, to be looked up.
    """

    role: str
    given: dict[str, Any]
    do: str
    expect: str
    check: Check | None = None


class Proposing(Protocol):
    """What is to be known of a lesson that proposes trials."""

    def fields_of(self, role: str) -> dict[str, Any]:
        """What is given of the experiment with this role."""

    def fields_to_try(self, trial: Trial) -> dict[str, Any]:
        """The same with what is to be changed."""


class Tried(NamedTuple):
    """A trial that was carried out: by which run, whether it came as expected, and that in a sentence."""

    run: str
    as_expected: bool
    said: str


class StoredRuns:
    """The stored runs, as far as they can be somebody's trials: see `of`."""

    def __init__(self, rows: Iterable[RunInfo]) -> None:
        self._by_config: dict[bytes, list[RunInfo]] = {}
        self._by_role: dict[tuple[str, str], list[RunInfo]] = {}
        for run in sorted(rows, key=lambda run: -run.created):
            if run.config is not None and not run.problem:
                self._by_config.setdefault(_key(run.config), []).append(run)
            if run.kind == KIND:
                self._by_role.setdefault((run.group, run.role), []).append(run)

    def tried(self, lesson: Proposing, trial: Trial) -> Tried | None:
        """What came of `trial`; None where nobody has trained it yet."""
        if trial.check is None:
            return None
        config = resolve(lesson.fields_to_try(trial), unused=True)
        own = [run for run in self._of(config, trial) if run.kind != KIND]
        if not own:
            return None
        usual = None
        if trial.role and trial.check.compares:
            unchanged = resolve(lesson.fields_of(trial.role), unused=True)
            without = [run for run in self._of(unchanged) if _epochs(run) in (_epochs(own[0]), unchanged.epochs)]
            # As long and with the same seed as what was tried, as far as there is such a one.
            without.sort(key=lambda run: (_epochs(run) != _epochs(own[0]), _seed(run) != _seed(own[0])))
            usual = next(iter(without), None)
        return judge(trial.check, own[0], usual, config.epochs)

    def experiment(self, group: str, role: str, config: RunConfig) -> RunInfo | None:
        """The last run of a lesson's experiment, as it goes into the form; of one with its own data, what it was."""
        runs = self._by_role.get((group, role), [])
        return next((run for run in runs if run.config is None or _key(run.config) == _key(config)), None)

    def _of(self, config: RunConfig, trial: Trial | None = None) -> list[RunInfo]:
        """The runs of `config` that have been trained for long enough, the newest first; those of `trial` have all
        that it changes.
        """
        runs = self._by_config.get(_key(config), [])
        if trial is not None:
            runs = [run for run in runs if run.config is not None and _has_changes(run.config, config, trial)]
        least = ENOUGH * config.epochs
        return [run for run in runs if not run.active and (run.epochs >= least or run.status == "diverged")]


def carries_out(config: RunConfig, lesson: Proposing, trial: Trial) -> bool:
    """Whether a run of `config` is what is to be tried."""
    wanted = resolve(lesson.fields_to_try(trial), unused=True)
    return _key(config) == _key(wanted) and _has_changes(config, wanted, trial)


def judge(check: Check, run: RunInfo, usual: RunInfo | None, epochs: int) -> Tried:
    """Whether `run` came as `check` expects; `usual` is a run without the change, `epochs` what was to be trained."""
    holds, told, wanted = True, [], []
    if check.status:
        holds = holds and run.status == check.status
        told.append(_end(run.status))
        wanted.append(_end(check.status))
    for rule, expected in ((check.finding, True), (check.without, False)):
        if rule:
            found = any(finding.rule == rule for finding in run.findings)
            holds = holds and found is expected
            was, is_wanted = _("{finding} was found"), _("{finding} is found")
            was_not, is_not_wanted = _("{finding} was not found"), _("{finding} is not found")
            told.append((was if found else was_not).format(finding=_in_words(rule)))
            wanted.append((is_wanted if expected else is_not_wanted).format(finding=_in_words(rule)))
    if check.figure:
        value, name = figure_of(run, check.figure), _name(run, check.figure)
        if value is None:
            holds = False
            told.append(_("there is no {figure}").format(figure=name))
        else:
            before = figure_of(usual, check.figure) if usual is not None else None
            before = check.usual if before is None else before
            holds = holds and _within(check, value, before)
            told.append(_("{figure} {value}").format(figure=name, value=number(value, 3)))
            if check.compares and before is not None:
                told[-1] += _(", and {value} without the change").format(value=number(before, 3))
        wanted.append(_bounds(check, name))
    said = _("; ").join(told)
    if holds:
        if limits := _(" and ").join(_limits(check)):
            sentence = _("You tried it: {told}. As expected: {limits}.").format(told=said, limits=limits)
            return Tried(run.name, True, sentence)
        return Tried(run.name, True, _("You tried it: {told}. As expected.").format(told=said))
    sentence = _("You tried it: {told}. Not as expected, which is that {expected}.")
    said = sentence.format(told=said, expected=_(" and ").join(wanted))
    if run.status != "diverged" and run.epochs < epochs:
        short = ngettext(
            " It was trained for {epochs} of {number} epoch.",
            " It was trained for {epochs} of {number} epochs.",
            epochs,
        )
        said += short.format(epochs=run.epochs, number=epochs)
    return Tried(run.name, False, said)


def _end(status: str) -> str:
    ends = {
        "finished": _("it trains to the end"),
        "diverged": _("it diverges"),
        "stopped": _("it was stopped"),
        "failed": _("it failed"),
    }
    return ends.get(status) or _("it {status}").format(status=status)


def figure_of(run: RunInfo, figure: str) -> float | None:
    """A run's figure after its last epoch; None where it has none that is finite."""
    if figure.endswith("metric"):
        part = figure.split("_")[0]
        return run.figures.get(f"{part}_accuracy", run.figures.get(f"{part}_r2"))
    return run.figures.get(figure)


def _within(check: Check, value: float, usual: float | None) -> bool:
    if check.at_least is not None and value < check.at_least:
        return False
    if check.at_most is not None and value > check.at_most:
        return False
    if usual is None:
        return True
    rises = check.rises_by is None or value >= usual + check.rises_by
    return rises and (check.falls_by is None or value <= usual - check.falls_by)


def _limits(check: Check) -> list[str]:
    """What the figure was to be, where that was told as a number."""
    found = []
    if check.at_least is not None:
        found.append(_("at least {value}").format(value=number(check.at_least, 3)))
    if check.at_most is not None:
        found.append(_("at most {value}").format(value=number(check.at_most, 3)))
    return found


def _bounds(check: Check, name: str) -> str:
    said = []
    if check.rises_by is not None:
        said.append(_("rises"))
    if check.falls_by is not None:
        said.append(_("falls"))
    if check.at_least is not None:
        said.append(_("is at least {value}").format(value=number(check.at_least, 3)))
    if check.at_most is not None:
        said.append(_("is at most {value}").format(value=number(check.at_most, 3)))
    return _("{figure} {value}").format(figure=name, value=_(" and ").join(said))


def _name(run: RunInfo, figure: str) -> str:
    part, what = figure.split("_")
    classifies = run.header is None or run.header.task == "classification"
    metric = metric_title(classifies) if what == "metric" else what
    return (_("validation {metric}") if part == "val" else _("training {metric}")).format(metric=_(metric))


def _in_words(rule: str) -> str:
    return f"“{_(rule.replace('-', ' '))}”"


def _seed(run: RunInfo) -> int | None:
    return run.config.seed if run.config is not None else None


def _epochs(run: RunInfo) -> int | None:
    return run.config.epochs if run.config is not None else None


def _has_changes(config: RunConfig, wanted: RunConfig, trial: Trial) -> bool:
    """Whether it has what `trial` changes of fields that may otherwise differ; it may be trained for longer."""
    same = all(
        getattr(config, name) == getattr(wanted, name) for name in FREE if name in trial.given and name != EPOCHS
    )
    return same and (EPOCHS not in trial.given or config.epochs >= wanted.epochs)


def _key(config: RunConfig) -> bytes:
    free = dict.fromkeys(FREE)
    return msgspec.json.encode({**msgspec.to_builtins(config), **free})
