"""Run directories that anybody may have written: `python -m tests.storm.hostile_runs --runs 1000`.

A real run is copied and changed at random: values in its database (with right checksums), its tables, its files, its
checkpoint. Whatever a command makes of it, it says so in text, soon, in little memory, and lists the run beside it.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from d2ltui.spec.config import resolve
from d2ltui.store import home, schema

MEGABYTES = 400  # that all of it may take on top of what the first run needs, PyTorch included
HOSTILE: tuple[Callable[[random.Random], Any], ...] = (
    lambda r: "\x1b]52;c;aGVsbG8=\x07" + chr(r.randrange(0x110000)),
    lambda r: r.choice(["\x1b]0;title\x1b\\", "\x9b2J", "\x90q\x9c", "\x1b[?1049h", "\r\x1b[K", "\x07\x08\x7f"]),
    lambda r: r.choice(["\u202e\u2066", "\u200b\ufeff", "\ud800", "\udc9b2J", "\U000e0041", "e" + "\u0301" * 500]),
    lambda r: "".join(chr(r.randrange(0x300)) for _ in range(r.randrange(200))),
    lambda r: "x" * r.choice([20_000, 1_000_000]),
    lambda r: r.choice([0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400]),
    lambda r: r.choice([0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")]),
    lambda r: r.choice([None, True, False, [], {}, "", "null", "0"]),
    lambda r: [0] * r.choice([1, 100_000]),
    lambda r: {f"\x1b{i}": i for i in range(r.choice([1, 1000]))},
    lambda r: "\n".join(["forged line"] * r.randrange(1000)),
)


def changed(value: Any, r: random.Random) -> Any:
    """`value`, JSON's, with a random one in it replaced, dropped, or added."""
    if isinstance(value, dict) and value and r.random() < 0.9:
        key = r.choice(list(value))
        found = dict(value)
        match r.randrange(10):
            case 0:
                del found[key]
            case 1:
                found[str(r.choice(HOSTILE)(r))] = r.choice(HOSTILE)(r)
            case _:
                found[key] = changed(found[key], r)
        return found
    if isinstance(value, list) and value and r.random() < 0.8:
        at = r.randrange(len(value))
        match r.randrange(8):
            case 0:
                return value[:at]
            case 1:
                return value + value
            case _:
                return [*value[:at], changed(value[at], r), *value[at + 1 :]]
    return r.choice(HOSTILE)(r)


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    for name in (home.DATABASE, f"{home.DATABASE}-journal", f"{home.DATABASE}-wal"):
        if os.path.lexists(path / name) and not (path / name).is_file():
            raise OSError(f"another change has made {name} something else, such as a pipe, which would be waited for")
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        yield connection


def in_meta(path: Path, r: random.Random) -> str:
    with database(path) as connection:
        key, text = r.choice(connection.execute("SELECT key, value FROM meta").fetchall())
        text = json.dumps(changed(json.loads(text), r))
        connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = ?", (text, schema.crc(key, text), key))
    return f"meta {key}: {text[:200]}"


def in_log(path: Path, r: random.Random) -> str:
    with database(path) as connection:
        number, when, kind, text = r.choice(connection.execute("SELECT id, time, kind, data FROM log").fetchall())
        text = json.dumps(changed(json.loads(text), r))
        if r.random() < 0.1:
            kind = r.choice(["Begun", "RunResumed", "RunEnded", "\x1b[2J"])
        row = (kind, text, schema.crc(when, kind, text), number)
        connection.execute("UPDATE log SET kind = ?, data = ?, crc = ? WHERE id = ?", row)
    return f"log {kind}: {text[:200]}"


def in_looks(path: Path, r: random.Random) -> str:
    table = r.choice(["layers", "findings"])
    with database(path) as connection:
        rows = connection.execute(f"SELECT id, step, data FROM {table}").fetchall()
        if not rows:
            return f"{table}: none"
        number, step, data = r.choice(rows)
        text = json.dumps(changed(json.loads(zlib.decompress(data)), r))
        data = zlib.compress(text.encode())
        if r.random() < 0.1:
            data = zlib.compress(b"[" + b" " * 10**8, 9)
            text = "bomb"
        connection.execute(f"UPDATE {table} SET data = ?, crc = ? WHERE id = ?", (data, schema.crc(step, data), number))
    return f"{table}: {text[:200]}"


def in_records(path: Path, r: random.Random) -> str:
    table = r.choice(["steps", "epochs"])
    with database(path) as connection:
        first, count, data = r.choice(connection.execute(f"SELECT first, count, data FROM {table}").fetchall())
        match r.randrange(4):
            case 0:
                data = r.randbytes(len(data))
            case 1:
                data = data[: r.randrange(len(data))]
            case 2:
                count = r.choice([0, -1, 2**62])
            case _:
                data = data * r.choice([2, 100])
        new = r.choice([first, first, first, 0, -5, 2**62])
        row = (new, count, data, schema.crc(new, count, data), first)
        connection.execute(f"UPDATE {table} SET first = ?, count = ?, data = ?, crc = ? WHERE first = ?", row)
    return f"{table}: first {new}, count {count}, {len(data)} bytes"


