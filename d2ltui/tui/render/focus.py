"""The focus moves: what looks otherwise afterwards, and nothing else, is styled again, at once.

Textual tells both widgets by messages. Each then styles itself and all that it holds, and is drawn whole: a pane of
charts takes 40 ms for a frame of another colour, and the answer comes two frames later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.dom import DOMNode
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.css.model import RuleSet
    from textual.css.stylesheet import Stylesheet


@runtime_checkable
class RestylesForFocus(Protocol):
    """A widget that knows what of it looks otherwise with another focus."""

    def restyle_for_focus(self) -> None:
        """Style that again, and draw it."""


_OF_FOCUS = frozenset({"focus", "blur"})


class FocusStyles:
    """Which widgets look otherwise while they, or what holds them, have the focus, by the rules of a style sheet."""

    def __init__(self, stylesheet: Stylesheet) -> None:
        self._stylesheet = stylesheet
        self._rules: dict[str, list[RuleSet]] | None = None  # what `_known` was found in
        self._known: dict[frozenset[str], bool] = {}

    def move(self, focused: Widget | None, blurred: Widget | None) -> None:
        """Style again what looks otherwise."""
        leaves = [leaf for leaf in (focused, blurred) if leaf is not None]
        for leaf in leaves:
            _set_focus(leaf, leaf is focused)
        for node in dict.fromkeys(self._nodes(leaves)):
            if isinstance(node, RestylesForFocus):
                node.restyle_for_focus()
            else:
                self._stylesheet.update_nodes([node], animate=True)

    def _nodes(self, leaves: Iterable[Widget]) -> Iterator[DOMNode]:
        for leaf in leaves:
            yield from (node for node in leaf.ancestors if node._has_focus_within and self._depends(node))
            yield leaf
            yield from (child for child in leaf.walk_children() if self._depends(child))

    def _depends(self, node: DOMNode) -> bool:
        """Whether a rule for `node`, or for a part of it, asks for a focus."""
        rules = self._stylesheet.rules_map
        if rules is not self._rules:
            self._rules, self._known = rules, {}
        names = frozenset((*node._selector_names, *(f".{part}" for part in node._get_component_classes())))
        if names not in self._known:
            self._known[names] = any(
                not _OF_FOCUS.isdisjoint(rule.pseudo_classes) for name in names for rule in rules.get(name, ())
            )
        return self._known[names]


def _set_focus(widget: Widget, has_focus: bool) -> None:
    """So that the message to come finds it done. A class that watches it is left alone: it waits for the message."""
    if type(widget).watch_has_focus is Widget.watch_has_focus and not hasattr(widget, "_watch_has_focus"):
        widget.set_reactive(Widget.has_focus, has_focus)
