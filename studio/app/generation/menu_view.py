"""Menu entries that wait until a picture is finished."""

from PySide6.QtGui import QAction

from studio.app.core.observable import Value
from studio.app.generation.run import Cell
from studio.app.widgets.binding import bind


def enable_when_finished(action: QAction, cells: Value[tuple[Cell, ...]], place: int) -> None:
    """Enable a menu entry as soon as the picture at this place is finished, even while the menu is open."""

    def show(now: tuple[Cell, ...]) -> None:
        action.setEnabled(place < len(now) and now[place].finished)

    bind(action, cells, show)
