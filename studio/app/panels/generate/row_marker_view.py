"""The row marker: a slider on the picture's edge that says from which row a picture goes on."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSlider

from studio.app.core.guard import guarded
from studio.app.widgets.controls import handle_wheel_if_focused, set_tooltip
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme

TAB, CAUGHT = 28, 28
"""Logical pixels: how high the tab is, and over how much the line is caught."""
DIMMED = 0.35
"""How much of the picture is left to see below the marker."""
PAGE = 8
_STEPS = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -PAGE,
    Qt.Key.Key_PageDown: PAGE,
}


class RowMarker(QSlider):
    """Lies over a picture; its value is how many rows are kept. `moved` carries each row that the hand sets, `grabbed`
    and `let_go` frame a drag; `go_on` asks for the rest to be drawn, which letting go never does."""

    grabbed = Signal()
    moved = Signal(int)
    let_go = Signal()
    go_on = Signal()

    def __init__(self, look: Theme, view: PictureView) -> None:
        super().__init__(Qt.Orientation.Vertical, view)
        self._look, self._view = look, view
        self._showing = False
        self._before: int | None = None
        """The row at the press, while a drag goes on."""
        self._grip = 0.0
        self._armed, self._drawing = False, False
        self._imposed: Sequence[tuple[int, int, QColor]] = ()
        self._cursor: tuple[int, int] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        set_tooltip(self, "Drag it up, and let the picture go on from there", "W")
        self.valueChanged.connect(self._tell)
        view.placed.connect(self._follow)
        look.changed.connect(self.update)
        self.hide()

    def show_row(self, row: int, rows: int, armed: bool, imposed: Sequence[tuple[int, int, QColor]]) -> None:
        """What the state says. Armed, what lies below is dimmed but for the imposed pixels (row, column, colour)."""
        self._armed, self._imposed = armed, imposed
        self._showing = True
        self.setRange(0, rows)
        self.setValue(row)
        self._showing = False
        self.setAccessibleName(f"Rewind, row {row} of {rows}")
        count = len(imposed)
        self.setAccessibleDescription(f"{count} pixel{'s' if count > 1 else ''} imposed" if count else "")
        self._follow()
        self.update()

    def show_drawing(self, drawing: bool) -> None:
        """While the rest is being drawn, the line is at the row being drawn, and no hand moves it."""
        self._drawing = drawing
        self.update()

    def show_cursor(self, pixel: tuple[int, int] | None) -> None:
        """The pixel whose colour is being chosen."""
        self._cursor = pixel
        self.update()

    def rect_shown(self) -> QRect:
        """Where the tab lies: what a ring goes round."""
        return self._tab().toRect()

    @guarded(QSize(64, 64))
    def sizeHint(self) -> QSize:
        return self._view.size()

    # ── the hand ─────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._caught(event.position()):
            event.ignore()
            return
        self._before, self._grip = self.value(), event.position().y() - self._line()
        self.grabbed.emit()
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._before is None:
            if self._caught(event.position()):
                self.setCursor(Qt.CursorShape.SplitVCursor)
            else:
                self.unsetCursor()
            event.ignore()
            return
        row = self._view.pixel_rect(0)
        self.setValue(round((event.position().y() - self._grip - row.y()) / row.height()))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._before is None:
            event.ignore()
        self._release()

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape and self._before is not None:
            self.setValue(self._before)
            self._release()
        elif self._drawing or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            event.ignore()
        elif key in _STEPS:
            self.setValue(self.value() + _STEPS[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.setValue(0 if key == Qt.Key.Key_Home else self.maximum())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.go_on.emit()
        else:
            event.ignore()

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel_if_focused(self, event, self._turn)

    def _turn(self, event: QWheelEvent) -> None:
        if not self._drawing:
            self.setValue(self.value() - round(event.angleDelta().y() / 120))
        event.accept()

    def _release(self) -> None:
        if self._before is not None:
            self._before = None
            self.let_go.emit()

    def _tell(self) -> None:
        if not self._showing:
            self.moved.emit(self.value())

    def _caught(self, at: QPointF) -> bool:
        near = abs(at.y() - self._line()) <= self._look.scaled(CAUGHT) / 2
        inside = self._view.shown_rect().left() <= at.x() <= self._view.shown_rect().right()
        return not self._drawing and (self._tab().contains(at) or (near and inside and self._armed))

    # ── the looks ────────────────────────────────────────────────────────────────────────────────

    def _follow(self) -> None:
        self.setGeometry(self._view.rect())

    def _line(self) -> float:
        """Between the rows that are kept and the others, in this widget."""
        return self._view.pixel_rect(self.value()).y()

    def _words(self) -> str:
        return f"row {self.value()}" if self._armed or self._drawing or self.value() < self.maximum() else "rewind"

    def _tab(self) -> QRectF:
        """Beside the picture where there is room, else on its edge."""
        px, shown = self._look.scaled, QRectF(self._view.shown_rect())
        widest = QFontMetrics(self._look.font(13, 600)).horizontalAdvance(f"row {self.maximum()}0")
        width = widest + px(16)
        left = shown.right() + 1 if shown.right() + width + px(4) <= self.width() else shown.right() - width
        top = min(max(self._line() - px(TAB) / 2, 0.0), self.height() - px(TAB) - 1.0)
        return QRectF(min(left, self.width() - width - 1), top, width, px(TAB))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, rows = self._look, self.maximum()
        with QPainter(self) as painter:
            if (self._armed or self._drawing) and self.value() < rows:
                self._dim(painter)
            if self._cursor is not None:
                self._outline(painter, *self._cursor)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._armed or self._drawing:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(look.colour("accent"))
            else:
                painter.setPen(QPen(look.colour("border"), 1))
                painter.setBrush(look.colour("raised"))
            tab = self._tab()
            painter.drawRoundedRect(tab.adjusted(0.5, 0.5, -0.5, -0.5), look.scaled(6), look.scaled(6))
            painter.setPen(look.colour("on_accent" if self._armed or self._drawing else "text"))
            painter.setFont(look.font(13, 600))
            painter.drawText(tab, Qt.AlignmentFlag.AlignCenter, self._words())

    def _dim(self, painter: QPainter) -> None:
        """What lies below fades into the ground, but for the pixels that were imposed."""
        shown, line = QRectF(self._view.shown_rect()), self._line()
        ground = self._look.colour("canvas")
        ground.setAlphaF(1 - DIMMED)
        painter.fillRect(QRectF(shown.left(), line, shown.width(), shown.bottom() + 1 - line), ground)
        for row, column, colour in self._imposed:
            if row >= self.value():
                painter.fillRect(self._view.pixel_rect(row, column), colour)
                self._outline(painter, row, column)
        painter.fillRect(QRectF(shown.left(), line - 1, shown.width(), 2), self._look.colour("accent"))

    def _outline(self, painter: QPainter, row: int, column: int) -> None:
        """Light within dark, so that it is seen on any colour; outside the pixel, so that none of it is covered."""
        place = self._view.pixel_rect(row, column)
        for grown, token in ((2.0, "on_accent"), (1.0, "accent")):
            painter.setPen(QPen(self._look.colour(token), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place.adjusted(-grown, -grown, grown - 1, grown - 1))
