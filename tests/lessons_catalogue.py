"""The lessons' sentences and their translations: what is marked in the code, `lessons.po`, and the `lessons.mo` of it.

`python -m tests.lessons_catalogue` puts new sentences into each .po file, takes out those that are gone, and writes the
.mo files; it says what has no translation.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "d2ltui" / "locale"
DOMAIN = "lessons"
SOURCES = (
    "d2ltui/lessons/**/*.py",
    "d2ltui/charts/diagram_*.py",
    "d2ltui/cli/lesson*.py",
    "d2ltui/tui/screens/lesson*.py",
)
HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n"


class Message(NamedTuple):
    """A sentence as it stands in the code; of one that counts, the plural, too."""

    text: str
    plural: str = ""


def marked() -> dict[Message, None]:
    """All that is marked for translation in the sources, in their order, and what is stored and shown: roles, units."""
    found: dict[Message, None] = {}
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if name in ("_", "ngettext"):
                texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                if texts:
                    found[Message(*texts[: 2 if name == "ngettext" else 1])] = None
            if name in ("figure", "Figure", "accuracy_figure"):
                units = (*call.args[4:5], *(keyword.value for keyword in call.keywords if keyword.arg == "unit"))
                found |= {Message(u.value): None for u in units if isinstance(u, ast.Constant) and u.value}
    return found | {Message(role): None for role in roles()}


def roles() -> list[str]:
    """What experiments and lines are called, part by part."""
    from d2ltui.lessons import LESSONS

    names = [
        e.role
        for lesson in LESSONS.values()
        if type(lesson).__module__.startswith("d2ltui")
        for e in lesson.experiments
    ]
    return list(dict.fromkeys([*names, *MORE_ROLES]))


# Lines of figures, and parts of names, that no experiment has.
MORE_ROLES = (
    *(
        "half the rate",
        "longer",
        "circles",
        "one hidden layer",
        "a lower rate",
        "a lower one",
        "digits",
        "with dropout",
    ),
    *("cross-entropy", "squared error", "no remedy", "trained samples", "new samples", "same, 1 layer"),
    *("at the start", "after training", "standard deviations"),
    # and fields of the form, as lessons tell of them
    *("model", "dataset", "batch size", "epochs", "implementation", "lr", "hidden", "activation", "init", "init std"),
    *("optimizer", "weight decay", "dropout", "momentum", "clip norm"),
    # and how places in the book are told, and findings
    *("section {places}", "sections {places}"),
    *("dead relu", "saturation", "vanishing gradient", "accuracy", "R²", "loss"),
)


def read(language: str) -> dict[str, list[str]]:
    """The .po file: by sentence its translation, or the forms of it."""
    found: dict[str, list[str]] = {}
    key, forms, current = "", [""], ""
    texts: dict[str, str] = {}
    for line in [*path_of(language, "po").read_text("utf-8").splitlines(), ""]:
        if match := re.match(r'(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$', line):
            current = match[1]
            texts[current] = json.loads(match[2])
        elif line.startswith('"') and current:
            texts[current] += json.loads(line)
        elif not line and texts:
            key, forms = texts["msgid"], [text for name, text in texts.items() if name.startswith("msgstr")]
            found[key] = forms
            texts, current = {}, ""
    return found


def path_of(language: str, kind: str) -> Path:
    """The catalogue's file: the `po` or the `mo` one."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.{kind}"


def po(messages: dict[Message, None], known: dict[str, list[str]]) -> str:
    """A .po file of `messages`, with what is known of them."""
    parts = [f'msgid ""\nmsgstr {_quoted(HEADER)}\n']
    for message in messages:
        forms = known.get(message.text, [""])
        plural = f"msgid_plural {_quoted(message.plural)}\nmsgstr[0] " if message.plural else "msgstr "
        parts.append(f"msgid {_quoted(message.text)}\n{plural}{_quoted(forms[0])}\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def mo(messages: dict[Message, None], known: dict[str, list[str]]) -> bytes:
    """The same as gettext reads it: see "The Format of GNU MO Files" in its manual."""
    pairs = [(b"", HEADER.encode())]
    for message in messages:
        if said := known.get(message.text, [""])[0]:
            key = f"{message.text}\0{message.plural}" if message.plural else message.text
            pairs.append((key.encode(), said.encode()))
    pairs.sort()
    count, start = len(pairs), 28 + 16 * len(pairs)
    tables: list[bytes] = []
    texts = b""
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[column]), start + len(texts)))
            texts += pair[column] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + b"".join(tables) + texts


def languages() -> list[str]:
    """Those that have a catalogue."""
    return sorted(path.name for path in LOCALE.iterdir() if path_of(path.name, "po").is_file())


def main() -> None:
    """Bring the catalogues up to date."""
    messages = marked()
    for language in languages():
        known = read(language)
        path_of(language, "po").write_text(po(messages, known), "utf-8")
        path_of(language, "mo").write_bytes(mo(messages, known))
        for message in messages:
            if not known.get(message.text, [""])[0]:
                print(f"{language}: no translation: {message.text}")


if __name__ == "__main__":
    main()