def in_schema(path: Path, r: random.Random) -> str:
    statement = r.choice(
        (
            'CREATE VIEW "v\x1b[2J" AS SELECT 1',
            "CREATE TABLE more(x)",
            "DROP TABLE steps",
            "DROP TABLE meta",
            "DELETE FROM log",
            "DELETE FROM meta WHERE key = 'config'",
            "PRAGMA user_version = 9",
            "PRAGMA user_version = -2147483648",
            "PRAGMA application_id = 5",
            "PRAGMA journal_mode=WAL",
            "INSERT INTO log(time, kind, data, crc) SELECT time, kind, data, crc FROM log",
            "INSERT INTO layers(step, data, crc) SELECT step, data, crc FROM layers",
            "UPDATE sqlite_sequence SET seq = 0",
        )
    )
    with database(path) as connection, contextlib.suppress(sqlite3.Error):
        connection.execute(statement)
    return statement


def in_files(path: Path, r: random.Random) -> str:
    names = [home.DATABASE, home.CONFIG, home.NOTE, home.LOG, home.LOCK, home.CHECKPOINT, home.PREVIOUS]
    name = r.choice([*names, "run.db-journal", "run.db-wal", "request-1", ".run.db-x", ".checkpoint.pt-x"])
    at = path / name
    kinds: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(at),
        "directory": at.mkdir,
        "device": lambda: at.symlink_to("/dev/zero"),
        "loop": lambda: at.symlink_to(at.name),
        "outside": lambda: at.symlink_to("/etc/passwd"),
        "noise": lambda: at.write_bytes(r.randbytes(5000)),
        "holes": lambda: (at.touch(), os.truncate(at, 2**36)),
        "text": lambda: at.write_text(str(r.choice(HOSTILE[:5])(r)), encoding="utf-8", errors="surrogatepass"),
        "nothing": lambda: None,
    }
    kind = r.choice(list(kinds))
    at.unlink(missing_ok=True)
    kinds[kind]()
    return f"{name}: {kind}"


def in_bytes(path: Path, r: random.Random) -> str:
    name = r.choice([home.DATABASE, home.CONFIG, home.CHECKPOINT])
    if not (path / name).is_file() or not 0 < (path / name).stat().st_size < 10**7:
        return f"{name}: as it was"
    data = bytearray((path / name).read_bytes())
    for _ in range(r.randrange(1, 50)):
        data[r.randrange(len(data))] = r.randrange(256)
    (path / name).write_bytes(data)
    return f"{name}: flipped bytes"


def in_checkpoint(path: Path, r: random.Random) -> str:
    import torch

    from d2ltui.engine import checkpoint

    try:
        found = torch.load(path / home.CHECKPOINT, weights_only=True)
    except Exception:
        return "no checkpoint to change"
    values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
    name = r.choice([*values, "model"])
    tensors: tuple[Callable[[], Any], ...] = (
        lambda: torch.zeros(1).expand(10**9),
        lambda: torch.full((3,), float("nan")),
        lambda: torch.zeros(0),
        lambda: torch.zeros(2, 3, dtype=torch.int8),
    )
    value = r.choice(tensors)() if r.random() < 0.4 else r.choice(HOSTILE)(r)
    values[name] = {**values[name], "1.weight": value} if isinstance(values[name], dict) and r.random() < 0.7 else value
    checksum = 0
    dicts = [whole.values() for whole in values.values() if isinstance(whole, dict)]
    parts = [*values.values(), *(part for parts in dicts for part in parts)]
    if not any(torch.is_tensor(part) and part.numel() > 10**6 for part in parts):
        with contextlib.suppress(Exception):
            checksum = checkpoint.checksum(values)
    torch.save({**found, **values, "checksum": checksum}, path / home.CHECKPOINT)
    return f"checkpoint {name}: {str(value)[:80]!r}"


CHANGES = (in_meta, in_meta, in_meta, in_log, in_log, in_looks, in_looks, in_records, in_schema, in_files, in_bytes)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("runs",), ("show", "victim"), ("show", "latest"), ("compare", "victim", "good"), ("export", "victim", "--csv"),
    ("export", "victim", "--json"), ("export", "victim", "--svg"), ("export", "victim", "--code"),
    ("export", "victim", "--weights", "-o", "weights.pt"), ("runs", "steps>=0", "note=x", "lr<1"),
)  # fmt: skip


def make_good(root: Path) -> None:
    """A short run with everything that a database can hold, and its copy that nobody touches."""
    os.environ["D2LTUI_HOME"] = str(root)
    from d2ltui.runner.headless import train

    config = resolve({"model": "mlp", "dataset": "moons", "hidden": "4", "lr": 3, "epochs": 4, "device": "cpu"})
    with contextlib.redirect_stderr(io.StringIO()):
        train(config, False, True, store=True)
    (made,) = (root / "runs").iterdir()
    made.rename(root / "runs" / "good")
    (root / "runs" / "good" / home.NOTE).write_text("a note")


