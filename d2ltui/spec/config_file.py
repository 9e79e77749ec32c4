"""A run as a TOML file, for `--config`: written, and read with suspicion.

What is read may be anybody's, or no file at all: its kind and its size are checked first, and no more is read than a
configuration can have.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig, applicable_fields
from d2ltui.spec.fields import FIELDS, MAX_PATH
from d2ltui.spec.files import kind
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.parsing import ConfigError, Problem
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import MAX_VALUE, printable
from d2ltui.spec.versions import unknown_fields

MAX_BYTES = 16 * 1024  # a run with 200 layers takes two
MAX_KEYS = 5  # that are no fields and get a sentence each
# The parser's time grows with the square of the parts of a dotted key. A list of 200 decimal numbers has as many dots.
_MAX_DOTS = 250


def to_toml(config: RunConfig) -> str:
    """`config` as a configuration file: the fields that it has a use for, and those that only another version knows."""
    import tomli_w  # only where a file is written

    names = ("model", "dataset", *applicable_fields(config.model), "data_dir")
    values = {name: getattr(config, name) for name in names}
    values["hidden"] = list(config.hidden) if "hidden" in values else None
    for name, other in catalogue.ONLY_WITH.items():
        if getattr(config, other) not in catalogue.values_with(name) and values.get(name) == catalogue.BASE[name]:
            values[name] = None
    values |= unknown_fields(config)
    return tomli_w.dumps({name: value for name, value in values.items() if value is not None})


def read_toml(path: str | Path, *, foreign: bool = False) -> dict[str, object]:
    """`from_toml` of a file.

    Raises:
        ConfigError: also where the file cannot be read.
    """
    try:
        text = _read(path)
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = _("it is not UTF-8 text")
    except ValueError:  # a zero byte
        reason = _("no file can have this name")
    else:
        return from_toml(text, str(path), foreign=foreign)
    raise ConfigError(
        [
            Problem(
                "", _("config: {path} cannot be read ({reason})").format(path=printable(path, MAX_PATH), reason=reason)
            )
        ]
    )


def _read(path: str | Path) -> str:
    # Opened before it is asked what it is, so that it cannot become another in between; a FIFO is not waited for.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(file, "rb", buffering=0) as stream:  # which refuses a directory
        found = os.fstat(file)
        if words := kind(found.st_mode):
            raise OSError(_("it is {words}, not a file").format(words=words))
        content = b""
        if found.st_size <= MAX_BYTES:
            while len(content) <= MAX_BYTES and (more := stream.read(MAX_BYTES + 1 - len(content))):
                content += more
        size = max(found.st_size, len(content))
        if size > MAX_BYTES:
            raise OSError(
                _("it has {size:,} bytes or more, and a configuration at most {max_bytes:,}").format(
                    size=size, max_bytes=MAX_BYTES
                )
            )
    return content.decode("utf-8-sig")


def from_toml(text: str, source: str, *, foreign: bool = False) -> dict[str, object]:
    """The fields that a configuration file gives, unvalidated: `resolve` does that.

    `foreign` is what another version may have written: keys that are no field are allowed.

    Raises:
        ConfigError: where `text` is no TOML (with the line) or has a key that is no field (with the line).
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    place = f"config: {printable(source, MAX_PATH)}"
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS and not line.lstrip().startswith("#"):
            raise ConfigError(
                [
                    Problem(
                        "",
                        _("{place}, line {number}: more than {max_dots} dots are not allowed").format(
                            place=place, number=number, max_dots=_MAX_DOTS
                        ),
                    )
                ]
            )
    try:
        values: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = _("at line {count}, the end").format(count=text.rstrip().count(chr(10)) + 1)
        why = str(error).replace("at end of document", end)
        raise ConfigError(
            [Problem("", _("{place} is not valid TOML: {why}").format(place=place, why=printable(why, MAX_PATH)))]
        ) from None
    except ValueError:  # from int()
        raise ConfigError(
            [Problem("", _("{place} has a whole number of more than 4300 digits").format(place=place))]
        ) from None
    except RecursionError:
        raise ConfigError(
            [Problem("", _("{place} has too many brackets within brackets").format(place=place))]
        ) from None
    unknown = [] if foreign else [key for key in values if key not in FIELDS]
    problems = [
        Problem(
            "",
            _("{place}{line}: no such field: {key}{hint}; allowed: {fields}").format(
                place=place,
                line=_line(text, key),
                key=printable(key, MAX_VALUE),
                hint=did_you_mean(key, FIELDS),
                fields=", ".join(FIELDS),
            ),
        )
        for key in unknown[:MAX_KEYS]
    ]
    if more := len(unknown) - len(problems):
        said = ngettext("{place}: {more:,} more unknown key", "{place}: {more:,} more unknown keys", more)
        problems.append(Problem("", said.format(place=place, more=more)))
    if problems:
        raise ConfigError(problems)
    for name, other in catalogue.ONLY_WITH.items():
        # Files of older versions have it whether it is of use or not; where it is the default, it changes nothing.
        if values.get(other) not in catalogue.values_with(name) and values.get(name) == catalogue.BASE[name]:
            del values[name]
    return values


def line_in(path: str | Path, key: str) -> str:
    """Where `key` stands in a configuration file that has been read, such as `, line 2`; "" where that is not known."""
    try:
        return _line(_read(path), key)
    except (OSError, ValueError):  # it is another one by now
        return ""


def _line(text: str, key: str) -> str:
    found = re.search(rf"^[ \t]*\[{{0,2}}[ \t]*[\"']?{re.escape(key)}(?![\w-])", text, re.MULTILINE)
    return _(", line {count}").format(count=text[: found.end()].count(chr(10)) + 1) if found else ""
