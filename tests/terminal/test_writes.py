"""Nothing is written but below D2LTUI_HOME, into the data directory, and to the paths that a command was given.

Every process records what Python does to files (see `recorder`); what other code does shows in the folders where such
things are left: the home, the present and the temporary one are the test's own, and stay as they were. The commands
import all libraries themselves, and what those write then is recorded; the application has them already.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from terminal import PATIENCE, application

TESTS = Path(__file__).parent
SMALL = ("--device", "cpu", "--quiet", "--epochs", "1")
LINEAR = ("--model", "linear", *SMALL)
# Each with the exit status that it is to have.
COMMANDS: Sequence[tuple[int, Sequence[str]]] = (
    (0, ("train", "--model", "linear", "--device", "cpu", "--epochs", "2")),
    (0, ("train", "--optimizer", "adam", *SMALL)),
    (0, ("train", "--dataset", "diabetes", *LINEAR)),
    (0, ("train", "--dataset", "moons", *SMALL)),
    (0, ("train", "--config", "given/config.toml", "--quiet", "--device", "cpu")),
    (0, ("train", "--no-store", *LINEAR)),
    (0, ("train", "--seeds", "2", *LINEAR)),
    (1, ("train", "--lr", "1e30", "--dataset", "circles", *SMALL)),
    (2, ("train", "--resume", "mlp-circles-1")),  # it has diverged
    (0, ("sweep", "--lr", "0.01,0.1", *LINEAR)),
    (0, ("runs",)),
    (0, ("runs", "--json", "lr>0.01")),
    (0, ("show", "latest")),
    (0, ("compare", "linear-synthetic-linear-1", "linear-synthetic-linear-2")),
    *((0, ("export", "mlp-moons-1", f"--{name}")) for name in ("csv", "json", "svg", "code")),
    *(
        (0, ("export", "mlp-moons-1", f"--{name}", "--output", f"given/{name}"))
        for name in ("csv", "json", "svg", "code", "weights", "tensorboard")
    ),
    (0, ("lessons",)),
    (0, ("lessons", "softmax", "--seeds", "1")),
    (0, ("models",)),
    (0, ("datasets",)),
    (2, ("watch",)),  # without a terminal
    (2, ()),
    (0, ("--help",)),
)
# All in one process: what a library leaves, it leaves when it is imported or first used.
DRIVER = f"""
import sys
from d2ltui.cli import main
for _, arguments in {COMMANDS!r}:
    sys.argv = ["d2ltui", *arguments]
    try:
        main()
    except SystemExit as end:
        print("ended", end.code, *arguments, file=sys.__stderr__, flush=True)
"""
WRITES = """
import os, shutil, sqlite3, tempfile
open("a", "w").close()
os.close(os.open("b", os.O_CREAT | os.O_WRONLY))
os.mkdir("c"); os.rename("b", "c/d"); os.link("a", "e"); os.symlink("a", "f"); os.truncate("a", 3); os.chmod("a", 0o600)
os.utime("a"); os.remove("e"); shutil.copy("a", "g"); sqlite3.connect("h").close(); tempfile.mkdtemp(dir="c")
folder = os.open("c", os.O_RDONLY)
os.mkdir("i", dir_fd=folder); os.rmdir("i", dir_fd=folder); os.remove("d", dir_fd=folder)
shutil.rmtree("c"); open("a").read(); os.makedirs(".", exist_ok=True)
"""


class Watched:
    """Folders of the test's own, and a record of what processes with `environment` write."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        for name in ("home", "tmp", "here", "here/given", "store", "data", "site"):
            (self.root / name).mkdir()
        (self.root / "site" / "sitecustomize.py").write_text((TESTS / "recorder.py").read_text())
        (self.root / "here" / "given" / "config.toml").write_text("epochs = 1\n")
        self.log = self.root / "log"
        self.environment = {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "D2LTUI_HOME": str(self.root / "store"),
            "D2LTUI_DATA_DIR": str(self.root / "data"),  # in which nothing is looked for here
            "WRITES": str(self.log),
            "PYTHONPATH": os.pathsep.join((str(self.root / "site"), str(TESTS.parents[1]))),
            # Python's own business, beside the modules that it imports.
            "PYTHONDONTWRITEBYTECODE": "1",
            **dict.fromkeys((name for name in os.environ if name.startswith(("XDG_", "TORCH"))), ""),
        }
        self._before = self._listing()

    def _listing(self) -> dict[str, object]:
        """Everything in the folders that stay as they are."""
        found: dict[str, object] = {}
        for name in ("home", "tmp", "here", "data"):
            for path in (self.root / name).rglob("*"):
                if (self.root / "here" / "given") not in (path, *path.parents):
                    status = path.lstat()
                    found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
        return found

    def lines(self) -> Iterator[tuple[str, str]]:
        for line in self.log.read_text().splitlines():
            event, _, path = line.partition("\t")
            yield event, path

    @property
    def processes(self) -> set[str]:
        return {path for event, path in self.lines() if event == "process"}

    def assert_clean(self) -> None:
        allowed = [self.root / "store", self.root / "here" / "given", Path("/dev")]
        strange = {
            (event, path)
            for event, path in self.lines()
            if event != "process" and not any(place in Path(os.path.realpath(path)).parents for place in allowed)
        }
        assert strange == set()
        assert self._listing() == self._before


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched(tmp_path)
    monkeypatch.chdir(watched.root / "here")
    return watched


