"""Adds the actions on a picture to a menu."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMenu

from studio.app.core.observable import Value
from studio.app.generation.run import Cell
from studio.app.widgets.binding import bind


def add_picture_actions(
    menu: QMenu, entries: Sequence[tuple[str, Callable[[], object]]], cells: Value[tuple[Cell, ...]], number: int
) -> None:
    """Add entries that are enabled once this picture is finished, even while the menu is open."""
    actions = [menu.addAction(text, run) for text, run in entries]

    def show(now: tuple[Cell, ...]) -> None:
        for action in actions:
            action.setEnabled(number < len(now) and now[number].finished)

    bind(menu, cells, show)