def command(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    """The exit status and the output of a command, in this process."""
    from d2ltui.cli.app import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="replace", write_through=True) for _ in range(2))
    before = sys.argv
    sys.argv = ["d2ltui", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = before
    printed, told = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return status, printed, told


class FailedError(Exception):
    """Something that must not be."""


def look(arguments: tuple[str, ...], limit: float) -> float:
    """Run a command on what there is; the seconds that it took."""
    began = time.process_time()
    signal.alarm(60)
    try:
        status, out, err = command(arguments)
    finally:
        signal.alarm(0)
    took = time.process_time() - began
    if status not in (0, 1, 2):
        raise FailedError(f"exit status {status}")
    for text in (out, err):
        odd = {c for c in text if not c.isprintable() and c != "\n"}
        if odd:
            raise FailedError(f"characters {sorted(odd)} in {text[:300]!r}")
    if err and not all(line.startswith("d2ltui: ") for line in err.splitlines()):
        raise FailedError(f"more than a sentence: {err[:300]!r}")
    longest = max(map(len, err.splitlines()), default=0)
    if longest > 2500 or len(out) > 3_000_000:
        raise FailedError(f"{longest} and {len(out)} characters")
    if took > limit:
        raise FailedError(f"{took:.1f} s")
    return took


def resume(limit: float) -> None:
    """Go on with the run as far as reading it, and let go again."""
    from d2ltui.engine.checkpoint import CheckpointError
    from d2ltui.engine.control import Control
    from d2ltui.runner.recording import RunRecording
    from d2ltui.store.errors import StoreError

    began = time.process_time()
    signal.alarm(60)
    try:
        recording = RunRecording.resume(home.path_of("victim"), Control())
        try:
            recording.checkpoint()
        finally:
            recording.close()
    except (StoreError, CheckpointError) as error:
        if not str(error).isprintable() or len(str(error)) > 2500:
            raise FailedError(f"{str(error)[:300]!r}") from None
    finally:
        signal.alarm(0)
    if time.process_time() - began > limit:
        raise FailedError(f"{time.process_time() - began:.1f} s to go on")


def storm(
    root: Path, runs: int, seed: str, seen: collections.Counter[str], first: int = 0, limit: float = 5.0
) -> Iterator[str]:
    """Change and read `runs` runs; yields what must not be. `seen` counts what the list called them."""
    runs_dir = root / "runs"
    victim = runs_dir / "victim"
    os.chdir(root)
    base = 0  # MB, of the first one that has not failed before
    for number in range(first, first + runs):
        r = random.Random(f"{seed}/{number}")
        shutil.rmtree(victim, ignore_errors=True)
        shutil.copytree(runs_dir / "good", victim)
        done = []
        arguments: tuple[str, ...] = ("resume",)
        with contextlib.suppress(FileNotFoundError):
            (root / "weights.pt").unlink()
        try:
            changes = CHANGES if r.random() < 0.8 else (in_checkpoint,)
            for _ in range(r.randrange(1, 4)):
                with contextlib.suppress(sqlite3.Error, OSError, ValueError, TypeError, IndexError, zlib.error):
                    done.append(r.choice(changes)(victim, r))  # a second change may find nothing to change
            status, out, err = command(("runs", "--json"))
            names = {run["name"]: run["status"] for run in json.loads(out)} if status == 0 else {}
            seen[names.get("victim", "")] += 1
            arguments = ("runs", "--json")
            if names.get("good") not in ("finished", "diverged") or "victim" not in names:
                raise FailedError(f"listed: {names}; {err}")
            for arguments in (("runs", "--json"), *r.sample(COMMANDS, 2)):
                look(arguments, limit)
            if r.random() < 0.3 or changes == (in_checkpoint,):
                arguments = ("resume",)
                resume(limit)
            arguments = ("delete",)
            if r.random() < 0.2:
                from d2ltui.store.errors import StoreError

                with contextlib.suppress(StoreError):
                    home.delete("victim")
                for kept in ("/etc/passwd", "/dev/zero"):
                    if not os.path.exists(kept):
                        raise FailedError(f"{kept} is gone")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            base = base or peak
            if peak > base + MEGABYTES:
                base = peak
                raise FailedError(f"{peak} MB")
        except FailedError as error:
            yield f"{seed}/{number} {arguments} {error}\n    " + "\n    ".join(done)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            yield f"{seed}/{number} {arguments}\n    " + "\n    ".join(done) + "\n" + traceback.format_exc()[-1800:]


def on_alarm(*_: object) -> None:
    raise FailedError("it hangs")


def main() -> int:
    """1 where something must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm.hostile_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0, help="begin with this one, such as one that failed")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds of processor time that a command may take")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, on_alarm)
    failures, began = 0, time.monotonic()
    seen: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="d2ltui storm ") as place:
        root = Path(place)
        make_good(root)
        for failure in storm(root, given.runs, given.seed, seen, given.first, given.limit):
            failures += 1
            print(failure, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(", ".join(f"{count} {status}" for status, count in seen.most_common()))
    print(f"{given.runs} runs, {failures} failures, {time.monotonic() - began:.0f} s, at most {peak} MB")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
