"""Updates style sheets and drawings when the theme changes. Hidden widgets are updated when they are shown."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QChildEvent, QEvent, QObject
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.style_sheet import make_style_sheet
from studio.app.widgets.theme import Theme


class _ThemeFollower(QObject):
    """Is a child of its widget, so that it is deleted with the widget."""

    def __init__(self, theme: Theme, widget: QWidget, update: Callable[[], object]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._update = update
        self._waiting = False
        theme.changed.connect(self.update_when_visible)

    def update_when_visible(self) -> None:
        if self._widget.isVisible():
            self._update()
        elif not self._waiting:
            self._waiting = True
            self._widget.installEventFilter(self)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            self._waiting = False
            self._widget.removeEventFilter(self)
            self._update()
        return False


def when_visible(theme: Theme, widget: QWidget, update: Callable[[], object]) -> Callable[[], None]:
    """Call `update` after each change of the theme.

    It is called at once if the widget is visible, otherwise when it is shown. Most of the window's 800 widgets are in
    panels that are not open. The returned function does the same without a change of the theme.
    """
    return _ThemeFollower(theme, widget, update).update_when_visible


class Styles(QObject):
    """Gives each part of a window its style sheet. One sheet on the whole window would restyle hidden parts, too."""

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._theme = theme
        self._window = window
        window.installEventFilter(self)
        theme.changed.connect(self._style_windows)

    def add_part(self, part: QWidget) -> None:
        """Give a part its style sheet, now and after each change of the theme."""
        when_visible(self._theme, part, partial(self._style, part))()

    def _style(self, part: QWidget) -> None:
        part.setStyleSheet(make_style_sheet(self._theme))

    def _style_windows(self) -> None:
        """Restyle the lists and dialogs over the window.

        `when_visible` cannot do it: its child refers to the dialog, and PySide crashes when such a file dialog is
        deleted.
        """
        for child in self._window.children():
            if isinstance(child, QWidget) and child.isWindow():
                self._style(child)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Style lists and dialogs that open over the window before they are measured."""
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            child = event.child()
            if isinstance(child, QWidget) and child.isWindow():
                self._style(child)
        return False


class ColouredStack(QStackedWidget):
    """Shows pages on a colour of the theme. A style sheet would restyle all its pages."""

    def __init__(self, theme: Theme, token: str) -> None:
        super().__init__()
        self._theme = theme
        self._token = token
        theme.changed.connect(self.update)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._theme.colour(self._token))
