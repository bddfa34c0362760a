"""The style sheet and the drawings of the window follow its look; what is hidden follows when it is shown."""

from collections.abc import Callable, Iterable
from functools import partial

from PySide6.QtCore import QChildEvent, QEvent, QObject
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from studio.app.views.guard import guarded
from studio.app.views.sheet import sheet
from studio.app.views.theme import Look


class _Follower(QObject):
    """Lives in the widget, so that it ends with it."""

    def __init__(self, look: Look, widget: QWidget, do: Callable[[], object]) -> None:
        super().__init__(widget)
        self._widget, self._do, self._waiting = widget, do, False
        look.changed.connect(self.follow)

    def follow(self) -> None:
        if self._widget.isVisible():
            self._do()
        elif not self._waiting:
            self._waiting = True
            self._widget.installEventFilter(self)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            self._waiting = False
            self._widget.removeEventFilter(self)
            self._do()
        return False


def when_seen(look: Look, widget: QWidget, do: Callable[[], object]) -> Callable[[], None]:
    """Call `do` after each change of the look: now if the widget is seen, else when it is shown.

    Most of the window's 800 widgets are in panels that are not open. Returns what does so once without a change.
    """
    return _Follower(look, widget, do).follow


class Styles(QObject):
    """The style sheet of a window, on each of its parts: on the whole it costs all that is hidden, too."""

    def __init__(self, look: Look, window: QWidget, parts: Iterable[QWidget]) -> None:
        super().__init__(window)
        self._look = look
        window.installEventFilter(self)
        for part in parts:
            when_seen(look, part, partial(self._style, part))()

    def _style(self, part: QWidget) -> None:
        part.setStyleSheet(sheet(self._look))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Lists and dialogs that open over the window have its style sheet before they are measured."""
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            child = event.child()
            if isinstance(child, QWidget) and child.isWindow():
                self._style(child)
                when_seen(self._look, child, partial(self._style, child))
        return False


class Ground(QStackedWidget):
    """Pages on a colour of the look. It needs no style sheet, which would be one for all its pages."""

    def __init__(self, look: Look, token: str) -> None:
        super().__init__()
        self._look, self._token = look, token
        look.changed.connect(self.update)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._look.colour(self._token))
