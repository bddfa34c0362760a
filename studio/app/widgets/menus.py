"""Opens context menus."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

MenuEntry = tuple[str, Callable[[], object], bool]
"""A menu entry: its text, its function, and whether it is enabled."""


def show_context_menu(widget: QWidget, entries: Callable[[], Sequence[MenuEntry]]) -> None:
    """Open a menu with these entries when the user right-clicks a widget.

    This is not for lists, which report positions in their viewport.
    """

    def open_menu(at: QPoint) -> None:
        menu = QMenu(widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, run, enabled in entries():
            menu.addAction(text, run).setEnabled(enabled)
        menu.popup(widget.mapToGlobal(at))

    widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    widget.customContextMenuRequested.connect(open_menu)
