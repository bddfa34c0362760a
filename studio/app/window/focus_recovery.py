"""Moves the keyboard focus to a nearby widget when the focused one is hidden."""

import contextlib
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QStackedWidget, QWidget

from studio.app.window.commands.shortcuts import takes_focus


class FocusRecovery(QObject):
    """Keeps the focus near the widget that was hidden, and off buttons.

    Qt gives it to the next widget of the window, often to the rail or to the main button. There the next key would
    open another panel or start a job.
    """

    def __init__(self, window: QWidget, stage: QStackedWidget) -> None:
        super().__init__(window)
        self._window = window
        self._stage = stage
        self._around: tuple[QWidget, ...] = ()
        """The boxes around the widget that was focused last, the nearest first."""
        # Queued: while a list closes or a dialog opens, no widget has the focus for a moment.
        self._lost = QTimer(self, interval=0, singleShot=True)
        self._lost.timeout.connect(self._recover_focus)
        QApplication.instance().focusChanged.connect(self._on_focus_changed)  # type: ignore[union-attr]  # the application exists by now

    def move_focus(self, old: QWidget | None) -> None:
        """Move the focus if the widget that had it is now hidden."""
        self._on_focus_changed(old, QApplication.focusWidget())

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        if new is None or not new.isVisible():
            self._lost.start()
        if new is not None and new.window() is self._window:
            self._around = tuple(_ancestors(new))
        if old is not None and new is not None and new.window() is self._window:
            with contextlib.suppress(RuntimeError):  # the old widget was deleted
                if self._window.isVisible() and self._window.isAncestorOf(old) and not old.isVisible():
                    self._focus_nearest(old.parentWidget(), new)

    def _recover_focus(self) -> None:
        """Move the focus if nothing visible in the active window has it.

        Qt gives it to no widget if the one that had it is deleted, or disabled with the box around it. After a list
        closes, Qt gives it back to the one that had it before, even if that was hidden in the meantime.
        """
        now = QApplication.focusWidget()
        if self._window.isActiveWindow() and (now is None or not now.isVisible()):
            self._focus_nearest(next(filter(_is_alive, self._around), None), None)

    def _focus_nearest(self, box: QWidget | None, new: QWidget | None) -> None:
        """Focus the nearest widget around `box`, else the stage; accept Qt's choice if it is in `box`."""
        while box is not None and box is not self._window:
            if new is not None and box.isAncestorOf(new) and not isinstance(new, QAbstractButton):
                return
            if self._focus_first(box):
                return
            box = box.parentWidget()
        if not self._focus_first(self._stage.currentWidget()):
            self._window.setFocus()

    def _focus_first(self, box: QWidget | None) -> bool:
        """Focus the first widget in `box` that is no button; return whether there is one."""
        widgets = box.findChildren(QWidget) if box is not None and box.isVisible() else []
        focusable = (each for each in widgets if takes_focus(each) and not isinstance(each, QAbstractButton))
        first = next(focusable, None)
        if first is not None:
            first.setFocus()
        return first is not None


def _ancestors(widget: QWidget) -> Iterator[QWidget]:
    """Return the ancestors of a widget, the nearest first."""
    while (box := widget.parentWidget()) is not None:
        yield box
        widget = box


def _is_alive(widget: QWidget) -> bool:
    """Return whether the C++ widget still exists; Python may hold a widget that Qt has deleted."""
    try:
        widget.isVisible()
    except RuntimeError:
        return False
    return True
