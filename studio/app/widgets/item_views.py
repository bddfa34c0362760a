"""Sets up lists and trees, and opens the menus of their items."""

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QAbstractItemView, QFrame, QMenu


def set_up_item_view(view: QAbstractItemView, name: str) -> None:
    """Show nothing but the items of a list or tree. A double click or Return activates one."""
    view.setProperty("role", "bare")
    view.setFrameShape(QFrame.Shape.NoFrame)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setStyleSheet("activate-on-singleclick: 0;")
    view.setAccessibleName(name)


def show_item_menu(view: QAbstractItemView, fill: Callable[[QMenu, QModelIndex], object]) -> None:
    """Open a menu when the user right-clicks an item. `fill` adds the entries for the item under the pointer."""

    def open_menu(at: QPoint) -> None:
        index = view.indexAt(at)
        if index.isValid():
            menu = QMenu(view)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            fill(menu, index)
            menu.popup(view.viewport().mapToGlobal(at))  # a list reports positions in its viewport

    view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    view.customContextMenuRequested.connect(open_menu)
