"""Where runs are, what they are called, and what is done with their directories as a whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from d2ltui.spec.files import open_regular, read_regular
from d2ltui.spec.language import _
from d2ltui.spec.text import printable
from d2ltui.store.errors import InUse, NotAllowed, StoreError, reason

try:
    import fcntl
except ImportError:  # no such locks on Windows; the process's number in the database has to do
    fcntl = None  # type: ignore[assignment]

DATABASE, CONFIG, LOG, NOTE, LOCK = "run.db", "config.toml", "log.txt", "note.txt", "lock"
CHECKPOINT, PREVIOUS, WEIGHTS = "checkpoint.pt", "checkpoint-previous.pt", "weights.pt"
LATEST = "latest"
MADE, GONE = ".new-", ".old-"  # what begins the names of directories that are no run yet, and none any more
# What renaming a directory to a name says where something is there already.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EACCES)
LEFT = 86_400.0  # seconds after which such a one was left by a process that was killed
MAX_NAME = 100
NAMES = _("1 to {max_name} letters, digits, '-', '_' or '.', the first a letter or digit, and not 'latest'").format(
    max_name=MAX_NAME
)


def home() -> Path:
    """D2LTUI_HOME, or the user's data directory. It need not exist.

    Raises:
        NotAllowed: where D2LTUI_HOME begins with a user that there is not.
    """
    given = os.environ.get("D2LTUI_HOME")
    if given:
        try:
            return Path(given).expanduser().absolute()
        except RuntimeError:  # ~ and a user that there is not
            user = given.partition("/")[0]
            why = _("there is no user '{user}' with a home").format(user=user[1:])
            raise NotAllowed(
                _("D2LTUI_HOME: '{given}' is not allowed ({why}); allowed: a directory").format(given=given, why=why)
            ) from None
    import platformdirs

    return platformdirs.user_data_path("d2ltui", appauthor=False)


def runs_dir() -> Path:
    """The directory of all runs' directories."""
    return home() / "runs"


def is_name(name: str) -> bool:
    """Whether a run may be called so: such a name is a directory's, and cannot lead out of it."""
    return bool(re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}", name)) and name != LATEST


def names() -> list[str]:
    """The names of all runs, sorted; none where there is no directory yet.

    Raises:
        StoreError: where the directory cannot be read.
    """
    try:
        with os.scandir(runs_dir()) as entries:
            return sorted(e.name for e in entries if is_name(e.name) and _is_directory(e))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            _("runs: {runs_dir} cannot be read ({reason})").format(runs_dir=runs_dir(), reason=reason(error))
        ) from None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # of one entry, which may go while it is looked at
        return False


def is_left(path: Path) -> bool:
    """Whether directory `path` is no run but a name alone: empty, or gone. One process may give it a run just now."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def gone(path: Path) -> str:
    """What is missing of the run in directory `path`, in words, whoever has removed it; "" where nothing is."""
    with contextlib.suppress(OSError):
        if not os.path.lexists(path):
            return _("its directory is gone: deleted, or renamed")
        if not os.path.lexists(path / DATABASE):
            return _("its {database} is gone: deleted, or renamed").format(database=DATABASE)
    return ""


def path_of(name: str) -> Path:
    """The directory of the run that is called exactly so.

    Raises:
        StoreError: where there is none, or it can be no run's name.
    """
    if not is_name(name):
        raise NotAllowed(_("run: '{name}' is not allowed; allowed: {names}").format(name=name, names=NAMES))
    path = runs_dir() / name
    try:
        known = stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        known = False
    except OSError as error:
        raise StoreError(_("run: {name} cannot be read ({reason})").format(name=name, reason=reason(error))) from None
    if not known:
        raise NotAllowed(_("run: '{name}' is not known; allowed: what 'd2ltui runs' lists").format(name=name))
    return path


def create(stem: str, fill: Callable[[Path], object], parent: Path | None = None) -> Path:
    """A new directory, called `stem` and the next number, complete: `fill` has put everything into it.

    It is in `parent`, or, as a new run's, in `runs_dir()`.

    Raises:
        OSError: where it cannot be made. Whatever `fill` raises passes.
    """
    parent = parent or runs_dir()
    parent.mkdir(parents=True, exist_ok=True)
    _tidy(parent)
    made = Path(tempfile.mkdtemp(prefix=MADE, dir=parent))
    try:
        fill(made)
        made.chmod(0o755)
        taken = re.compile(re.escape(stem) + r"-(\d{1,9})")
        number = max((int(found[1]) for name in os.listdir(parent) if (found := taken.fullmatch(name))), default=0)
        while True:
            number += 1
            path = parent / f"{stem}-{number}"
            try:
                # In one step, so that there is no moment at which a name has no run: a directory takes the place of
                # nothing, or of an empty one.
                made.rename(path)
                break
            except OSError as error:
                if error.errno not in _TAKEN or not os.path.lexists(path):
                    raise
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return path


def _tidy(parent: Path) -> None:
    """Remove what processes that were killed have left in the directory of runs.

    What is young may be at work, on another machine, too; links are not followed. What cannot be removed stays.
    """
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                ours = entry.name.startswith((MADE, GONE))
                if (ours or is_name(entry.name)) and entry.is_dir(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    if time.time() - max(found.st_mtime, found.st_ctime) <= LEFT:
                        continue
                    if ours:
                        shutil.rmtree(entry.path, ignore_errors=True)
                    elif found.st_nlink <= 2 and is_left(Path(entry.path)):
                        os.rmdir(entry.path)  # an empty one alone


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, previous: Path | None = None) -> None:
    """Write a file so that there is, at any moment, the old one or the new one, whole; the old one becomes `previous`.

    Raises:
        OSError: where it cannot be written; the old one is kept.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not every file system can
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _free_name(path: Path) -> str:
    number, name = 1, f"{DATABASE}.damaged"
    while any(os.path.lexists(path / taken) for taken in (name, f"{name}-journal")):
        number += 1
        name = f"{DATABASE}.damaged-{number}"
    return name


