"""Defines the slider of a value: a standard slider with this window's looks and keys."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSlider

from studio.app.core.guard import guarded
from studio.app.widgets.controls import handle_wheel_if_focused
from studio.app.widgets.theme import Theme

UNITS = 1000
"""Whole numbers of the standard slider for each unit of the value."""
HANDLE = 14
HIT_SIZE = 28
"""Pixels. The handle is drawn small, but the mouse can grab it in a larger area."""
SNAP_DISTANCE = 3
_STEPS = {
    Qt.Key.Key_Left: -0.05,
    Qt.Key.Key_Down: -0.05,
    Qt.Key.Key_Right: 0.05,
    Qt.Key.Key_Up: 0.05,
    Qt.Key.Key_PageDown: -0.5,
    Qt.Key.Key_PageUp: 0.5,
}


class Slider(QSlider):
    """Edits a value. `moved` carries each value that the user sets; `grabbed` and `released` enclose a drag."""

    grabbed = Signal()
    moved = Signal(float)
    released = Signal()
    home_requested = Signal()
    edit_requested = Signal()

    def __init__(self, theme: Theme, least: float, most: float, home: float, safe: tuple[float, float] | None) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._theme = theme
        self._home = home
        self._safe = safe
        self._showing = False
        self._before: float | None = None
        """The value at the press, during a drag."""
        self._raw = 0.0
        self._last_x = 0.0
        self.setRange(round(least * UNITS), round(most * UNITS))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(self._describe)
        theme.changed.connect(self.updateGeometry)

    def set_home(self, home: float) -> None:
        self._home = home
        self.update()

    def set_safe(self, safe: tuple[float, float] | None) -> None:
        self._safe = safe
        self.update()

    def value_shown(self) -> float:
        return self.value() / UNITS

    def show_value(self, value: float) -> None:
        """Show the state's value without emitting `moved`."""
        self._showing = True
        self.setValue(round(value * UNITS))
        self._showing = False

    @guarded(QSize(84, 20))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(84), self._theme.scaled(20))

    @guarded(QSize(60, 20))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(60), self._theme.scaled(20))

    # ── events ───────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        x = event.position().x()
        self._before = self.value_shown()
        self._raw = self.value_shown()
        self._last_x = x
        self.grabbed.emit()
        if abs(x - self._position_of(self.value_shown())) > HIT_SIZE / 2:
            self._raw = self._value_at(x)
            self._drag_to(self._raw, snap=True)
        self.update()

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._before is None:
            return
        x = event.position().x()
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._raw += (x - self._last_x) / self._length() * self._range() * (0.1 if fine else 1.0)
        self._last_x = x
        self._drag_to(self._raw, snap=not fine)

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._release()

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.home_requested.emit()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_Escape and self._before is not None:
            self.setValue(round(self._before * UNITS))
            self._release()
        elif key in _STEPS:
            step = _STEPS[key]
            self._set(self.value_shown() + (step / 5 if shift and abs(step) < 0.1 else step))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.setValue(self.minimum() if key == Qt.Key.Key_Home else self.maximum())
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.home_requested.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.edit_requested.emit()
        else:
            event.ignore()

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel_if_focused(self, event, self._handle_wheel)

    def _handle_wheel(self, event: QWheelEvent) -> None:
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        angle = event.angleDelta().y() or event.angleDelta().x()
        self._set(self.value_shown() + angle / 120 * (0.01 if fine else 0.05))
        event.accept()

    def _drag_to(self, value: float, snap: bool) -> None:
        near = abs(value - self._home) / self._range() * self._length() <= SNAP_DISTANCE
        self._set(self._home if snap and near else value)

    def _set(self, value: float) -> None:
        self.setValue(round(value * UNITS))

    def _release(self) -> None:
        if self._before is not None:
            self._before = None
            self.released.emit()
            self.update()

    def _describe(self) -> None:
        if not self._showing:
            self.moved.emit(self.value_shown())

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    def _range(self) -> float:
        return (self.maximum() - self.minimum()) / UNITS

    def _length(self) -> float:
        return max(1.0, self.width() - self._theme.scaled(HANDLE))

    def _position_of(self, value: float) -> float:
        share = (value - self.minimum() / UNITS) / self._range()
        return self._theme.scaled(HANDLE) / 2 + min(max(share, 0.0), 1.0) * self._length()

    def _value_at(self, x: float) -> float:
        return self.minimum() / UNITS + (x - self._theme.scaled(HANDLE) / 2) / self._length() * self._range()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        middle = self.height() / 2
        at_home = abs(self.value_shown() - self._home) < 0.5 / UNITS
        handle = self._position_of(self.value_shown())
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            self._paint_bar(painter, 0, self.width(), 2 if self._safe else 4, "groove")
            if self._safe:
                left = self._position_of(self._safe[0]) if self._safe[0] * UNITS > self.minimum() else 0
                right = self._position_of(self._safe[1]) if self._safe[1] * UNITS < self.maximum() else self.width()
                self._paint_bar(painter, left, right, 4, "groove")
            if not at_home:
                home = self._position_of(self._home)
                self._paint_bar(painter, min(home, handle), max(home, handle), 4, "accent")
                painter.setBrush(theme.colour("border"))
                painter.drawRoundedRect(QRectF(home - 1, middle - theme.scaled(6), 2, theme.scaled(12)), 1, 1)
            radius = theme.scaled(HANDLE) / 2
            if at_home:
                painter.setPen(QPen(theme.colour("soft"), 1.6))
                painter.setBrush(theme.colour("panel"))
                radius -= 0.8
            else:
                painter.setBrush(theme.colour("accent"))
            painter.drawEllipse(QPointF(handle, middle), radius, radius)

    def _paint_bar(self, painter: QPainter, left: float, right: float, height: int, token: str) -> None:
        height = self._theme.scaled(height)
        painter.setBrush(self._theme.colour(token))
        side_radius = height / 2
        bar = QRectF(left, self.height() / 2 - side_radius, right - left, height)
        painter.drawRoundedRect(bar, side_radius, side_radius)
