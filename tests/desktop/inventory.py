"""What is to be seen of the window: each widget with its address, its name, its place on the screen and its value."""

import itertools
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMenu,
    QScrollArea,
    QWidget,
)

Part = dict[str, Any]
CUSTOM = Qt.ContextMenuPolicy.CustomContextMenu


def address(widget: QWidget, known: dict[QWidget, str] | None = None) -> str:
    """Where a widget lies in the tree of widgets: the same as long as it lives. `known` spares looking twice."""
    known = {} if known is None else known
    if widget not in known:
        parent = widget.parentWidget()
        if parent is None:
            known[widget] = type(widget).__name__
        else:
            same = [child for child in parent.children() if type(child) is type(widget)]
            known[widget] = f"{address(parent, known)}/{type(widget).__name__}{same.index(widget)}"
    return known[widget]


def parts() -> list[Part]:
    """All that can be used by a pointer now, on the window or, while one is open, on the menu, list or dialog."""
    top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    windows = [top] if top is not None else [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    widgets = [widget for window in windows for widget in (window, *window.findChildren(QWidget))]
    known: dict[QWidget, str] = {}
    return [{**part, "address": address(widget, known) + part["address"]} for widget in widgets for part in _of(widget)]


def part_at(x: int, y: int) -> str:
    """The address of the widget at a place of the screen; empty where none is."""
    widget = QApplication.widgetAt(QPoint(x, y))
    return address(widget) if widget is not None else ""


def focused() -> str:
    """The address of the widget that gets the keys; empty while none does."""
    widget, dialog = QApplication.focusWidget(), QApplication.activeModalWidget()
    if widget is None or not widget.window().isActiveWindow():
        return ""
    # Qt drops the keys of a window below a dialog, from when the dialog is opened until the screen has turned to it.
    below = dialog is not None and dialog is not widget.window() and QApplication.activePopupWidget() is None
    return "" if below else address(widget)


def focus_in_words() -> str:
    """Which window is active, which widget has the focus, and what lies open: why no key can be pressed."""
    held = {
        "active window": QApplication.activeWindow(),
        "widget with the focus": QApplication.focusWidget(),
        "menu or list": QApplication.activePopupWidget(),
        "dialog": QApplication.activeModalWidget(),
    }
    return ", ".join(f"{what}: {address(widget) if widget is not None else 'none'}" for what, widget in held.items())


def opened() -> str:
    """What lies open over the window: a menu, a list, a dialog; empty for nothing."""
    top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    return address(top) if top is not None else ""


def reveal(part: str) -> None:
    """Scroll a widget or a row of a list into sight."""
    whole, _, row = part.partition("#")
    known: dict[QWidget, str] = {}
    for window in QApplication.topLevelWidgets():
        for widget in window.findChildren(QWidget):
            if address(widget, known) == whole:
                _scroll_to(widget)
                view = widget.parentWidget()
                if row and isinstance(view, QAbstractItemView):
                    index = next(itertools.islice(_indexes(view), int(row), None), QModelIndex())
                    view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)


def _scroll_to(widget: QWidget) -> None:
    area: QWidget | None = widget
    while area is not None:
        area = area.parentWidget()
        if isinstance(area, QScrollArea):
            area.ensureWidgetVisible(widget, 8, 8)


def _of(widget: QWidget) -> Iterator[Part]:
    """The parts of a widget; of their addresses the end alone."""
    if not widget.isVisible():
        return
    if isinstance(widget, QMenu):
        for number, action in enumerate(widget.actions()):
            if not action.isSeparator():
                place = widget.actionGeometry(action)
                yield _part(widget, "entry", action.text(), place, action.isEnabled(), None, number)
    elif isinstance(widget, QAbstractItemView) and "visualRect" not in vars(type(widget)):
        yield _part(widget, "list", widget.accessibleName(), widget.rect(), widget.isEnabled(), _row(widget))
        yield from _rows(widget)
    elif (kind := _kind(widget)) is not None:
        name = widget.accessibleName() or getattr(widget, "text", str)()
        place = getattr(widget, "rect_shown", widget.rect)()  # what draws its handle or its picture somewhere in it
        yield _part(widget, kind, name, place, widget.isEnabled(), _value(widget))


def _part(
    widget: QWidget, kind: str, name: str, place: QRect, enabled: bool, value: Any, row: int | None = None
) -> Part:
    seen = (place & widget.visibleRegion().boundingRect()).normalized()
    corner = widget.mapToGlobal(seen.topLeft())
    return {
        "address": "" if row is None else f"#{row}",
        "class": type(widget).__name__,
        "kind": kind,
        "name": name,
        "place": [corner.x(), corner.y(), seen.width(), seen.height()] if not seen.isEmpty() else None,
        "whole": seen == place and not seen.isEmpty(),
        "enabled": enabled,
        "value": value,
        "menu": widget.contextMenuPolicy() == CUSTOM,
    }


def _kind(widget: QWidget) -> str | None:
    """What a pointer can do with it; None for what it cannot be used on."""
    parent = widget.parentWidget()
    if isinstance(widget, QLineEdit):
        return None if isinstance(parent, QAbstractSpinBox | QComboBox) else "field"
    for kind, sort in (
        ("button", QAbstractButton), ("slider", QAbstractSlider), ("choice", QComboBox), ("number", QAbstractSpinBox),
    ):  # fmt: skip
        if isinstance(widget, sort):
            return kind
    ours = any(
        base.__module__.startswith("studio.") and {"mousePressEvent", "mouseReleaseEvent"} & set(vars(base))
        for base in type(widget).__mro__
    )
    return "area" if ours else None


def _value(widget: QWidget) -> Any:
    if isinstance(widget, QAbstractButton):
        return widget.isChecked() if widget.isCheckable() else None
    if isinstance(widget, QLineEdit):
        return widget.text()
    if isinstance(widget, QComboBox):
        return widget.currentIndex()
    value = getattr(widget, "value", None)
    return value() if callable(value) else None


def _row(view: QAbstractItemView) -> int | None:
    """The number of the row that is chosen, counted as `_rows` does."""
    now = view.currentIndex()
    return next((number for number, index in enumerate(_indexes(view)) if index == now), None)


def _rows(view: QAbstractItemView) -> Iterator[Part]:
    """All of them; what is scrolled out of sight has no place, as other parts."""
    for number, index in enumerate(_indexes(view)):
        name = index.data(Qt.ItemDataRole.AccessibleTextRole) or index.data() or ""
        chosen, menu = index == view.currentIndex(), view.contextMenuPolicy() == CUSTOM
        enabled = view.isEnabled() and bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
        part = _part(view.viewport(), "row", str(name), view.visualRect(index), enabled, chosen, number)
        yield {**part, "class": type(view).__name__, "menu": menu}


def _indexes(view: QAbstractItemView, parent: QModelIndex | None = None) -> Iterator[QModelIndex]:
    """All rows, each before those below it."""
    model = view.model()
    for number in range(model.rowCount(parent or QModelIndex()) if model is not None else 0):
        index = model.index(number, 0, parent or QModelIndex())
        yield index
        yield from _indexes(view, index)
