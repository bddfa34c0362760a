"""Menus of the right mouse button."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

Entry = tuple[str, Callable[[], object], bool]
"""What it says, what it does, and whether it can be done now."""


def offer(widget: QWidget, entries: Callable[[], Sequence[Entry]]) -> None:
    """Open a menu with these entries where a widget is right-clicked; not a list, whose viewport has other places."""

    def opened(at: QPoint) -> None:
        menu = QMenu(widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for words, do, able in entries():
            menu.addAction(words, do).setEnabled(able)
        menu.popup(widget.mapToGlobal(at))

    widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    widget.customContextMenuRequested.connect(opened)
