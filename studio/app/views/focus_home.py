"""Where the focus goes when what had it is hidden."""

import contextlib
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QStackedWidget, QWidget

from studio.app.views.shortcuts import takes_focus


class FocusHome(QObject):
    """Keeps the focus near, and off buttons. Qt gives it to whatever comes next in the window, which is often the
    rail: there the next key would open another panel, as on the main button it would start a job."""

    def __init__(self, window: QWidget, stage: QStackedWidget) -> None:
        super().__init__(window)
        self._window, self._stage = window, stage
        self._around: tuple[QWidget, ...] = ()
        """The boxes around what had the focus last, the nearest first."""
        # Queued: while a list closes or a dialog opens, no widget has the focus for a moment.
        self._lost = QTimer(self, interval=0, singleShot=True)
        self._lost.timeout.connect(self._bring_back)
        QApplication.instance().focusChanged.connect(self._moved)  # type: ignore[union-attr]  # there is one by now

    def leave(self, old: QWidget | None) -> None:
        """Find a place for the focus if the widget that had it is hidden by now."""
        self._moved(old, QApplication.focusWidget())

    def _moved(self, old: QWidget | None, new: QWidget | None) -> None:
        if new is None or not new.isVisible():
            self._lost.start()
        if new is not None and new.window() is self._window:
            self._around = tuple(_boxes(new))
        if old is not None and new is not None and new.window() is self._window:
            with contextlib.suppress(RuntimeError):  # what had it is deleted, and nothing is known of it any more
                if self._window.isVisible() and self._window.isAncestorOf(old) and not old.isVisible():
                    self._find(old.parentWidget(), new)

    def _bring_back(self) -> None:
        """Find a place for the focus if nothing visible in the active window has it.

        Qt gives it to no widget if the one that had it is deleted, or disabled with the box around it. After a list
        closes, Qt gives it back to the one that had it before, even if that was hidden in the meantime.
        """
        now = QApplication.focusWidget()
        if self._window.isActiveWindow() and (now is None or not now.isVisible()):
            self._find(next(filter(_lives, self._around), None), None)

    def _find(self, box: QWidget | None, new: QWidget | None) -> None:
        """The nearest place to a box, unless Qt has found one in it; else the stage."""
        while box is not None and box is not self._window:
            if new is not None and box.isAncestorOf(new) and not isinstance(new, QAbstractButton):
                return
            if self._take(box):
                return
            box = box.parentWidget()
        if not self._take(self._stage.currentWidget()):
            self._window.setFocus()

    def _take(self, box: QWidget | None) -> bool:
        """Give the focus to the first that can have it in a box and is no button; whether there is one."""
        parts = box.findChildren(QWidget) if box is not None and box.isVisible() else []
        able = (part for part in parts if takes_focus(part) and not isinstance(part, QAbstractButton))
        first = next(able, None)
        if first is not None:
            first.setFocus()
        return first is not None


def _boxes(widget: QWidget) -> Iterator[QWidget]:
    """All that a widget lies in, the nearest first."""
    while (box := widget.parentWidget()) is not None:
        yield box
        widget = box


def _lives(widget: QWidget) -> bool:
    """Whether Qt has not deleted a widget that Python still knows."""
    try:
        widget.isVisible()
    except RuntimeError:
        return False
    return True
