"""Ignores a click on a part that has just moved, because the user aimed at what was there before."""

from collections.abc import Generator
from contextlib import contextmanager

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from studio.app.core.guard import guarded

PRESSES = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)


class LateClickGuard(QObject):
    """Ignores late presses of the mouse in a window.

    Wrap a change of the layout that the user did not ask for in `moving_parts`. For as long as the system lets pass
    between the two halves of a double click, a press on a part that has moved is then ignored.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._before: dict[int, QRect] = {}
        """Where each visible part was before the change, by its identity; empty for a part with another meaning now."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)

    def watch_presses(self) -> None:
        """Begin to receive presses. Call it after the native window exists."""
        handle = self._window.windowHandle()
        if handle is not None:
            handle.installEventFilter(self)

    @property
    def is_watching(self) -> bool:
        """Return whether a press may be ignored now."""
        return self._timer.isActive()

    @contextmanager
    def moving_parts(self, changed: QWidget) -> Generator[None, None, None]:
        """Ignore late presses on what moves in the block, and on all parts of `changed`."""
        if not self.is_watching:  # otherwise the user may still aim at what was there before the first change
            parts = (part for part in self._window.findChildren(QWidget) if part.isVisible())
            self._before = {id(part): _shown_rect(part, self._window) for part in parts}
        self._before |= {id(part): QRect() for part in (changed, *changed.findChildren(QWidget))}
        yield
        self._timer.start(QApplication.doubleClickInterval())

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not self.is_watching or event.type() not in PRESSES or not isinstance(event, QMouseEvent):
            return False
        part = self._window.childAt(event.position().toPoint())
        before = self._before.get(id(part))
        return part is not None and before is not None and before != _shown_rect(part, self._window)


def _shown_rect(part: QWidget, window: QWidget) -> QRect:
    """Return the rectangle of a visible part in the window, without what its parents cut off."""
    shown = QRect(part.mapTo(window, QPoint()), part.size())
    parent = part.parentWidget()
    while parent is not None and parent is not window:
        shown &= QRect(parent.mapTo(window, QPoint()), parent.size())
        parent = parent.parentWidget()
    return shown