def name_aside(path: Path) -> str:
    """What `put_aside` will call the database of the run in directory `path`; "" where there is none."""
    return _free_name(path) if os.path.lexists(path / DATABASE) else ""


def put_aside(path: Path) -> str:
    """Give the database of the run in directory `path` a name that no file there has, and return it.

    "" where there is no database. The journal that SQLite keeps beside it goes with it: it would be taken for the next
    database's.

    Raises:
        OSError: where it cannot be renamed.
    """
    name = name_aside(path)
    journal = path / f"{DATABASE}-journal"
    if journal.is_file() and not journal.stat().st_size:
        journal.unlink()  # of a transaction that is over
    elif os.path.lexists(journal):
        journal.rename(path / f"{name or _free_name(path)}-journal")
    if name:
        (path / DATABASE).rename(path / name)
    return name


class Lock:
    """The right to write a run, held by one process; the system gives it up when the process ends, however it ends.

    Or a map: `kind` is the word for it.
    """

    def __init__(self, path: Path, kind: Literal["run", "map"] = "run") -> None:
        """Take it.

        Raises:
            InUse: where another process has it.
            StoreError: where the directory cannot be written.
        """
        try:
            self._file = open_regular(path / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StoreError(
                _("{kind}: {name} cannot be written ({reason})").format(kind=kind, name=path.name, reason=reason(error))
            ) from None
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._file)
                raise InUse(
                    _("{kind}: {name} is in use by another process; stop it there first").format(
                        kind=kind, name=path.name
                    )
                ) from None
            except OSError:
                pass  # a file system without locks

    def release(self) -> None:
        """Give it up."""
        with contextlib.suppress(OSError):
            os.close(self._file)


@contextlib.contextmanager
def _owned(path: Path) -> Iterator[None]:
    lock = Lock(path)
    try:
        yield
    finally:
        lock.release()


def rename(name: str, new: str) -> Path:
    """Give a run that nobody trains another name; returns its directory.

    Raises:
        StoreError: where one of the names is not allowed, the new one taken, or the run in use.
    """
    path = path_of(name)
    if not is_name(new):
        raise NotAllowed(_("name: '{new}' is not allowed; allowed: {names}").format(new=new, names=NAMES))
    if re.fullmatch(r"map-\d+", new):
        raise NotAllowed(_("name: '{new}' is not allowed (maps are called so); allowed: another name").format(new=new))
    target = runs_dir() / new
    with _owned(path):
        if os.path.lexists(target):
            raise NotAllowed(_("name: '{new}' is not allowed; allowed: a name that no run has").format(new=new))
        try:
            path.rename(target)
        except OSError as error:
            raise StoreError(
                _("run: {name} cannot be renamed ({reason})").format(name=name, reason=reason(error))
            ) from None
    return target


def delete(name: str) -> None:
    """Delete a run that nobody trains, with everything in its directory.

    Raises:
        StoreError: where there is no such run, it is in use, or it cannot be deleted.
    """
    delete_at(path_of(name))


def delete_at(path: Path) -> None:
    """Delete what is stored in directory `path`, a run or a map, which nobody trains.

    Raises:
        StoreError: where it is in use, or cannot be deleted.
    """
    name = path.name
    with _owned(path):
        try:
            # Out of sight first: a directory that is half deleted must not look like a run.
            gone = Path(tempfile.mkdtemp(prefix=GONE, dir=path.parent))
            path = path.rename(gone / name)
            shutil.rmtree(gone)
        except OSError as error:
            raise StoreError(
                _("run: {name} cannot be deleted ({reason})").format(name=name, reason=reason(error))
            ) from None


MAX_NOTE = 10_000


def note(path: Path) -> str:
    """What somebody wrote about the run in directory `path`."""
    try:
        text = read_regular(path / NOTE, 4 * MAX_NOTE).decode("utf-8", "replace")
    except OSError:
        return ""
    return printable(text.strip(), MAX_NOTE, lines=True)


def set_note(name: str, text: str) -> None:
    """Write something about a run, also while it is trained.

    Raises:
        StoreError: where there is no such run, or it cannot be written.
    """
    set_note_at(path_of(name), text)


def set_note_at(path: Path, text: str) -> None:
    """Write something about the run or map in directory `path`.

    Raises:
        StoreError: where it cannot be written.
    """
    data = text.strip()[:MAX_NOTE].encode("utf-8", "replace")
    try:
        write_atomically(path / NOTE, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(
            _("note: it cannot be written to {path} ({reason})").format(path=path, reason=reason(error))
        ) from None


def path_of_group(name: str) -> Path:
    """Names a group where a directory is wanted: there is none."""
    return home() / "groups" / name


def name_of_group(path: Path) -> str | None:
    """The group that `path_of_group` named so; None where it is something else."""
    return path.name if path.parent == home() / "groups" else None
