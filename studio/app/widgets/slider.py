"""The groove and handle of a latent slider: a standard slider with our looks, keys and manners."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSlider

from studio.app.core.guard import guarded
from studio.app.widgets.controls import wheel_if_focused
from studio.app.widgets.theme import Look

UNITS = 1000
"""Of the standard slider's whole numbers to one of ours."""
HANDLE = 14
CAUGHT = 28
"""Pixels: a handle is drawn small and caught over more."""
SNAP = 3
_STEPS = {
    Qt.Key.Key_Left: -0.05,
    Qt.Key.Key_Down: -0.05,
    Qt.Key.Key_Right: 0.05,
    Qt.Key.Key_Up: 0.05,
    Qt.Key.Key_PageDown: -0.5,
    Qt.Key.Key_PageUp: 0.5,
}


class Groove(QSlider):
    """`moved` carries each value that the hand sets; `grabbed` and `let_go` frame a drag."""

    grabbed = Signal()
    moved = Signal(float)
    let_go = Signal()
    homed = Signal()
    edit = Signal()

    def __init__(self, look: Look, least: float, most: float, home: float, safe: tuple[float, float] | None) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._look, self._home, self._safe = look, home, safe
        self._showing = False
        self._before: float | None = None
        """The value at the press, while a drag goes on."""
        self._raw, self._last_x = 0.0, 0.0
        self.setRange(round(least * UNITS), round(most * UNITS))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(self._tell)
        look.changed.connect(self.updateGeometry)

    def set_home(self, home: float) -> None:
        self._home = home
        self.update()

    def set_safe(self, safe: tuple[float, float] | None) -> None:
        self._safe = safe
        self.update()

    def now(self) -> float:
        return self.value() / UNITS

    def show_value(self, value: float) -> None:
        """What the state says; where the hand holds the handle, it stays in the hand."""
        self._showing = True
        self.setValue(round(value * UNITS))
        self._showing = False

    @guarded(QSize(84, 20))
    def sizeHint(self) -> QSize:
        return QSize(self._look.px(84), self._look.px(20))

    @guarded(QSize(60, 20))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.px(60), self._look.px(20))

    # ── the hand ─────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        x = event.position().x()
        self._before, self._raw, self._last_x = self.now(), self.now(), x
        self.grabbed.emit()
        if abs(x - self._place(self.now())) > CAUGHT / 2:
            self._raw = self._value_at(x)
            self._hold(self._raw, snap=True)
        self.update()

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._before is None:
            return
        x, fine = event.position().x(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._raw += (x - self._last_x) / self._length() * self._range() * (0.1 if fine else 1.0)
        self._last_x = x
        self._hold(self._raw, snap=not fine)

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._release()

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.homed.emit()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, shift = Qt.Key(event.key()), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_Escape and self._before is not None:
            self.setValue(round(self._before * UNITS))
            self._release()
        elif key in _STEPS:
            step = _STEPS[key]
            self._set(self.now() + (step / 5 if shift and abs(step) < 0.1 else step))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.setValue(self.minimum() if key == Qt.Key.Key_Home else self.maximum())
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.homed.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.edit.emit()
        else:
            event.ignore()

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        wheel_if_focused(self, event, self._turn)

    def _turn(self, event: QWheelEvent) -> None:
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        turned = event.angleDelta().y() or event.angleDelta().x()
        self._set(self.now() + turned / 120 * (0.01 if fine else 0.05))
        event.accept()

    def _hold(self, value: float, snap: bool) -> None:
        near = abs(value - self._home) / self._range() * self._length() <= SNAP
        self._set(self._home if snap and near else value)

    def _set(self, value: float) -> None:
        self.setValue(round(value * UNITS))

    def _release(self) -> None:
        if self._before is not None:
            self._before = None
            self.let_go.emit()
            self.update()

    def _tell(self) -> None:
        if not self._showing:
            self.moved.emit(self.now())

    # ── the looks ────────────────────────────────────────────────────────────────────────────────

    def _range(self) -> float:
        return (self.maximum() - self.minimum()) / UNITS

    def _length(self) -> float:
        return max(1.0, self.width() - self._look.px(HANDLE))

    def _place(self, value: float) -> float:
        share = (value - self.minimum() / UNITS) / self._range()
        return self._look.px(HANDLE) / 2 + min(max(share, 0.0), 1.0) * self._length()

    def _value_at(self, x: float) -> float:
        return self.minimum() / UNITS + (x - self._look.px(HANDLE) / 2) / self._length() * self._range()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, middle = self._look, self.height() / 2
        at_home, handle = abs(self.now() - self._home) < 0.5 / UNITS, self._place(self.now())
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            self._bar(painter, 0, self.width(), 2 if self._safe else 4, "groove")
            if self._safe:
                left = self._place(self._safe[0]) if self._safe[0] * UNITS > self.minimum() else 0
                right = self._place(self._safe[1]) if self._safe[1] * UNITS < self.maximum() else self.width()
                self._bar(painter, left, right, 4, "groove")
            if not at_home:
                home = self._place(self._home)
                self._bar(painter, min(home, handle), max(home, handle), 4, "accent")
                painter.setBrush(look.colour("border"))
                painter.drawRoundedRect(QRectF(home - 1, middle - look.px(6), 2, look.px(12)), 1, 1)
            radius = look.px(HANDLE) / 2
            if at_home:
                painter.setPen(QPen(look.colour("soft"), 1.6))
                painter.setBrush(look.colour("panel"))
                radius -= 0.8
            else:
                painter.setBrush(look.colour("accent"))
            painter.drawEllipse(QPointF(handle, middle), radius, radius)

    def _bar(self, painter: QPainter, left: float, right: float, thick: int, token: str) -> None:
        thick = self._look.px(thick)
        painter.setBrush(self._look.colour(token))
        painter.drawRoundedRect(QRectF(left, (self.height() - thick) / 2, right - left, thick), thick / 2, thick / 2)
