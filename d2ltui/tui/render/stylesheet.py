"""A style sheet that changes from one theme to another quickly.

Textual parses all rules again, and with every colour that it sets refreshes the widget and all that it holds: on the
main screen three thousand refreshes, for sixty widgets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast
from weakref import WeakKeyDictionary

from rich.style import Style
from textual.cache import LRUCache
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.widget import Widget

from d2ltui.tui.render.compositor import BatchedWidget
from d2ltui.tui.render.kept_rules import KeptRules

if TYPE_CHECKING:
    from textual.css.model import RuleSet
    from textual.css.styles import RenderStyles, RulesMap

KEPT_THEMES = 4
KEPT_SOURCES = 256  # of a theme
KEPT_STATES = 64  # of a widget
_FLAGS = frozenset({"text_style", "border_title_style", "border_subtitle_style", "link_style", "link_style_hover"})
_OF_TITLES = ("border_title_", "border_subtitle_", "auto_border_")
_OF_FRAME = ("border_", "outline_", "auto_border_")
_OF_PLACE = frozenset(("display", "height", "layout", "max_height", "max_width", "min_height", "min_width", "width"))


class ThemeStylesheet(Stylesheet):
    """Keeps what it has parsed for each theme, and what that came to for each widget; refreshes a widget once."""

    # By the variables of a theme: what its sources gave. All style sheets of a process have the same.
    _of_themes: ClassVar[dict[frozenset[tuple[str, str]], LRUCache[tuple[Any, ...], list[RuleSet]]]] = {}
    _changed: ClassVar[dict[DOMNode, bool] | None] = None  # while several are styled: which, and if within, too

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = self._parsed_of(self._variables)

        # By node and place: what is drawn with parts of a node knows their styles.
        self._parts: WeakKeyDictionary[DOMNode, dict[tuple[KeptRules, int], dict[str, RenderStyles]]]
        self._parts = WeakKeyDictionary()
        self._found: dict[DOMNode, int] | None = None  # places, while several widgets are styled
        # The places that nodes were styled for last; none where that depends on more.
        self._styled: WeakKeyDictionary[DOMNode, tuple[KeptRules, int]] = WeakKeyDictionary()

    @classmethod
    def _parsed_of(cls, variables: dict[str, str]) -> LRUCache[tuple[Any, ...], list[RuleSet]]:
        theme = frozenset(variables.items())
        parsed = cls._of_themes.pop(theme, None)
        if parsed is None:  # an empty one is one, too
            parsed = LRUCache(KEPT_SOURCES)
        cls._of_themes[theme] = parsed
        if len(cls._of_themes) > KEPT_THEMES:
            del cls._of_themes[next(iter(cls._of_themes))]
        return parsed

    def set_variables(self, variables: dict[str, str]) -> None:
        """Another theme: what was parsed with the one before is kept."""
        self._parse_cache = LRUCache(1)  # which Textual empties
        super().set_variables(variables)
        self._parse_cache = self._parsed_of(variables)

    def reparse(self) -> None:
        """The rules with the present variables."""
        self.parse()

    def parse_ahead(self, variables: dict[str, str], seconds: float) -> bool:
        """Parse for a theme that may come, for about so many seconds; False where all has been parsed already."""
        other, end = ThemeStylesheet(variables=variables), time.thread_time() + seconds
        for location, (css, is_default, tie_breaker, scope) in self.source.items():
            if (css, location, is_default, tie_breaker, scope) not in other._parse_cache:
                other._parse_rules(css, location, is_default, tie_breaker, scope)
                if time.thread_time() > end:
                    return True
        return False

    def update_nodes(self, nodes: Iterable[DOMNode], animate: bool = False) -> None:
        """Style these again; while that is done, others may be, because of what these have come to."""
        within, before = self._found is not None, ThemeStylesheet._changed
        changed: dict[DOMNode, bool] = {}
        self._found, ThemeStylesheet._changed = {}, changed
        try:
            super().update_nodes(nodes, animate=animate)
        finally:
            # What was found before may have changed, or the others would not have been styled.
            self._found, ThemeStylesheet._changed = {} if within else None, before
            _refresh(changed)

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
            self._has_changed(node)
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
        if coloured or framed:  # what lies within a frame does not see it
            cls._has_changed(node, within=coloured)
        if coloured and isinstance(node, Widget):
            for bar in (getattr(node, f"_{side}_scrollbar", None) for side in ("vertical", "horizontal")):
                if bar is not None:
                    bar.refresh()
        node.notify_style_update()

    @classmethod
    def _has_changed(cls, node: DOMNode, *, within: bool = False) -> None:
        """It has other colours, and perhaps so has what is `within` it."""
        if cls._changed is None:
            _refresh({node: within})
        else:
            cls._changed[node] = within or cls._changed.get(node, False)


def _refresh(changed: dict[DOMNode, bool]) -> None:
    """Draw these, and what is within them where they say so: each once."""
    nodes: set[Any] = set()
    for node, within in changed.items():
        if within and node not in nodes:
            nodes.update(node.walk_children(Widget))
        nodes.add(node)
    for node in nodes:
        if isinstance(node, BatchedWidget) and node._is_mounted:
            node.refresh_look()
        elif node._is_mounted:
            node.refresh()


def _is_colour(before: object, after: object) -> bool:
    """Whether a rule has another colour and is the same otherwise: a border's has the kind of its edge, too."""
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after) == 2:
        kind, before = before
        other, after = after
        if kind != other:
            return False
    return isinstance(before, Color) and isinstance(after, Color)
