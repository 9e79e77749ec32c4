"""A style sheet that changes from one theme to another quickly.

Textual parses all rules again, and with every colour that it sets refreshes the widget and all that it holds: on the
main screen three thousand refreshes, for sixty widgets.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from rich.style import Style
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.css.model import RuleSet
    from textual.css.styles import RenderStyles, RulesMap
    from textual.css.stylesheet import CssSource
    from textual.css.types import CSSLocation

KEPT_THEMES = 4
KEPT_STATES = 4096
_FLAGS = frozenset({"text_style", "border_title_style", "border_subtitle_style", "link_style", "link_style_hover"})
_OF_TITLES = ("border_title_", "border_subtitle_", "auto_border_")
_OF_FRAME = ("border_", "outline_", "auto_border_")


class _Look(NamedTuple):
    """What the rules came to for a widget in one state."""

    rules: dict[str, object]
    parts: dict[str, RenderStyles]  # by component class
    hover: bool  # whether the widget looks otherwise under the pointer
    focus_within: bool


class ThemeStylesheet(Stylesheet):
    """Keeps what it has parsed for each theme, and what that came to for each widget; refreshes a widget once."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        # By variables: the sources, and the rules that they gave.
        self._parsed: dict[frozenset[tuple[str, str]], tuple[dict[CSSLocation, CssSource], list[RuleSet]]] = {}

        self._looks: list[tuple[list[RuleSet], WeakKeyDictionary[DOMNode, dict[int, _Look]]]] = []  # the last is newest
        self._states: dict[tuple[int, frozenset[str], frozenset[str]], int] = {}
        self._numbers = itertools.count()  # none is used twice: a look by an old one is not found any more
        self._found: dict[DOMNode, int] | None = None  # states, while several widgets are styled

    def update_nodes(self, nodes: Iterable[DOMNode], animate: bool = False) -> None:
        """Style these again."""
        self._found = {}
        try:
            super().update_nodes(nodes, animate=animate)
        finally:
            self._found = None

    def apply(
        self, node: DOMNode, *, animate: bool = False, cache: dict[tuple[Any, ...], RulesMap] | None = None
    ) -> None:
        """Style `node`: by looking the rules up once for each state that it and what holds it have been in."""
        if not isinstance(node, Widget):
            super().apply(node, animate=animate, cache=cache)
            return
        looks, state = self._looks_now().setdefault(node, {}), self._state(node)
        look = looks.get(state)
        if look is None:
            super().apply(node, animate=animate, cache=cache)
            if not (node._has_order_style or node._has_odd_or_even):  # that depends on its siblings
                rules = cast("dict[str, object]", node.styles.base.get_rules())
                looks[state] = _Look(
                    dict(rules), node._component_styles.copy(), node._has_hover_style, node._has_focus_within
                )
            return
        node._has_hover_style, node._has_focus_within = look.hover, look.focus_within
        node._has_order_style = node._has_odd_or_even = False
        self.replace_rules(node, cast("RulesMap", look.rules), animate=animate)
        if node._component_styles != look.parts:
            node._component_styles = look.parts.copy()
            node.refresh()

    def _looks_now(self) -> WeakKeyDictionary[DOMNode, dict[int, _Look]]:
        """Those by the present rules."""
        rules = self.rules
        for known, looks in reversed(self._looks):
            if known is rules:
                return looks
        self._looks = [*self._looks[1 - KEPT_THEMES :], (rules, WeakKeyDictionary())]
        return self._looks[-1][1]

    def _state(self, node: DOMNode) -> int:
        """A number for the classes of a widget and of all that holds it, pseudo-classes and all."""
        if self._found is not None and node in self._found:
            return self._found[node]
        above = self._state(node._parent) if isinstance(node._parent, DOMNode) else -1
        if len(self._states) > KEPT_STATES:
            self._states.clear()
            self._looks.clear()
        key = (above, frozenset(node.classes), frozenset(node.pseudo_classes))
        state = self._states.setdefault(key, next(self._numbers))
        if self._found is not None:
            self._found[node] = state
        return state

    def reparse(self) -> None:
        """The rules with the present variables."""
        theme = frozenset(self._variables.items())
        sources, rules = self._parsed.pop(theme, ({}, []))
        if sources == self.source:
            self._rules, self._rules_map, self._require_parse = rules, None, False
        else:
            super().reparse()
            sources, rules = self.source.copy(), self.rules
        self._parsed[theme] = sources, rules
        if len(self._parsed) > KEPT_THEMES:
            del self._parsed[next(iter(self._parsed))]

    @classmethod
    def replace_rules(cls, node: DOMNode, rules: RulesMap, animate: bool = False) -> None:
        """Give `node` these rules; what has another colour is refreshed once. Nothing here is ever animated."""
        base = node.styles.base
        before, after = cast("dict[str, object]", base.get_rules()), dict(cast("dict[str, object]", rules))
        for name in _FLAGS & after.keys():
            if isinstance(flags := after[name], str):  # as a rule says it; kept is what it means
                after[name] = Style.parse(flags)
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        if animate and not changed:
            return  # as Textual
        framed = coloured = False
        for name in changed:
            old, new = before.get(name), after.get(name)
            of_frame, colour = name.startswith(_OF_FRAME), _is_colour(old, new)
            if colour or name.startswith(_OF_TITLES):
                base.set_rule(name, new)
                framed, coloured = True, coloured or not of_frame
            else:
                setattr(base, name, new)
        if coloured:
            base.refresh(children=True)
        elif framed:
            base.refresh()  # what lies within a frame does not see it
        if coloured and isinstance(node, Widget):
            for bar in (node._vertical_scrollbar, node._horizontal_scrollbar):
                if bar is not None:
                    bar.refresh()
        node.notify_style_update()


def _is_colour(before: object, after: object) -> bool:
    """Whether a rule has another colour and is the same otherwise: a border's has the kind of its edge, too."""
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after) == 2:
        kind, before = before
        other, after = after
        if kind != other:
            return False
    return isinstance(before, Color) and isinstance(after, Color)
