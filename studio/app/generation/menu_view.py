"""Enables menu entries once a picture is finished."""

from PySide6.QtGui import QAction

from studio.app.core.observable import Value
from studio.app.generation.run import Cell
from studio.app.widgets.binding import bind


def enable_when_finished(action: QAction, cells: Value[tuple[Cell, ...]], place: int) -> None:
    """Enable a menu entry once this picture is finished, even in an open menu."""

    def show(now: tuple[Cell, ...]) -> None:
        action.setEnabled(place < len(now) and now[place].finished)

    bind(action, cells, show)
