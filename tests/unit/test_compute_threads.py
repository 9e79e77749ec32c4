"""With how many threads a run is computed: what is idle at the start, fewer when it gets crowded, and what is told."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from runs import run

from d2ltui.engine import checkpoint as checkpoint_module
from d2ltui.engine import threads, trainer
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.threads import CALM, FIRST_LOOK, LONG_EPOCH, LOOK_EVERY, PATIENCE, CoreMeter, ThreadCount
from d2ltui.history.live import LiveRun
from d2ltui.runner.recording import RunRecording, last_checkpoint
from d2ltui.spec import config as config_module
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, check_threads, resolve
from d2ltui.spec.cores import available_cores, quota
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.versions import plain_config
from d2ltui.store.reader import RunReader

LARGE, SMALL = 1e9, 1e6  # operations of a step
# Large enough to be shared out, and quick: 3 epochs of 2 steps.
WIDE: dict[str, object] = {"dataset": "digits", "hidden": 256, "batch_size": 720, "epochs": 3, "device": "cpu"}


class Crowd:
    """Other programs, and a clock."""

    def __init__(self, cores: int = 2, *taken: float) -> None:
        self.cores, self.begun, self.now = cores, 0.0, 0.0
        self.taken, self.looks = list(taken) or [0.0], 0

    def others(self) -> float:
        self.looks += 1
        return self.taken.pop(0) if len(self.taken) > 1 else self.taken[0]

    def clock(self) -> float:
        return self.now


class Machine:
    """A ThreadCount on a machine that is as busy as a Crowd makes it."""

    def __init__(
        self, wanted: int | str = "auto", crowd: Crowd | None = None, flops: float = LARGE, fixed: bool = False
    ) -> None:
        self.crowd = crowd or Crowd()
        self.crowd.now = FIRST_LOOK
        self.applied: list[int] = []
        self.count = ThreadCount(
            wanted,
            flops,
            "cpu",
            self.crowd,
            default=self.crowd.cores,
            fixed=fixed,
            clock=self.crowd.clock,
            apply=self.applied.append,
        )

    def after(self, seconds: float = LOOK_EVERY, *, epoch_ended: bool) -> events.ThreadsChanged | None:
        """What a look says so much later, where one is due then."""
        self.crowd.now += seconds
        if not self.count.due(epoch_ended=epoch_ended):
            return None
        return self.count.look(7, epoch_ended=epoch_ended)


@pytest.mark.parametrize(
    ("cores", "others", "number"),
    [(2, 0.0, 2), (2, 0.4, 2), (2, 1.0, 1), (2, 2.0, 1), (16, 0.3, 16), (16, 4.2, 12), (16, 16.0, 1), (1, 1.0, 1)],
)
def test_auto_begins_with_what_is_idle_and_says_where_that_is_less(cores: int, others: float, number: int) -> None:
    machine = Machine(crowd=Crowd(cores, others))
    told = machine.count.choose()
    assert machine.applied == [number] == [machine.count.number]
    assert (told is None) == (number == cores)
    if told is not None:
        assert (told.threads, told.before, told.cores, told.others) == (number, cores, cores, others)


def test_a_small_step_is_one_threads_work_and_nobody_measures() -> None:
    machine = Machine(flops=SMALL)
    assert machine.count.choose() is None
    assert machine.applied == [1]
    assert machine.after(1000, epoch_ended=True) is None
    assert machine.crowd.looks == 0


def test_fewer_at_the_end_of_an_epoch_once_two_looks_agree() -> None:
    machine = Machine(crowd=Crowd(2, 0.0, 1.0))
    machine.count.choose()
    for _ in range(PATIENCE - 1):
        assert machine.after(epoch_ended=True) is None
    told = machine.after(epoch_ended=True)
    assert told == events.ThreadsChanged(7, 1, 2, 2, 1.0)
    assert machine.applied == [2, 1]


def test_a_moment_changes_nothing() -> None:
    machine = Machine(crowd=Crowd(2, 0.0, 1.0, 0.0, 1.0, 0.0))
    machine.count.choose()
    assert [machine.after(epoch_ended=True) for _ in range(5)] == [None] * 5
    assert machine.applied == [2]


def test_within_an_epoch_only_where_it_takes_long() -> None:
    machine = Machine(crowd=Crowd(2, 0.0, 1.0))
    machine.count.choose()
    assert machine.after(epoch_ended=True) is None  # one look, and an epoch begins
    looks = [machine.after(epoch_ended=False) for _ in range(math.ceil(LONG_EPOCH))]
    assert looks[:-1] == [None] * (len(looks) - 1)
    assert looks[-1] is not None
    assert machine.count.number == 1


def test_looks_are_a_second_apart_however_short_epochs_are() -> None:
    machine = Machine()
    machine.count.choose()
    for _ in range(100):
        machine.after(LOOK_EVERY / 50, epoch_ended=True)
    assert machine.crowd.looks == 1 + 2  # at the start, and in two seconds


def test_more_after_a_calm_time_at_an_epoch_s_end_and_later_each_time() -> None:
    machine = Machine(crowd=Crowd(4, 3.0))
    assert machine.count.choose() is not None
    for calm in (CALM, 2 * CALM):
        machine.crowd.taken = [0.0]
        looks = [machine.after(epoch_ended=False) for _ in range(2 * int(calm))]
        assert looks == [None] * len(looks)  # within an epoch never
        told = machine.after(epoch_ended=True)
        assert told is not None
        assert (told.threads, told.before) == (4, 1)
        machine.crowd.taken = [3.0]
        while machine.count.number == 4:
            machine.after(epoch_ended=True)
        machine.crowd.taken = [0.0]
        early = [machine.after(epoch_ended=True) for _ in range(int(2 * calm) - 1)]
        assert early == [None] * len(early)
        machine.crowd.taken = [3.0]
        machine.after(epoch_ended=True)


@pytest.mark.parametrize(("wanted", "fixed"), [(2, False), ("auto", True)], ids=["--threads 2", "OMP_NUM_THREADS"])
def test_a_fixed_number_never_changes_and_says_once_what_it_costs(wanted: int | str, fixed: bool) -> None:
    machine = Machine(wanted, Crowd(2, 1.0), fixed=fixed)
    assert machine.count.choose() is None
    told = [machine.after(LONG_EPOCH, epoch_ended=True) for _ in range(20)]
    assert [change for change in told if change is not None] == [events.ThreadsChanged(7, 2, 2, 2, 1.0)]
    assert machine.applied == [2]


def test_a_small_step_has_the_threads_that_were_asked_for() -> None:
    machine = Machine(2, flops=SMALL)
    machine.count.choose()
    assert machine.applied == [2]


@pytest.mark.parametrize(
    ("wanted", "fixed", "recorded", "number"),
    [("auto", False, 1, 1), ("auto", False, 2, 2), ("auto", False, 4, 2), (4, False, 4, 2), ("auto", True, 1, 1)],
    ids=["fewer", "as many", "fewer cores now", "a fixed number and fewer cores now", "the environment allows more"],
)
def test_a_run_that_is_resumed_has_what_is_recorded(wanted: int | str, fixed: bool, recorded: int, number: int) -> None:
    machine = Machine(wanted, Crowd(2, 2.0), fixed=fixed)
    told = machine.count.choose(30, recorded)
    assert machine.applied == [number]
    if number == recorded:
        assert told is None
    else:
        assert told is not None
        assert told.sentence == "2 threads instead of 4 after step 30: there are 2 cores"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ((0, 1, 2, 2, 1.0), "1 thread instead of 2 from the start: other programs hold 1 of 2 cores"),
        ((1234, 3, 4, 4, 1.2), "3 threads instead of 4 after step 1,234: other programs hold 1.2 of 4 cores"),
        ((9, 4, 3, 4, 0.1), "4 threads instead of 3 after step 9: some cores are idle again"),
        ((9, 2, 2, 2, 1.9), "other programs hold 1.9 of 2 cores: --threads auto, or 1, trains faster than 2"),
    ],
)
def test_each_change_is_a_sentence(change: tuple[int, int, int, int, float], sentence: str) -> None:
    assert events.ThreadsChanged(*change).sentence == sentence


# In a run


class Busy(CoreMeter):
    """A machine on which other programs hold one of two cores after the first look."""

    def __init__(self) -> None:
        super().__init__()
        self.cores, self._looks = 2, 0

    def others(self) -> float:
        self._looks += 1
        return 0.0 if self._looks == 1 else 1.0


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> object:
    """Every run begins with two threads, and other programs come."""
    before = torch.get_num_threads()
    monkeypatch.setattr(trainer, "CoreMeter", Busy)
    monkeypatch.setattr(threads, "LOOK_EVERY", 0.0)
    monkeypatch.setitem(ThreadCount.__init__.__kwdefaults__, "default", 2)
    monkeypatch.setitem(ThreadCount.__init__.__kwdefaults__, "fixed", False)
    yield
    torch.set_num_threads(before)


def wide(**given: object) -> RunConfig:
    return resolve({**WIDE, **given})


def weights(network: object) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in dict(network.named_parameters()).values()]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("crowded")
def test_a_run_drops_to_one_thread_at_an_epoch_s_end_and_stores_that() -> None:
    config, control = wide(), Control()
    recording = RunRecording.new(config, control)
    numbers: list[int] = []

    def watch(event: events.Event) -> None:
        if isinstance(event, events.StepsTrained):
            numbers.append(torch.get_num_threads())

    _, tape = run(config, control, watch, recording.live, recording.store, keeper=recording)
    recording.close()
    (started,), (changed,) = tape.of(events.RunStarted), tape.of(events.ThreadsChanged)
    assert (started.threads, changed.threads, changed.before) == (2, 1, 2)
    assert changed.step % 2 == 0  # where an epoch ended
    assert (numbers[0], numbers[-1]) == (2, 1)
    path = recording.store.path
    assert path is not None
    with RunReader(path) as reader:
        assert reader.live.thread_changes == [changed] == recording.live.thread_changes
    checkpoint, _ = last_checkpoint(path, config)
    assert checkpoint is not None
    assert checkpoint.threads == 1


@pytest.mark.usefixtures("crowded")
def test_a_fixed_number_stays_in_a_run() -> None:
    if available_cores() < 2:
        pytest.skip("this machine has one core")
    _, tape = run(wide(threads=2))
    (told,) = tape.of(events.ThreadsChanged)
    assert told.threads == told.before == torch.get_num_threads() == 2


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.usefixtures("crowded")
def test_the_same_number_makes_the_same_weights_also_where_the_run_is_resumed(number: int) -> None:
    whole, _ = run(wide(threads=number, epochs=4))
    again, _ = run(wide(threads=number, epochs=4))
    kept: list[Checkpoint] = []

    class Keeper:
        idle, took = True, 0.0

        def keep(self, checkpoint: Checkpoint) -> None:
            kept.append(checkpoint)

    control = Control()

    def stop(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch == 2:
            control.stop()

    run(wide(threads=number, epochs=4), control, stop, keeper=Keeper())
    assert kept[-1].threads == number
    resumed, tape = run(wide(threads=number, epochs=4), resume=lambda: kept[-1])
    assert tape.of(events.RunStarted)[0].threads == number
    for other in (again, resumed):
        assert all(map(torch.equal, weights(whole.network), weights(other.network)))


def test_what_was_stored_before_threads_were_is_read(tmp_path: Path) -> None:
    kept: list[Checkpoint] = []

    class Keeper:
        idle, took = True, 0.0

        def keep(self, checkpoint: Checkpoint) -> None:
            kept.append(checkpoint)

    config = wide(epochs=1)
    run(config, keeper=Keeper())
    values = {name: value for name, value in vars(kept[-1]).items() if name != "threads"}
    values["config"] = {name: value for name, value in plain_config(config).items() if name != "threads"}
    head = {"format": checkpoint_module.FORMAT, "version": 1, "checksum": checkpoint_module.checksum(values)}
    torch.save({**head, **values}, tmp_path / "checkpoint.pt")
    found = checkpoint_module.read(tmp_path / "checkpoint.pt", config)
    assert (found.threads, found.config.threads, found.step) == (0, "auto", kept[-1].step)


def test_what_was_told_of_later_steps_is_void_where_a_run_goes_back() -> None:
    live = LiveRun(wide())
    for step in (10, 20):
        live(events.ThreadsChanged(step, 1, 2, 2, 1.0))
    live(events.RunResumed(15, 2, 1.0, 0.1))
    assert [change.step for change in live.thread_changes] == [10]


# What may be asked for


@pytest.mark.parametrize("value", ["0", "-1", "1000000", "many", "", "1.5", "2,2", 0, True, None, 1e300, "9" * 5000])
def test_what_is_no_number_of_threads_is_refused_with_a_sentence(value: object) -> None:
    with pytest.raises(
        ConfigError, match=r"^threads: .* is not allowed; allowed: auto, or a whole number from 1 to 1024"
    ):
        resolve({"threads": value})


@pytest.mark.parametrize(("value", "expected"), [("auto", "auto"), ("1", 1), (3, 3), ("1024", 1024)])
def test_auto_or_a_number(value: object, expected: object) -> None:
    assert resolve({"threads": value}).threads == expected


def test_more_threads_than_cores_are_refused_where_a_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "available_cores", lambda: 2)
    check_threads(resolve({"threads": 2}))
    check_threads(resolve({}))
    with pytest.raises(ConfigError, match=r"threads: 3 .* .there are 2 cores.; allowed: auto, or .* 1 to 2$"):
        check_threads(resolve({"threads": 3}))


# What there is


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, math.inf),
        ("0::/job/step", {"cpu.max": "max 100000", "job/cpu.max": "400000 100000"}, 4.0),
        ("0::/job", {"cpu.max": "200000 100000", "job/cpu.max": "400000 100000"}, 2.0),
        ("3:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 0.5),
        (
            "3:cpu,cpuacct:/",
            {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            math.inf,
        ),
        ("4:memory:/", {"memory/cpu.max": "100000 100000"}, math.inf),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("nonsense", {}, math.inf),
    ],
)
def test_a_container_s_limit_counts(tmp_path: Path, line: str, files: dict[str, str], expected: float) -> None:
    (tmp_path / "membership").write_text(line + "\n")
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    assert quota(tmp_path / "membership", tmp_path / "groups") == expected


def test_what_this_process_computes_is_not_other_programs_doing() -> None:
    meter = CoreMeter()
    assert 1 <= meter.cores <= 100_000
    sum(range(3_000_000))
    assert 0 <= meter.others() <= meter.cores


@pytest.mark.parametrize("hidden", [PermissionError(13, "Permission denied"), None])
def test_a_system_that_hides_its_processors_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, hidden: Exception | None
) -> None:
    """Some containers let nobody read /proc/stat, and others fill it with zeros: then nobody else is seen."""

    def cpu_times(percpu: bool) -> list[SimpleNamespace]:
        if hidden is not None:
            raise hidden
        return [SimpleNamespace(idle=0.0)] * available_cores()

    monkeypatch.setattr("psutil.cpu_times", cpu_times)
    _, tape = run(resolve(WIDE))
    assert tape.ended.status == "finished"
    (told,) = tape.of(events.ObserverFailed)
    assert told.observer == "measuring other programs"
    assert not tape.of(events.ThreadsChanged)
