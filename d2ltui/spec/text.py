"""Words that go with numbers, and text from elsewhere made fit to be shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import rate

MAX_TEXT = 1000  # characters that are shown of a text from elsewhere: a path may be long
MAX_VALUE = 80  # and of a value that is told of in a sentence
_UNKNOWN = "\ufffd"
# Marks that stand on the character before them: some languages need two or three, a hundred cover the lines above.
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
_TOO_MANY_MARKS = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")
# What formulas and signs are spelled with where there is ASCII only, and room: flowing text, not cells of a screen.
_SPELLED = {
    **{subscript: f"_{plain}" for subscript, plain in zip("₀₁₂₃ᵢⱼₙᵧ₊", "0123ijny+", strict=True)},
    **{power: f"^{plain}" for power, plain in zip("⁰¹²³⁸⁹ⁿˣ⁻", "012389nx-", strict=True)},
    "½": "1/2",
    "¼": "1/4",
    "ŷ": "y^",
    "β": "beta",
    "η": "eta",
    "λ": "lambda",
    "σ": "sigma",
    "δ": "delta",
    "ε": "eps",
    "µ": "micro",
    "∂": "d",
    "Σ": "sum ",
    "√": "sqrt ",
    "←": "<-",
    "→": "->",
    "⇒": "=>",
    "≥": ">=",
    "≤": "<=",
    "±": "+-",
    "′": "'",
    "‖": "||",
    "⊗": "(x)",
    "…": "...",
    "×": "x",
    "–": "-",
    "—": "-",
    "−": "-",
    "·": ".",
    "’": "'",
    "✓": "+",
    "▲": "!",
    "△": "^",
}
_SPELLING = str.maketrans(_SPELLED)
# What Python takes for printable, and no terminal shows: fillers, joiners, selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U000e0100-\U000e01ef]")


def counted(number: int, noun: str, form: str = "") -> str:
    """`1 unit`, `1024 units`; with the form `,`, `1,024 units`."""
    several = f"{{number}} {noun}s"
    said = _(several)
    if said == several and number == 1:
        said = f"{{number}} {noun}"
    return said.format(number=f"{number:{form}}")


def pace(per_second: float) -> str:
    """`430 steps/s`, `1 step/s`, `0.5 steps/s`: how fast a run is."""
    speed = rate(per_second)
    return ngettext("{speed} step/s", "{speed} steps/s", 1 if speed == "1" else 2).format(speed=speed)


def sections(places: str) -> str:
    """`section 5.1`, `sections 4.4, 4.5` or `sections 3.1 to 3.5`: where in the book something is."""
    several = "," in places or " " in places
    return (_("sections {places}") if several else _("section {places}")).format(places=places)


def listed(parts: Iterable[str]) -> str:
    """Parts of a sentence, one after the other."""
    return _(", ").join(parts)


def enumerated(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return _(" and ").join(filter(None, (listed(parts[:-1]), *parts[-1:])))


def ended(sentence: str) -> str:
    """`sentence` with a full stop, where nothing ends it yet."""
    return (
        sentence if sentence.endswith((".", "!", "?", "。", "！", "？")) else _("{sentence}.").format(sentence=sentence)
    )


def printable(text: object, most: int = MAX_TEXT, *, lines: bool = False) -> str:
    """`text`, from a file, a server, another program or the system, as what may be shown and printed.

    Each character that a terminal would obey instead of showing it (C0 and C1 controls, and so every escape sequence),
    that would reorder its neighbours or hide between them (bidirectional marks, zero-width characters, fillers), or
    that cannot be encoded (lone surrogates) becomes U+FFFD; white space of any other kind becomes a space. A longer
    text than `most` characters is cut, and ends with "…". With `lines`, ends of lines stay.
    """
    shown = text if isinstance(text, str) else str(text)
    if len(shown) > most:
        shown = f"{shown[: max(0, most - 1)]}…"
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _stand_in(c, lines) for c in shown)
    if not shown.isascii():
        shown = _TOO_MANY_MARKS.sub(r"\1", _UNSEEN.sub(_UNKNOWN, shown))
    return shown


def spelled(text: str) -> str:
    """`text` with its formulas in ASCII, wider than they were: ½(ŷ − y)² is 1/2(y^ - y)^2."""
    return text.translate(_SPELLING)


def takes_only_ascii(stream: object) -> bool:
    """Whether nothing else can be written to the text stream `stream`."""
    return "utf" not in (getattr(stream, "encoding", None) or "ascii").lower()


def written_to(stream: object, text: str) -> str:
    """`text` as `stream` takes it: where it must be, in ASCII, with a question mark for what has no spelling there."""
    if text.isascii() or not takes_only_ascii(stream):
        return text
    return spelled(text).encode("ascii", "replace").decode()


def quoted(text: object) -> str:
    """A value that somebody typed, as it is told of in a sentence."""
    return f"'{printable(text, MAX_VALUE)}'"


def _stand_in(character: str, lines: bool) -> str:
    if character == "\n" and lines:
        return "\n"
    return " " if character.isspace() and not "\x1c" <= character <= "\x1f" else _UNKNOWN


def printable_values(value: Any, most: int = MAX_TEXT, *, lines: Mapping[str, int] = MappingProxyType({})) -> Any:
    """`value`, plain values as JSON and TOML have them, with every text and every key `printable`.

    What stands under the keys `lines` keeps its ends of lines, and may be so long.
    """
    if isinstance(value, str):
        return printable(value, most)
    if isinstance(value, dict):
        return {
            printable(key, MAX_VALUE): printable(item, lines[key], lines=True)
            if key in lines and isinstance(item, str)
            else printable_values(item, most, lines=lines)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        if set(map(type, value)) <= {int, float}:  # a histogram
            return list(value)
        return [printable_values(item, most, lines=lines) for item in value]
    return value


def _finite(value: object) -> object:
    """`value` with None for each number that is not finite."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_line(value: object) -> str:
    """`value` as one line of JSON that any parser takes, and that no terminal obeys: what cannot be shown is escaped.

    JSON has no number that is not finite: it is null there.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
