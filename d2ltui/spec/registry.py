"""Registries: what there is to choose, one object for each, built in or brought by another package.

A package adds to a registry with an entry point of the registry's group, such as `d2ltui.activations`, that names the
object to add, or a list of them. One that cannot be loaded, or has anything that cannot be offered, is left out as a
whole and named in `problems`.
"""

from __future__ import annotations

import functools
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from d2ltui.spec.language import _
from d2ltui.spec.text import printable

PREFIX = "d2ltui."  # of the groups of entry points
PATIENCE = 10.0  # seconds to wait for plug-ins that another thread loads; two that wait for each other go on then
MAX_NAME = 40
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


class Named(Protocol):
    """Anything with a name to choose it by."""

    @property
    def name(self) -> str:
        """As an option, the form and a stored run have it."""


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """Objects by name, in the order in which they were registered.

    Args:
        group: of the entry points that add to it.
        kind: the class of its objects.
        check: raises ValueError, with what is wrong, for an object that cannot be offered.
    """

    _all: ClassVar[list[Registry[Any]]] = []

    def __init__(self, group: str, kind: type[T], check: Callable[[T], None] = lambda item: None) -> None:
        self._group, self._kind, self._check = group, kind, check
        self._items: dict[str, T] = {}
        self._begun = self._complete = False  # to look for plug-ins
        self._loading = threading.RLock()
        self.problems: list[str] = []  # a sentence for each plug-in that was left out
        Registry._all.append(self)

    def register(self, item: T) -> T:
        """Add `item`, and return it.

        Raises:
            TypeError: where it is of another class.
            ValueError: where its name is taken or none, or something is wrong with it.
        """
        if not isinstance(item, self._kind):
            raise TypeError(f"it is a {type(item).__name__} and not a {self._kind.__name__}")
        self._check(item)  # which may allow less
        if not isinstance(item.name, str) or not _NAME.fullmatch(item.name):  # an option's value, a part of file names
            raise ValueError(
                f"name: {printable(repr(item.name), 60)} is not allowed; allowed: letters, digits, '.', '_' and '-', "
                f"at most {MAX_NAME}, the first one a letter or digit"
            )
        if item.name in self._items:
            raise ValueError(f"the name '{item.name}' is taken")
        self._items[item.name] = item
        return item

    def forget(self, name: str) -> None:
        """Take out what was registered under `name`."""
        self._items.pop(name, None)

    def present(self) -> list[T]:
        """What is registered by now. Plug-ins are not looked for: that may import anything, and take its time."""
        return list(self._items.values())

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            self._load_plugins()
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load_plugins()
        return iter(self._items)

    def __len__(self) -> int:
        self._load_plugins()
        return len(self._items)

    def _load_plugins(self) -> None:
        if self._complete:
            return
        if self._loading.acquire(timeout=PATIENCE):
            try:
                self._load_missing()
            finally:
                self._loading.release()

    def _load_missing(self) -> None:
        if self._complete or self._begun:
            return
        self._begun = True  # a plug-in that asks for what it adds to finds what is there
        for name, load in plugins(self._group):
            before = dict(self._items)
            try:
                found = load()
                for item in found if isinstance(found, list | tuple) else [found]:
                    self.register(item)
            except (Exception, SystemExit) as error:  # whatever it raises, the program starts
                self._items = before  # nothing of a list of which something is refused
                why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                self.problems.append(
                    printable(
                        _("plug-in {name} ({group}) is left out: {why}").format(name=name, group=self._group, why=why),
                        300,
                    )
                )
        self._complete = True


def left_out() -> list[str]:
    """A sentence for each plug-in that could not be loaded, of those that were asked for so far."""
    return [problem for registry in Registry._all for problem in registry.problems]


def plugins(group: str) -> Iterable[tuple[str, Any]]:
    """The entry points of `group`, each with the function that loads it."""
    if not _any_plugins():
        return []
    from importlib.metadata import entry_points

    return [(point.name, point.load) for point in entry_points(group=group)]


@functools.cache
def _any_plugins() -> bool:
    """Whether any installed package has an entry point for d2ltui.

    Asked of the files themselves: to import `importlib.metadata` and let it read all of them takes longer than a
    twentieth of the time to the first paint, mostly in vain.
    """
    mark = f"[{PREFIX}".encode()
    for folder in dict.fromkeys(sys.path):
        for file in Path(folder or ".").glob("*.*-info/entry_points.txt"):
            try:
                if mark in file.read_bytes():
                    return True
            except OSError:
                continue
    return False


def check_struct(item: msgspec.Struct) -> None:
    """That each field of `item` is of its kind, which nobody looks at when it is made.

    Raises:
        msgspec.ValidationError: it names the field.
    """
    msgspec.convert(msgspec.to_builtins(item), type(item))


def check_line(item: object, *fields: str) -> None:
    """That each of the `fields` is a line of text. Raises ValueError, with what is wrong."""
    for field in fields:
        if not (text := getattr(item, field)) or printable(text) != text:
            raise ValueError(f"{field}: {text!r} is not a line of text")


def check_reference(item: object, field: str) -> None:
    """That `field` is of the form module:name. Raises ValueError, with what is wrong."""
    reference = getattr(item, field)
    if not isinstance(reference, str) or not all(reference.partition(":")):
        raise ValueError(f"{field}: '{reference}' is not of the form module:name")


def load_object(reference: str) -> Any:
    """What `reference` names: `module:name`, such as `torch.nn:ReLU`. It imports the module.

    Raises:
        ImportError, AttributeError: where there is no such module or name.
    """
    return pkgutil.resolve_name(reference)
