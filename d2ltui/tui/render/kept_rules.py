"""What the rules of a style sheet come to, by where a node stands: its class, its id, its CSS classes, its state.

The rules for a node follow from that of the node and of all that holds it, as far as a rule names it. So the twenty
fields of a form are looked up once, and an application that opens after another one of the same rules looks up
nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.css.model import Selector, SelectorType
from textual.dom import DOMNode

if TYPE_CHECKING:
    from textual.css.model import RuleSet

# Each screen and each kind of widget brings rules of its own when it first comes, and every theme has them all.
KEPT_RULES = 64
KEPT_PLACES = 4096
# Those of its siblings, of which a place says nothing: Textual looks such nodes up each time.
_OF_SIBLINGS = frozenset(("first-of-type", "last-of-type", "first-child", "last-child", "odd", "even", "empty"))
# Those of the application, which every place begins with.
_OF_ALL = frozenset(("dark", "light", "inline", "ansi", "nocolor"))

_Check = Callable[[Any], bool]


class Look(NamedTuple):
    """What the rules came to for a node."""

    rules: dict[str, object]
    hover: bool  # whether it looks otherwise under the pointer
    focus_within: bool


class KeptRules:
    """What some rules came to, by places."""

    _all: list[KeptRules] = []  # the last is the newest

    def __init__(self, rules: list[RuleSet]) -> None:
        self.rules = rules
        self.looks: dict[int, Look] = {}
        named = {kind: frozenset(s.name for s in _selectors(rules) if s.type == kind) for kind in SelectorType}
        self._ids, self._classes = named[SelectorType.ID], named[SelectorType.CLASS]
        self._states = frozenset[str]().union(*(rule.pseudo_classes for rule in rules)) - _OF_SIBLINGS
        self._types = named[SelectorType.TYPE]
        self._kinds: dict[type[DOMNode], tuple[frozenset[str], tuple[_Check, ...], tuple[_Check, ...]]] = {}
        self._numbers = itertools.count()  # none is used twice: a look at an old place is not found any more
        self._places: dict[tuple[object, ...], int] = {}

    @classmethod
    def of(cls, rules: list[RuleSet]) -> KeptRules:
        """What is kept of `rules`, whichever style sheet has them."""
        for kept in reversed(cls._all):
            if kept.rules is rules:
                return kept
        for kept in cls._all:
            if len(kept.rules) == len(rules) and all(map(_is, kept.rules, rules)):
                kept.rules = rules  # to be found sooner
                return kept
        cls._all[:] = [*cls._all[1 - KEPT_RULES :], cls(rules)]
        return cls._all[-1]

    def place(self, node: DOMNode, found: dict[DOMNode, int] | None = None) -> int:
        """A number for where `node` stands; what was `found` of nodes before is used, and added to."""
        if found is not None and node in found:
            return found[node]
        parent = node._parent
        above = self.place(parent, found) if isinstance(parent, DOMNode) else -1
        kind = self._kinds.get(type(node)) or self._kind(node)
        names, checks, at_root = kind
        key = (
            above,
            names,
            node._id if node._id in self._ids else None,
            self._classes & node._classes,
            *[check(node) for check in (checks if above >= 0 else at_root)],
        )
        number = self._places.get(key)
        if number is None:
            if len(self._places) >= KEPT_PLACES:
                self._places.clear()
                self.looks.clear()
                if found is not None:
                    found.clear()
            number = self._places[key] = next(self._numbers)
        if found is not None:
            found[node] = number
        return number

    def _kind(self, node: DOMNode) -> tuple[frozenset[str], tuple[_Check, ...], tuple[_Check, ...]]:
        """What is the same for all nodes of a class: its names, and what their state is asked for."""
        asked = [(name, check) for name, check in type(node)._PSEUDO_CLASSES.items() if name in self._states]
        names = frozenset((*node._css_type_names, *node._css_types)) & self._types
        checks = tuple(check for name, check in asked if name not in _OF_ALL)
        self._kinds[type(node)] = kind = names, checks, tuple(check for _, check in asked)
        return kind

    def keep(self, place: int, node: DOMNode) -> None:
        """Keep what `node` looks like, unless that depends on its siblings."""
        if not (node._has_order_style or node._has_odd_or_even):
            rules: dict[str, object] = dict(node.styles.base.get_rules())
            self.looks[place] = Look(rules, node._has_hover_style, node._has_focus_within)


def _is(one: object, other: object) -> bool:
    return one is other


def _selectors(rules: list[RuleSet]) -> Iterator[Selector]:
    for rule in rules:
        for selectors in rule.selector_set:
            yield from selectors.selectors
