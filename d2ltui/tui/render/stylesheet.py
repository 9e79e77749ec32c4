"""A style sheet that changes from one theme to another quickly.

Textual parses all rules again, and with every colour that it sets refreshes the widget and all that it holds: on the
main screen three thousand refreshes, for sixty widgets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from rich.style import Style
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.widget import Widget

from d2ltui.tui.render.kept_rules import KeptRules

if TYPE_CHECKING:
    from textual.css.model import RuleSet
    from textual.css.styles import RenderStyles, RulesMap
    from textual.css.stylesheet import CssSource
    from textual.css.types import CSSLocation

KEPT_THEMES = 4
KEPT_STATES = 64  # of a widget
_FLAGS = frozenset({"text_style", "border_title_style", "border_subtitle_style", "link_style", "link_style_hover"})
_OF_TITLES = ("border_title_", "border_subtitle_", "auto_border_")
_OF_FRAME = ("border_", "outline_", "auto_border_")
_OF_PLACE = frozenset(("display", "height", "layout", "max_height", "max_width", "min_height", "min_width", "width"))


class ThemeStylesheet(Stylesheet):
    """Keeps what it has parsed for each theme, and what that came to for each widget; refreshes a widget once."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        # By variables: the sources, and the rules that they gave.
        self._parsed: dict[frozenset[tuple[str, str]], tuple[dict[CSSLocation, CssSource], list[RuleSet]]] = {}

        # By node and place: what is drawn with parts of a node knows their styles.
        self._parts: WeakKeyDictionary[DOMNode, dict[tuple[KeptRules, int], dict[str, RenderStyles]]]
        self._parts = WeakKeyDictionary()
        self._found: dict[DOMNode, int] | None = None  # places, while several widgets are styled
        # The places that nodes were styled for last; none where that depends on more.
        self._styled: WeakKeyDictionary[DOMNode, tuple[KeptRules, int]] = WeakKeyDictionary()

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
        """Style `node`: by looking the rules up once for each place that any node has been in."""
        if self._found is None:  # its parts are in its own place: it is looked up once for all of them
            self._found = {}
            try:
                self.apply(node, animate=animate, cache=cache)
            finally:
                self._found = None
            return
        kept = KeptRules.of(self.rules)
        place, before = kept.place(node, self._found), node._component_styles.copy()
        look = kept.looks.get(place)
        if look is None:
            super().apply(node, animate=animate, cache=cache)
            kept.keep(place, node)
        else:
            node._has_hover_style, node._has_focus_within = look.hover, look.focus_within
            node._has_order_style = node._has_odd_or_even = False
            self.replace_rules(node, cast("RulesMap", look.rules), animate=animate)
            self._style_parts(node, kept, place)
        if place in kept.looks:
            self._styled[node] = kept, place
        else:
            self._styled.pop(node, None)
        if node._component_styles != before:
            node.notify_style_update()  # where nothing else has changed, Textual draws with what a part looked like
            node.refresh()
        if isinstance(node, Widget) and place in kept.looks:
            parts = self._parts.setdefault(node, {})
            if len(parts) >= KEPT_STATES:
                parts.clear()
            parts[kept, place] = node._component_styles.copy()

    def _style_parts(self, node: DOMNode, kept: KeptRules, place: int) -> None:
        """Of a node that has been here before: the same objects, so that what was drawn with them is known."""
        parts = self._parts.get(node, {}).get((kept, place))
        if parts is None:
            self._process_component_classes(node)
        else:
            node._component_styles = parts.copy()

    def look(self, node: DOMNode) -> tuple[tuple[KeptRules, int], ...] | None:
        """What `node`, and all that holds it, look like now; as long as it is equal, colours and edges are.

        None where that is not known: a rule depends on siblings, or somebody has given a node a colour of its own.
        """
        look = []
        for one in node.ancestors_with_self:
            styled = self._styled.get(one)
            if styled is None or not _OF_PLACE.issuperset(one.styles.inline.get_rules()):
                return None
            look.append(styled)
        return tuple(look)

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
            for bar in (getattr(node, f"_{side}_scrollbar", None) for side in ("vertical", "horizontal")):
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
