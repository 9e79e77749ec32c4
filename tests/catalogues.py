"""The sentences of the program and their translations: what is marked in the code, a .po file, and the .mo of it.

`python -m tests.catalogues` puts new sentences into each .po file, takes out those that are gone, and writes the .mo
files; it says what has no translation.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "d2ltui" / "locale"
HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n"
MARKERS = {"_": 0, "ngettext": 0, "pgettext": 1}  # what marks a sentence, and which argument that is


class Message(NamedTuple):
    """A sentence as it stands in the code; of one that counts, the plural, too; of a word, in what sense."""

    text: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> str:
        """What it is looked up by."""
        return f"{self.context}\4{self.text}" if self.context else self.text


def calls_in(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The functions that a module calls by their names, from the first line on."""
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        yield call.func.id if isinstance(call.func, ast.Name) else "", call


def texts(nodes: list[ast.expr]) -> list[str]:
    """Those that stand there as they are."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def marked_in(name: str, call: ast.Call) -> Iterator[Message]:
    """The sentence that `call` of the function `name` marks."""
    if name in MARKERS and (found := texts(call.args)) and len(found) > MARKERS[name]:
        yield {
            "_": lambda: Message(found[0]),
            "ngettext": lambda: Message(*found[:2]),
            "pgettext": lambda: Message(found[1], context=found[0]),
        }[name]()


class Catalogue(NamedTuple):
    """A domain of `d2ltui.spec.language`: where its sentences stand, and what else is shown in words."""

    domain: str
    sources: tuple[str, ...]
    others: Callable[[str, ast.Call], Iterator[Message]]  # what a call of a function shows, without a mark
    more: Callable[[], list[Message]]  # what is stored, or comes from registries, and is shown
    without: tuple[str, ...] = ()  # sources that are another domain's

    def paths(self) -> list[Path]:
        """Its modules."""
        left_out = {path for pattern in self.without for path in ROOT.glob(pattern)}
        return sorted({path for pattern in self.sources for path in ROOT.glob(pattern)} - left_out)

    def marked(self) -> dict[Message, None]:
        """All that is marked for translation in the sources, in their order, and what is shown without a mark."""
        return _marked(self)

    def path_of(self, language: str, kind: str) -> Path:
        """The catalogue's file: the `po` or the `mo` one."""
        return LOCALE / language / "LC_MESSAGES" / f"{self.domain}.{kind}"

    def languages(self) -> list[str]:
        """Those that have a catalogue."""
        return sorted(path.name for path in LOCALE.iterdir() if self.path_of(path.name, "po").is_file())

    def read(self, language: str) -> dict[str, list[str]]:
        """The .po file: by sentence (its key) its translation, or the forms of it."""
        return parsed(self.path_of(language, "po").read_text("utf-8"))

    def update(self) -> None:
        """Bring its files up to date, and say what has no translation."""
        messages = self.marked()
        for language in self.languages():
            known = self.read(language)
            self.path_of(language, "po").write_text(po(messages, known), "utf-8")
            self.path_of(language, "mo").write_bytes(mo(messages, known))
            for message in messages:
                if not known.get(message.key, [""])[0]:
                    print(f"{language}, {self.domain}: no translation: {message.text}")


@cache
def _marked(catalogue: Catalogue) -> dict[Message, None]:
    found: dict[Message, None] = {}
    for path in catalogue.paths():
        for name, call in calls_in(path):
            found |= dict.fromkeys([*marked_in(name, call), *catalogue.others(name, call)])
    return found | dict.fromkeys(catalogue.more())


