"""What is used of Textual though it is not promised, in one place, and whether it is still there.

Textual may change these names with any release. Then everything is drawn as Textual does it: with more bytes and more
time for a frame, but rightly.
"""

from __future__ import annotations

from functools import cache

from textual._compositor import Compositor, CompositorUpdate, LayoutUpdate, ReflowResult
from textual.app import App
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen
from textual.widget import Widget

__all__ = [
    "Compositor",
    "CompositorUpdate",
    "LayoutUpdate",
    "ReflowResult",
    "can_keep_filters",
    "can_keep_styles",
    "can_prepare_screens",
    "missing",
]

_OF_CLASSES: dict[type, tuple[str, ...]] = {
    Compositor: (
        "_regions_to_spans",
        "reflow",
        "render_full_update",
        "render_partial_update",
        "update_widgets",
        "visible_widgets",
    ),
    App: ("_display",),
    Screen: (
        "_compositor_refresh",
        "_context",
        "_on_timer_update",
        "_refresh_layout",
        "_screen_resized",
        "_update_focus_styles",
    ),
    Widget: (
        "_exchange_repaint_regions",
        "_get_component_classes",
        "_selector_names",
        "check_idle",
        "render_lines",
    ),
}
_OF_COMPOSITORS = ("_dirty_regions", "_full_map_invalidated", "root", "size")
_TO_PREPARE_SCREENS = ("_css_update_count", "_get_screen", "_load_screen_css")  # of an application
_OF_NODES = (  # to keep their styles: an application is a node, too
    "_PSEUDO_CLASSES",
    "_classes",
    "_component_styles",
    "_css_type_names",
    "_css_types",
    "_has_focus_within",
    "_has_hover_style",
    "_has_odd_or_even",
    "_has_order_style",
    "_id",
    "_parent",
)
_OF_STYLED = ("_css_update_count",)  # of an application, and of each of its screens
_OF_FILTERED = ("_filters",)  # of an application
_OF_STYLESHEETS = ("_parse_cache", "_parse_rules", "_process_component_classes", "_rules", "_variables")
_OF_SCREENS = (
    "_compositor",
    "_has_focus_within",
    "_dirty_widgets",
    "_layout_required",
    "_scroll_required",
    "_repaint_required",
    "_recompose_required",
    "_refresh_styles_required",
)


@cache
def _missing_of_classes() -> tuple[str, ...]:
    names = [
        f"{owner.__name__}.{name}" for owner, all_ in _OF_CLASSES.items() for name in all_ if not hasattr(owner, name)
    ]
    compositor = Compositor()
    return (*names, *(f"Compositor.{name}" for name in _OF_COMPOSITORS if not hasattr(compositor, name)))


def missing(screen: Screen[object]) -> tuple[str, ...]:
    """The names that are no longer there; `screen` is any screen that has been initialised."""
    return (*_missing_of_classes(), *(f"Screen.{name}" for name in _OF_SCREENS if not hasattr(screen, name)))


def can_prepare_screens(app: App[object]) -> bool:
    """Whether a screen can be put together before it is shown; without that, each is when it is opened."""
    return all(hasattr(app, name) for name in _TO_PREPARE_SCREENS)


def can_keep_styles(app: App[object]) -> bool:
    """Whether what rules come to can be kept for each place; without that, Textual looks all up each time."""
    sheet = Stylesheet()
    return (
        all(hasattr(app, name) for name in _OF_NODES)
        and all(hasattr(sheet, name) for name in _OF_STYLESHEETS)
        and all(hasattr(one, name) for one in (app, *app.screen_stack) for name in _OF_STYLED)
    )


def can_keep_filters(app: App[object]) -> bool:
    """Whether a theme's colours can be filtered by the object that did so before; without that, by another one."""
    return hasattr(App, "_refresh_truecolor_filter") and all(hasattr(app, name) for name in _OF_FILTERED)