def python(code: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in {**os.environ, **environment}.items() if value}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_whatever_is_written_is_recorded(watched: Watched) -> None:
    done = python(WRITES, watched.environment)
    assert done.returncode == 0, done.stderr
    here = str(watched.root / "here")
    found = [(event, os.path.relpath(path, here)) for event, path in watched.lines() if event != "process"]
    found = [(event, re.sub(r"tmp\w+", "tmp", path)) for event, path in found]
    assert found[:2] == [("open", "a"), ("open", "b")]
    assert {
        ("os.mkdir", "c"), ("os.rename", "b"), ("os.rename", "c/d"), ("os.link", "e"), ("os.symlink", "f"),
        ("os.truncate", "a"), ("os.chmod", "a"), ("os.utime", "a"), ("os.remove", "e"), ("open", "g"),
        ("sqlite3.connect", "h"), ("os.mkdir", "c/tmp"), ("os.mkdir", "c/i"), ("os.rmdir", "c/i"),
        ("os.remove", "c/d"), ("os.rmdir", "c/tmp"), ("os.rmdir", "c"),
    } <= set(found)  # fmt: skip
    with pytest.raises(AssertionError):
        watched.assert_clean()


def test_commands_write_where_they_may(watched: Watched) -> None:
    done = python(DRIVER, watched.environment)
    ended = [line for line in done.stderr.splitlines() if line.startswith("ended ")]
    assert ended == [" ".join(["ended", str(status), *arguments]) for status, arguments in COMMANDS], done.stderr
    written = {path for _, path in watched.lines()}
    for name in ("store/runs/mlp-moons-1/run.db", "here/given/weights", "here/given/csv"):
        assert str(watched.root / name) in written
    assert list((watched.root / "here" / "given" / "tensorboard").iterdir())
    watched.assert_clean()


def test_the_application_writes_where_it_may(watched: Watched) -> None:
    # What Python looks at before any code is said by code; it is there for the processes that this one starts.
    early = {name: watched.environment[name] for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    said = f"import os, sys; os.environ.update({early!r}); sys.dont_write_bytecode = True"
    recorder = (TESTS / "recorder.py").read_text()
    given = watched.environment | dict.fromkeys(early, "")
    arguments = ("--dataset", "moons", "--epochs", "2", "--device", "cpu")
    with application(*arguments, before=f"{recorder}\n{said}", **given) as terminal:
        terminal.wait("ready")
        terminal.press("ctrl+r")
        terminal.wait("finished")
        terminal.press("z", "z", "u", "escape", "R")
        terminal.wait("mlp-moons-1")
        terminal.press("escape", "L")
        terminal.wait("Softmax may be shifted")
        terminal.press("escape", "q")
        assert terminal.ended() == 0
    assert watched.processes
    assert (watched.root / "store" / "runs" / "mlp-moons-1" / "checkpoint.pt").exists()
    watched.assert_clean()
