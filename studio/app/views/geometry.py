"""The window's place on the screen, kept while it lives and given back when it opens."""

from PySide6.QtCore import QByteArray, QEvent, QObject, QTimer
from PySide6.QtWidgets import QStyle, QWidget

from studio.app.states.value import Value
from studio.app.views.guard import guarded

AT_FIRST = (1440, 900)
DEBOUNCE = 500
"""Milliseconds from a move until it is told."""


class Geometry(QObject):
    """Tells the state where the window lies, so that even a killed one comes back there."""

    def __init__(self, window: QWidget, kept: Value[bytes]) -> None:
        super().__init__(window)
        self._window, self._kept = window, kept
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DEBOUNCE)
        self._soon.timeout.connect(self.keep)
        if not kept.get() or not window.restoreGeometry(QByteArray(kept.get())):
            room = window.screen().availableGeometry()
            title = QStyle.PixelMetric.PM_TitleBarHeight
            high = room.height() - window.style().pixelMetric(title)  # the title bar is added later and needs room
            window.resize(min(AT_FIRST[0], room.width()), min(AT_FIRST[1], high))
        window.installEventFilter(self)

    def keep(self) -> None:
        """Tell it now."""
        self._soon.stop()
        self._kept.set(bytes(self._window.saveGeometry().data()))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.WindowStateChange):
            self._soon.start()
        return False
