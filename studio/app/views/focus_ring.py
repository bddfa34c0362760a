"""The ring round whatever has the focus, once a key was used to get there."""

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from studio.app.views.guard import guarded
from studio.app.views.theme import Look


class FocusRing(QWidget):
    """Lies above the window and lets every click through."""

    def __init__(self, look: Look, window: QWidget) -> None:
        super().__init__(window)
        self._look, self._on = look, window
        self._focused: QWidget | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # What has the focus moves with what it lies in, which tells nobody: look while it is shown.
        self._watch = QTimer(self)
        self._watch.setInterval(80)
        self._watch.timeout.connect(self._follow)
        QApplication.instance().focusChanged.connect(self._moved)  # type: ignore[union-attr]  # there is one by now
        self.hide()

    def _moved(self, old: QWidget | None, new: QWidget | None) -> None:
        """A press of the mouse moves the focus without a ring, except in the contrast themes."""
        pressed = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        field = new.focusProxy() or new if new is not None else None
        wanted = field is not None and field.window() is self._on and (self._look.high or not pressed)
        self._focused = field if wanted and old is not None else None
        if self._focused is None:
            self._watch.stop()
            self.hide()
        else:
            self._watch.start()
            self._follow()

    @property
    def focused(self) -> QWidget | None:
        """What the ring lies round, None where there is no ring."""
        return self._focused if self.isVisible() else None

    def _follow(self) -> None:
        place = self._place()
        self.setVisible(place.isValid())
        if place.isValid() and place != self.geometry():
            self.setGeometry(place)
            self.raise_()
            self.update()

    def _place(self) -> QRect:
        widget = self._focused
        if widget is None or not widget.isVisible():
            return QRect()
        if isinstance(widget, QLineEdit) and widget.property("role") == "bare":
            widget = widget.parentWidget() or widget
        seen = widget.visibleRegion().boundingRect()
        return seen.translated(widget.mapTo(self._on, QPoint(0, 0))).adjusted(-5, -5, 5, 5) if seen.isValid() else QRect()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        thick = 3 if self._look.high else 2
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._look.colour("accent"), thick))
            inside = QRectF(self.rect()).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2)
            painter.drawRoundedRect(inside, self._look.px(8), self._look.px(8))