def parsed(text: str) -> dict[str, list[str]]:
    """What a .po file says: by key the forms of the translation; of a fuzzy one, none."""
    found: dict[str, list[str]] = {}
    current, parts, fuzzy = "", dict[str, str](), False
    for line in [*text.splitlines(), ""]:
        if match := re.match(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$', line):
            current = match[1]
            parts[current] = json.loads(match[2])
        elif line.startswith('"') and current:
            parts[current] += json.loads(line)
        elif line.startswith("#,") and "fuzzy" in line:
            fuzzy = True
        elif not line and parts:
            forms = [said for name, said in parts.items() if name.startswith("msgstr")]
            found[Message(parts["msgid"], context=parts.get("msgctxt", "")).key] = [""] if fuzzy else forms
            current, parts, fuzzy = "", {}, False
    return found


def po(messages: dict[Message, None], known: dict[str, list[str]]) -> str:
    """A .po file of `messages`, with what is known of them."""
    parts = [f'msgid ""\nmsgstr {_quoted(HEADER)}\n']
    for message in messages:
        forms = known.get(message.key, [""])
        context = f"msgctxt {_quoted(message.context)}\n" if message.context else ""
        plural = f"msgid_plural {_quoted(message.plural)}\nmsgstr[0] " if message.plural else "msgstr "
        parts.append(f"{context}msgid {_quoted(message.text)}\n{plural}{_quoted(forms[0])}\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def mo(messages: dict[Message, None], known: dict[str, list[str]]) -> bytes:
    """The same as gettext reads it: see "The Format of GNU MO Files" in its manual."""
    pairs = [(b"", HEADER.encode())]
    for message in messages:
        if said := known.get(message.key, [""])[0]:
            key = f"{message.key}\0{message.plural}" if message.plural else message.key
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


def roles() -> list[str]:
    """What experiments and lines are called, part by part."""
    from d2ltui.lessons import LESSONS

    own = [lesson for lesson in LESSONS.values() if type(lesson).__module__.startswith("d2ltui")]
    names = [e.role for lesson in own for e in lesson.experiments]
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
    # and how places in the book are told, and findings
    *("section {places}", "sections {places}"),
    *("dead relu", "saturation", "vanishing gradient", "accuracy", "R²", "loss"),
)


def _units(name: str, call: ast.Call) -> Iterator[Message]:
    if name in ("figure", "Figure", "accuracy_figure"):
        units = (*call.args[4:5], *(keyword.value for keyword in call.keywords if keyword.arg == "unit"))
        yield from (Message(unit) for unit in texts(list(units)) if unit)


LESSONS = Catalogue(
    "lessons",
    ("d2ltui/lessons/**/*.py", "d2ltui/charts/diagram_*.py", "d2ltui/cli/lesson*.py", "d2ltui/tui/screens/lesson*.py"),
    _units,
    lambda: [Message(role) for role in roles()],
)


def _of_findings(name: str, call: ast.Call) -> Iterator[Message]:
    """What is counted, and what rules are called."""
    yield from _counted(name, call)
    if name in ("Cause", "finding", "Finding"):
        rules = texts([*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "rule")])
        yield from (Message(rule, context="rule") for rule in rules)


def _rules() -> list[Message]:
    from d2ltui.diagnosis.monitor import RULES

    return [Message(rule, context="rule") for rule in RULES]


def _counted(name: str, call: ast.Call) -> Iterator[Message]:
    """What is counted, as `d2ltui.spec.text.counted` looks it up."""
    if name == "counted":
        yield from (Message(f"{{number}} {noun}s") for noun in texts(call.args[1:2]))


OF_FINDINGS = tuple(f"d2ltui/spec/{name}.py" for name in ("findings", "activations", "header"))
FINDINGS = Catalogue(
    "d2ltui",
    ("d2ltui/diagnosis/**/*.py", "d2ltui/engine/**/*.py", *OF_FINDINGS),
    _of_findings,
    lambda: [Message("{number} alarms"), Message("{number} warnings"), *_rules()],
)


