"""Lists the visible widgets of the window with their addresses, names, places on the screen and values."""

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
    """Return a widget's path in the tree of widgets, constant while it lives. `known` caches the results."""
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
    """List everything that the pointer can use now, in the window or in the open menu, list or dialog."""
    top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    windows = [top] if top is not None else [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    widgets = [widget for window in windows for widget in (window, *window.findChildren(QWidget))]
    known: dict[QWidget, str] = {}
    return [{**part, "address": address(widget, known) + part["address"]} for widget in widgets for part in _of(widget)]


def part_at(x: int, y: int) -> str:
    """Return the address of the widget at a position on the screen; empty if there is none."""
    widget = QApplication.widgetAt(QPoint(x, y))
    return address(widget) if widget is not None else ""


def focused() -> str:
    """Return the address of the widget that receives keys; empty if none does."""
    widget = QApplication.focusWidget()
    dialog = QApplication.activeModalWidget()
    if widget is None or not widget.window().isActiveWindow():
        return ""
    # Qt drops the keys of a window below a dialog, from when the dialog is opened until the screen has turned to it.
    below = dialog is not None and dialog is not widget.window() and QApplication.activePopupWidget() is None
    return "" if below else address(widget)


def focus_in_words() -> str:
    """Say which window is active, which widget has the focus, and what is open: why no key can be pressed."""
    held = {
        "active window": QApplication.activeWindow(),
        "widget with the focus": QApplication.focusWidget(),
        "menu or list": QApplication.activePopupWidget(),
        "dialog": QApplication.activeModalWidget(),
    }
    return ", ".join(f"{what}: {address(widget) if widget is not None else 'none'}" for what, widget in held.items())


def opened() -> str:
    """Return the address of the open menu, list or dialog; empty if there is none."""
    top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    return address(top) if top is not None else ""


def reveal(part: str) -> None:
    """Scroll until a widget or a row of a list is visible."""
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
    """Yield the parts of a widget; their addresses lack the widget's own."""
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
        place = getattr(widget, "shown_rect", widget.rect)()  # some draw in a part only
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
    """Return the sort of control that a widget is for the pointer; None if it is none."""
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
    """Return the number of the chosen row, counted as in `_rows`."""
    now = view.currentIndex()
    return next((number for number, index in enumerate(_indexes(view)) if index == now), None)


def _rows(view: QAbstractItemView) -> Iterator[Part]:
    """Yield all rows; a row that is scrolled out of sight has no place, as other parts."""
    for number, index in enumerate(_indexes(view)):
        name = index.data(Qt.ItemDataRole.AccessibleTextRole) or index.data() or ""
        chosen = index == view.currentIndex()
        menu = view.contextMenuPolicy() == CUSTOM
        enabled = view.isEnabled() and bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
        part = _part(view.viewport(), "row", str(name), view.visualRect(index), enabled, chosen, number)
        yield {**part, "class": type(view).__name__, "menu": menu}


def _indexes(view: QAbstractItemView, parent: QModelIndex | None = None) -> Iterator[QModelIndex]:
    """Yield the indexes of all rows, each before its children."""
    model = view.model()
    for number in range(model.rowCount(parent or QModelIndex()) if model is not None else 0):
        index = model.index(number, 0, parent or QModelIndex())
        yield index
        yield from _indexes(view, index)
