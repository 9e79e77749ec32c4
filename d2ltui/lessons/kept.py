"""The last measurement of each lesson, kept over sessions: its verdict, and the figure that was drawn.

Each has a file of its own, `D2LTUI_HOME/lessons/NAME.json`, for it is read when the lesson is looked at.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from d2ltui.lessons.measured import Verdict
from d2ltui.lessons.recorder import stem_of
from d2ltui.spec.diagrams import Bars, Batches, Curves, Descent, Panel, Panels, Path, Raster
from d2ltui.spec.files import read_regular
from d2ltui.spec.language import ENGLISH, _, language
from d2ltui.spec.pictures import Regions
from d2ltui.spec.text import printable_values
from d2ltui.store import home
from d2ltui.store.errors import StoreError, reason

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from d2ltui.spec.diagrams import Diagram

FOLDER = "lessons"
MAX_BYTES = 2**20
MAX_CELLS = 2**18  # of an array
Pair, Names = tuple[float, float], tuple[str, str]
_WHOLE: dict[str, type[Any]] = {"Curves": Curves, "Bars": Bars, "Batches": Batches}
# Of those that hold arrays: the fields' types, and of an array the kind of its numbers and its dimensions.
_PARTS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "Raster": (Raster, {"values": ("f", 2), "names": Names, "across": Names, "signs": bool}),
    "Descent": (
        Descent,
        {"loss": ("f", 2), "x": Pair, "y": Pair, "axes": Names, "paths": tuple[Path, ...], "goal": Pair | None},
    ),
    "Regions": (
        Regions,
        {
            "classes": ("iu", 2),
            "confidence": ("f", 2),
            "points": ("f", 2),
            "labels": ("iu", 1),
            "x": Pair,
            "y": Pair,
            "axes": Names,
            "names": tuple[str, ...],
        },
    ),
}


class Kept(NamedTuple):
    """What was found, what was drawn of which runs, when (Unix time), and in which language it is told."""

    verdict: Verdict
    picture: Diagram | None
    drawn: str
    when: float
    language: str = ENGLISH


def path_of(lesson: str) -> FilePath:
    """The file of the lesson with that name."""
    return home.home() / FOLDER / f"{stem_of(lesson, '')}.json"


def keep(verdict: Verdict, picture: Diagram | None, drawn: str) -> None:
    """Keep it in place of the last one. A figure that is none of the usual ones, or too large, is not kept.

    Raises:
        StoreError: where it cannot be written.
    """
    found = {
        "when": time.time(),
        "language": language(),
        "verdict": msgspec.to_builtins(verdict),
        "drawn": drawn,
        "picture": _plain(picture) if _can_be_read(picture) else None,
    }
    data = msgspec.json.encode(found)
    if len(data) > MAX_BYTES:
        data = msgspec.json.encode({**found, "picture": None})
    path = path_of(verdict.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        home.write_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(
            _("lessons: {path} cannot be written ({reason})").format(path=path, reason=reason(error))
        ) from None


def read(lesson: str) -> Kept | None:
    """What is kept of the lesson with that name; None where nothing is, or its sentences are in another language.

    Raises:
        StoreError: where it cannot be read, or is damaged.
    """
    path = path_of(lesson)
    try:
        state = os.lstat(path)
        kept = _whole(path, (state.st_mtime_ns, state.st_size, state.st_ino))
        return kept if kept.verdict.name == lesson and kept.language == language() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        why = reason(error)
    except RecursionError:
        why = _("it is nested too deeply")
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        why = _("it is damaged: {reason}").format(reason=error)
    raise StoreError(
        _("lessons: {path} cannot be read ({why}); it is left out until {lesson} is measured again").format(
            path=path, why=why, lesson=lesson
        )
    )


@lru_cache(maxsize=64)
def _whole(path: FilePath, state: tuple[int, ...]) -> Kept:
    """What the file says that is in that `state`: to read it and to draw its figure once takes some milliseconds."""
    found = printable_values(msgspec.json.decode(read_regular(path, MAX_BYTES)), lines={"data": MAX_BYTES})
    verdict = msgspec.convert(found["verdict"], Verdict)
    when, drawn = msgspec.convert(found["when"], float), msgspec.convert(found["drawn"], str)
    time.localtime(when)
    spoken = msgspec.convert(found.get("language", ENGLISH), str)
    return Kept(verdict, _picture(found["picture"]), drawn, when, spoken)


def _can_be_read(picture: Any) -> bool:
    """Whether it can be made again of what is written of it: a lesson may draw what is none of the usual figures."""
    parts = [panel.picture for panel in picture.panels] if isinstance(picture, Panels) else [picture]
    return all(type(part).__name__ in {**_WHOLE, **_PARTS} for part in parts)


def _plain(value: Any) -> Any:
    """`value` as JSON has it: arrays as their bytes, numbers that are none as words."""
    import numpy as np

    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": data}
    if isinstance(value, msgspec.Struct):
        fields = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"kind": type(value).__name__, **fields}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _picture(found: Any) -> Diagram | None:
    """The diagram; one that cannot be drawn raises ValueError."""
    if found is None:
        return None
    if found["kind"] == "Panels":
        panels = tuple(
            Panel(msgspec.convert(panel["title"], str), _diagram(panel["picture"])) for panel in found["panels"]
        )
        picture: Diagram = msgspec.structs.replace(msgspec.convert({**found, "panels": []}, Panels), panels=panels)
    else:
        picture = _diagram(found)
    from d2ltui.charts.canvas import Look
    from d2ltui.charts.picture import draw_picture

    try:
        draw_picture(picture, 46, 7, Look())
    except Exception as error:  # whatever is wrong with it, nobody is to fall over it later
        raise ValueError(f"its figure cannot be drawn ({type(error).__name__}: {error})") from None
    return picture


def _diagram(found: Mapping[str, Any]) -> Any:
    kind = found["kind"]
    if kind in _WHOLE:
        return msgspec.convert(found, _WHOLE[kind], strict=False)  # numbers may be words: inf
    made, fields = _PARTS[kind]
    given = {
        name: _array(found[name], *wanted)
        if type(wanted) is tuple
        else msgspec.convert(found[name], wanted, strict=False)
        for name, wanted in fields.items()
    }
    return made(**given)


def _array(found: Mapping[str, Any], kinds: str, dimensions: int) -> Any:
    import numpy as np

    dtype, shape = np.dtype(found["dtype"]), msgspec.convert(found["shape"], list[int])
    if dtype.kind not in kinds or len(shape) != dimensions or not 0 < math.prod(shape) <= MAX_CELLS or min(shape) < 1:
        raise ValueError("an array of another kind or size")
    try:
        data = base64.b64decode(found["data"], validate=True)
    except binascii.Error:
        raise ValueError("an array of other bytes") from None
    return np.frombuffer(data, dtype).reshape(shape)
