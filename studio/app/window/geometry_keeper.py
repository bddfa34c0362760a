"""Keeps the place and the size of the window over a restart."""

from PySide6.QtCore import QByteArray, QEvent, QObject, QTimer
from PySide6.QtWidgets import QStyle, QWidget

from studio.app.core.guard import guarded
from studio.app.core.observable import Value

DEFAULT_SIZE = (1440, 900)
DEBOUNCE = 500
"""Milliseconds from a move until it is saved."""


class GeometryKeeper(QObject):
    """Saves the window's geometry soon after each change, so that it survives a killed process."""

    def __init__(self, window: QWidget, kept: Value[bytes]) -> None:
        super().__init__(window)
        self._window = window
        self._kept = kept
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE)
        self._timer.timeout.connect(self.save_geometry)
        if not kept.get() or not window.restoreGeometry(QByteArray(kept.get())):
            room = window.screen().availableGeometry()
            title = QStyle.PixelMetric.PM_TitleBarHeight
            high = room.height() - window.style().pixelMetric(title)  # the title bar is added later and needs room
            window.resize(min(DEFAULT_SIZE[0], room.width()), min(DEFAULT_SIZE[1], high))
        window.installEventFilter(self)

    def save_geometry(self) -> None:
        """Save the geometry now."""
        self._timer.stop()
        self._kept.set(bytes(self._window.saveGeometry().data()))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.WindowStateChange):
            self._timer.start()
        return False
