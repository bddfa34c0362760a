"""Draws a ring around the focused widget after a key was used."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.generate.row_marker_view import RowMarker
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme


class FocusRing(QWidget):
    """Lies above the window and ignores the mouse."""

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._theme = theme
        self._on = window
        self._focused: QWidget | None = None
        self._by_key = False
        """Whether the user's last action was a key."""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # The focused widget moves with its parents without any signal, so its place is checked while it is shown.
        self._watch = QTimer(self)
        self._watch.setInterval(80)
        self._watch.timeout.connect(self._update_ring)
        QApplication.instance().focusChanged.connect(self._on_focus_changed)  # type: ignore[union-attr]  # the application exists by now
        theme.changed.connect(self._restyle)
        self.hide()

    def watch_keys(self) -> None:
        """Watch keys and presses, which decide whether rings are drawn. Call it after the native window exists."""
        handle = self._on.windowHandle()
        if handle is not None:
            handle.installEventFilter(self)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            self._by_key = True
        elif event.type() == QEvent.Type.MouseButtonPress:
            self._by_key = False
            if not self._theme.high:
                self._hide_ring()
        return False

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        """Hide the ring if the mouse moved the focus, except in the contrast themes."""
        field = (new.focusProxy() or new) if new is not None else None
        if field is None or field.window() is not self._on or not (self._by_key or self._theme.high):
            self._hide_ring()
        else:
            self._focused = field
            self._watch.start()
            self._update_ring()

    def _restyle(self) -> None:
        if not self._theme.high and not self._by_key:
            self._hide_ring()

    def _hide_ring(self) -> None:
        self._focused = None
        self._watch.stop()
        self.hide()

    @property
    def focused_widget(self) -> QWidget | None:
        """Return the widget with a ring, or None."""
        return self._focused if self.isVisible() else None

    def _update_ring(self) -> None:
        place = self._update_rect()
        self.setVisible(place.isValid())
        if place.isValid() and place != self.geometry():
            self.setGeometry(place)
            self.raise_()
            self.update()

    def _update_rect(self) -> QRect:
        widget = self._focused
        if widget is None or not widget.isVisible():
            return QRect()
        if isinstance(widget, QLineEdit) and widget.property("role") == "bare":
            widget = widget.parentWidget() or widget
        seen = widget.visibleRegion().boundingRect()
        if isinstance(widget, PictureView | RowMarker):
            seen = widget.shown_rect() & seen
        return (
            seen.translated(widget.mapTo(self._on, QPoint(0, 0))).adjusted(-5, -5, 5, 5) if seen.isValid() else QRect()
        )

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        thick = 3 if self._theme.high else 2
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("accent"), thick))
            inside = QRectF(self.rect()).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2)
            painter.drawRoundedRect(inside, self._theme.scaled(8), self._theme.scaled(8))
