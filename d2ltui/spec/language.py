"""The language of this process, and sentences in it.

Sentences stand in the code in English, and are looked up in a catalogue as they are: `_("The run has ended.")`, and
with values `_("Step {step:,} of {steps:,}.").format(step=step, steps=steps)`. In English nothing is looked up, nor
loaded.

The language is chosen by `prepare`, before any other module is imported, so that constants of modules are sentences in
it, too. Processes that this one starts speak it as well: `prepare` leaves it in the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gettext import GNUTranslations

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh": "简体中文"}
VARIABLE = "D2LTUI_LANG"
OPTION = "--lang"
DOMAINS = ("d2ltui", "lessons", "interface", "commands")  # catalogues, in the order in which they are asked
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")

_current = ENGLISH
_catalogue: GNUTranslations | None = None


def _(message: str) -> str:
    """The English `message` in the language of this process, or as it is where it has no translation."""
    return message if _catalogue is None or not message else _catalogue.gettext(message)


def ngettext(one: str, many: str, number: int) -> str:
    """`one` or `many`, as goes with `number`, in the language of this process."""
    if _catalogue is None:
        return one if number == 1 else many
    return _catalogue.ngettext(one, many, number)


def pgettext(context: str, message: str) -> str:
    """The same as `_` for a word that means several things: `context` says which."""
    return message if _catalogue is None else _catalogue.pgettext(context, message)


def language() -> str:
    """One of `LANGUAGES`."""
    return _current


def use(name: str) -> None:
    """Speak the language `name` from here on. What other modules keep in constants stays as it is."""
    global _current, _catalogue
    _catalogue = None if name == ENGLISH else _load(name)
    _current = name


@contextmanager
def using(name: str) -> Iterator[None]:
    """The language `name` for a while."""
    before = _current
    use(name)
    try:
        yield
    finally:
        use(before)


def prepare(
    arguments: Sequence[str], environment: MutableMapping[str, str] = os.environ, encoding: str | None = None
) -> str:
    """Choose the language of this process, and of those that it starts.

    `arguments` are those of the command line, which is read in earnest later: what is wrong there is told then.
    `encoding` is that of standard output, by default. Returns "", or a sentence where the language that is wanted
    cannot be written there: English is spoken then.
    """
    wanted, name = _wanted(arguments, environment), chosen(arguments, environment)
    if name != ENGLISH and not _takes(encoding or getattr(sys.stdout, "encoding", None) or "utf-8", LANGUAGES[name]):
        name = ENGLISH
    if wanted != ENGLISH or VARIABLE in environment:
        environment[VARIABLE] = name
    use(name)
    if wanted == name:
        return ""
    return f"lang: {wanted} cannot be written here, so this is English; allowed: a terminal and a locale with UTF-8"


def _takes(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def chosen(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language that `--lang` names, else `D2LTUI_LANG`, else the locale; English where that is none of ours."""
    if _by_name(arguments, environment) in LANGUAGES:
        return _by_name(arguments, environment)
    encoding = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if "utf" not in encoding.lower() or environment.get("TERM") == "linux":  # the console's own font has 256 characters
        return ENGLISH
    return _wanted(arguments, environment)


def _by_name(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    return _asked(arguments) or environment.get(VARIABLE, "")


def _wanted(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The same wherever it is to be written."""
    if _by_name(arguments, environment) in LANGUAGES:
        return _by_name(arguments, environment)
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    name = locale.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return name if name in LANGUAGES else ENGLISH


def _asked(arguments: Sequence[str]) -> str:
    asked = ""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == "--":
            break
        if argument == OPTION:
            asked = following
        elif argument.startswith(f"{OPTION}="):
            asked = argument.partition("=")[2]
    return asked


def _load(name: str) -> GNUTranslations | None:
    from gettext import GNUTranslations

    found: GNUTranslations | None = None
    for domain in DOMAINS:
        path = os.path.join(FOLDER, name, "LC_MESSAGES", f"{domain}.mo")
        if os.path.exists(path):
            with open(path, "rb") as file:
                catalogue = GNUTranslations(file)
            if found is None:
                found = catalogue
            else:
                found.add_fallback(catalogue)
    return found


if os.environ.get(VARIABLE) in LANGUAGES:  # a process that another of ours has started
    use(os.environ[VARIABLE])
