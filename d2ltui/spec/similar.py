"""What a person who misspelt a name probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from d2ltui.spec.language import _

LONGEST = 40  # characters: what is longer is no slip of the finger
SHORTEST_BEGINNING = 3


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` is a misspelling, the beginning, or in full what they are the initials of.

    None where none is close.

    A letter too many, too few, wrong, or two exchanged are one slip. One slip is allowed, and two in names of six
    letters or more: a wrong guess is worse than none.
    """
    if not word or len(word) > LONGEST:
        return None
    typed = _folded(word)
    names = list(names)
    found = [(_slips(typed, _folded(name)), name) for name in names]
    close = [(slips, name) for slips, name in found if slips <= (1 if len(name) < 6 else 2) and slips < len(name)]
    if close:
        return min(close, key=lambda one: one[0])[1]
    begun = [name for _, name in found if len(typed) >= SHORTEST_BEGINNING and _folded(name).startswith(typed)]
    if len(begun) == 1:
        return begun[0]
    initials = "".join(part[:1] for part in typed.split("-"))  # such as lr
    return next((name for name in names if len(initials) > 1 and _folded(name).strip("-") == initials), None)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """` (did you mean NAME?)`, to stand in a sentence; "" where no name is close."""
    name = nearest(word, names)
    return _(" (did you mean {name}?)").format(name=name) if name else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")


def _slips(a: str, b: str) -> int:
    """The edit distance of two words, in which two neighbours that are exchanged count once."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if before and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