def _of_tables(name: str, call: ast.Call) -> Iterator[Message]:
    """Words in the footer and sentences in the help, titles of panes."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    said = texts(call.args)
    yield from _counted(name, call)
    if name == "Key":
        yield from (Message(said[2], context="key"), Message(said[3]))
    elif name == "Binding" and len(said) > 2:
        yield Message(said[2], context="key")
    elif name == "PaneSpec" and len(said) > 1:
        tabs = [text for key in ("tab", "short") if key in given for text in texts([given[key]])]
        yield from (Message(said[1]), *(Message(text, context="tab") for text in (said[1], *tabs)))
    elif name == "PictureKind" and len(said) > 1:
        choosing = said[2:] or texts([given[key] for key in given if key == "choosing"])
        yield from (Message(text) for text in (said[1], *choosing) if text)


def _shown() -> list[Message]:
    """What registries and tables have to say."""
    from d2ltui.spec.catalogue import DATASETS
    from d2ltui.spec.fields import FIELDS
    from d2ltui.spec.maps import QUANTITIES
    from d2ltui.spec.models import MODELS
    from d2ltui.spec.synthetic import FUNCTIONS, SYNTHETIC
    from d2ltui.store.columns import COLUMNS
    from d2ltui.tui.keys import FIELD_HELP, MAP_HELP, TABLE_HELP
    from d2ltui.tui.panes.layer_lines import VALUES
    from d2ltui.tui.panes.spec import FORM_TAB
    from d2ltui.tui.widgets.form_words import MEANINGS

    rows = [text for row in (*FIELD_HELP, *MAP_HELP, TABLE_HELP) for text in row]
    synthetic = {name for name, info in DATASETS.items() if info.origin == SYNTHETIC}  # marked where they are made
    meanings = [what for table in MEANINGS.values() for name, what in table.items() if name not in synthetic]
    meanings += [formula for formula, __ in FUNCTIONS.values()]
    plain = [*rows, *VALUES, *meanings, *SHOWN_AS_THEY_ARE]
    plain += [said for model in MODELS.values() for said in (model.title, model.description)]
    plain += [*(info.normalisation for info in DATASETS.values())]
    words = {
        "tab": [FORM_TAB, FORM_TAB[:3]],
        "status": [*STATUSES],
        "column": ["run", *(name.replace("_", " ") for name in COLUMNS)],
        "field": [field.label for field in FIELDS.values()],
        "chart": CHART_WORDS,
        "quantity": QUANTITIES,
        # Letters, digits and what is spelled are the same in every language.
        "class": [name for info in DATASETS.values() if info.name not in SPELLED for name in info.classes],
    }
    found = [Message(text) for text in plain if re.search("[A-Za-z]{3}", text)]
    found += [Message(word, context=context) for context in words for word in words[context] if not word.isdigit()]
    return found


RUNNING = ("ready", "loading", "training", "over", "paused")
STATUSES = (*RUNNING, "finished", "stopped", "diverged", "failed", "interrupted")
SPELLED = ("kmnist", "emnist-letters")  # data sets whose classes are letters and syllables
# What is looked at before the first step.
READINGS = ("inputs", "labels", "loss", "outputs", "gradients", "units", "by heart")
# Names of figures, and of what a picture lets choose.
SHOWN_AS_THEY_ARE = ("accuracy", "metric", "layer", "input", "inputs", *READINGS)
# What charts call their lines and axes.
CHART_WORDS: tuple[str, ...] = ("train", "train (≥ −1)", "val", "raw", "epoch", "step", "s", "slope", "function")
CHART_WORDS += ("note", "warning", "alarm", "resumed", "lr", "passed")


INTERFACE = Catalogue(
    "interface",
    ("d2ltui/tui/**/*.py", "d2ltui/spec/**/*.py", "d2ltui/charts/**/*.py", "d2ltui/pictures/*.py"),
    _of_tables,
    _shown,
    without=("d2ltui/tui/screens/lesson*.py", "d2ltui/charts/diagram_*.py", *OF_FINDINGS),
)


def _helps() -> list[Message]:
    """What `--help` of each command says, paragraph by paragraph and option by option."""
    import click

    from d2ltui.cli.app import cli
    from d2ltui.cli.help import paragraphs

    ctx = click.Context(cli)
    commands = [cli, *(cli.get_command(ctx, name) for name in cli.list_commands(ctx))]
    found: list[str] = []
    for command in commands:
        assert command is not None
        params = command.get_params(click.Context(command))
        found += [*paragraphs(command), *(said for param in params if (said := getattr(param, "help", None)))]
    return [Message(text) for text in dict.fromkeys(found)]


COMMANDS = Catalogue(
    "commands",
    tuple(f"d2ltui/{room}/**/*.py" for room in ("cli", "runner", "store", "history", "data", "nn")),
    _counted,
    _helps,
    without=("d2ltui/cli/lesson*.py",),
)
CATALOGUES = (FINDINGS, LESSONS, INTERFACE, COMMANDS)


if __name__ == "__main__":
    for catalogue in CATALOGUES:
        catalogue.update()
