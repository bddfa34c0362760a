"""Builds the widgets of each panel when they are first needed."""

from collections.abc import Callable

from studio.app.panels.panel_view import PanelView


class PanelViews(dict[str, PanelView]):
    """Holds the panels that were built, by key. `views[key]` builds the panel if that was not done yet."""

    def __init__(self, build: Callable[[str], PanelView]) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, key: str) -> PanelView:
        self[key] = self._build(key)
        return self[key]
