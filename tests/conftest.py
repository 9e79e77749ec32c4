"""Fixtures of all tests."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from d2ltui.spec.cores import available_cores
from d2ltui.spec.registry import Registry
from tests.commands import Command

# Tests run side by side, and what they train is small: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Where a test is about several, those that wait for each other sleep: else they keep busy the cores that others want.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Whatever language is spoken here: tests read English, but for those of another language.
os.environ["D2LTUI_LANG"] = "en"
# Under nohup a hang-up is ignored, and the processes that are started inherit that: these tests are about it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# The same of an interrupt, which a shell lets be ignored by what it starts with `&`.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What is compiled is kept, whatever the environment says: without, every worker rewrites the assertions of all tests,
# and every process that a test starts compiles the application anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# An example that takes long on a busy machine is no failure. Each time others are drawn, and each night more, unless a
# test says how many.
settings.register_profile("unhurried", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What is there by now stays until the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    # An application that is opened makes so much that most is let go before the collector looks at it.
    gc.set_threshold(200_000, 10, 10)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-screens` takes the pictures of `tests/tui/screens` anew."""
    parser.addoption("--update-screens", action="store_true", help="keep the screens as they look now")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: much of a test is waiting, for a process, a thread or a terminal."""
    return available_cores() + 1


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for each test, by number: pytest itself finds the next number by reading all that there are."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / f"home{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def d2ltui_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty D2LTUI_HOME for each test, and the processes that it starts: none writes into the user's own."""
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("D2LTUI_HOME", str(home))
    return home


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `d2ltui ARGUMENTS` in this process: exit status, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        from d2ltui.cli import app

        monkeypatch.setattr(sys, "argv", ["d2ltui", *arguments])
        with pytest.raises(SystemExit) as stop:
            app.main()
        out, err = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, out, err

    return run


Copied = Callable[[Callable[[], Path]], Path]


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stored runs are that tests have copies of."""
    return tmp_path_factory.mktemp("originals")


@pytest.fixture
def copied(originals: Path, d2ltui_home: Path) -> Copied:
    """A stored run that a function makes, in this test's own home: made once, and copied for each test."""

    def copy(make: Callable[[], Path]) -> Path:
        original = originals / f"{make.__module__}.{make.__qualname__}"
        if not original.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("D2LTUI_HOME", str(original))
                make()
        shutil.copytree(original, d2ltui_home, dirs_exist_ok=True)
        (run,) = (d2ltui_home / "runs").iterdir()
        return run

    return copy


Offer = Callable[[Registry[Any], Any], None]


@pytest.fixture
def offer() -> Iterator[Offer]:
    """Adds an object to a registry for the time of a test, in the place of one that has the same name."""
    with ExitStack() as stack:

        def add(registry: Registry[Any], item: Any) -> None:
            before = list(registry.values())
            _fill(registry, [item if other.name == item.name else other for other in before])
            if item.name not in registry:
                registry.register(item)
            stack.callback(_fill, registry, before)

        yield add


def _fill(registry: Registry[Any], items: list[Any]) -> None:
    for name in list(registry):
        registry.forget(name)
    for item in items:
        registry.register(item)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """torchvision's root with Fashion-MNIST in it, from the environment's D2LTUI_DATA_DIR."""
    value = os.environ.get("D2LTUI_DATA_DIR")
    if not value:
        pytest.skip("D2LTUI_DATA_DIR is not set: no Fashion-MNIST to test with")
    return Path(value)
