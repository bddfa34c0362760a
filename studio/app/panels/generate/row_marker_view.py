"""Shows the row marker: a slider on the picture's edge that sets how many rows are kept."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSlider

from studio.app.core.guard import guarded
from studio.app.widgets.controls import handle_wheel_if_focused, set_tooltip
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme

TAB_SIZE = 28
HIT_SIZE = 28
"""Logical pixels: how high the tab is, and over how much the line is caught."""
DIM_OPACITY = 0.35
"""Opacity of the picture below the marker."""
PAGE_ROWS = 8
_STEPS = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -PAGE_ROWS,
    Qt.Key.Key_PageDown: PAGE_ROWS,
}


class RowMarker(QSlider):
    """Lies over a picture; its value is the number of kept rows.

    `moved` carries each row that the user sets, `grabbed` and `released` frame a drag. `continue_requested` asks for
    the rest to be drawn; releasing the mouse never does.
    """

    grabbed = Signal()
    moved = Signal(int)
    released = Signal()
    continue_requested = Signal()

    def __init__(self, theme: Theme, view: PictureView) -> None:
        super().__init__(Qt.Orientation.Vertical, view)
        self._theme, self._view = theme, view
        self._showing = False
        self._before: int | None = None
        """The row at the press during a drag."""
        self._grip = 0.0
        self._armed, self._drawing = False, False
        self._fixed_pixels: Sequence[tuple[int, int, QColor]] = ()
        self._cursor: tuple[int, int] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        set_tooltip(self, "Drag it up to continue the picture from there", "W")
        self.valueChanged.connect(self._describe)
        view.placed.connect(self._update_rect)
        theme.changed.connect(self.update)
        self.hide()

    def show_row(self, row: int, rows: int, armed: bool, fixed_pixels: Sequence[tuple[int, int, QColor]]) -> None:
        """Show the marker's state. If it is armed, dim the rows below it.

        Imposed pixels (row, column, colour) are not dimmed.
        """
        self._armed = armed
        self._fixed_pixels = fixed_pixels
        self._showing = True
        self.setRange(0, rows)
        self.setValue(row)
        self._showing = False
        self.setAccessibleName(f"Rewind, row {row} of {rows}")
        count = len(fixed_pixels)
        plural = "s" if count > 1 else ""
        self.setAccessibleDescription(f"{count} pixel{plural} imposed" if count else "")
        self._update_rect()
        self.update()

    def show_drawing(self, drawing: bool) -> None:
        """Show the line at the row being drawn. The marker cannot move until the picture is finished."""
        self._drawing = drawing
        self.update()

    def show_cursor(self, pixel: tuple[int, int] | None) -> None:
        """Show the pixel whose colour is being chosen."""
        self._cursor = pixel
        self.update()

    def shown_rect(self) -> QRect:
        """Return the rectangle of the tab, for the focus ring."""
        return self._tab_rect().toRect()

    @guarded(QSize(64, 64))
    def sizeHint(self) -> QSize:
        return self._view.size()

    # ── mouse and keys ───────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._hits_tab(event.position()):
            event.ignore()
            return
        self._before = self.value()
        self._grip = event.position().y() - self._line_y()
        self.grabbed.emit()
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._before is None:
            if self._hits_tab(event.position()):
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
            self.continue_requested.emit()
        else:
            event.ignore()

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel_if_focused(self, event, self._handle_wheel)

    def _handle_wheel(self, event: QWheelEvent) -> None:
        if not self._drawing:
            self.setValue(self.value() - round(event.angleDelta().y() / 120))
        event.accept()

    def _release(self) -> None:
        if self._before is not None:
            self._before = None
            self.released.emit()

    def _describe(self) -> None:
        if not self._showing:
            self.moved.emit(self.value())

    def _hits_tab(self, at: QPointF) -> bool:
        near = abs(at.y() - self._line_y()) <= self._theme.scaled(HIT_SIZE) / 2
        inside = self._view.shown_rect().left() <= at.x() <= self._view.shown_rect().right()
        return not self._drawing and (self._tab_rect().contains(at) or (near and inside and self._armed))

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    def _update_rect(self) -> None:
        self.setGeometry(self._view.rect())

    def _line_y(self) -> float:
        """Return the y of the line below the kept rows, in this widget."""
        return self._view.pixel_rect(self.value()).y()

    def _texts(self) -> str:
        return f"row {self.value()}" if self._armed or self._drawing or self.value() < self.maximum() else "rewind"

    def _tab_rect(self) -> QRectF:
        """Return the rectangle of the tab: beside the picture if there is room, else on its edge.

        It ends where the picture ends, so that it never covers the caption below.
        """
        px = self._theme.scaled
        shown = QRectF(self._view.shown_rect())
        widest = QFontMetrics(self._theme.font(13, 600)).horizontalAdvance(f"row {self.maximum()}0")
        width = widest + px(16)
        left = shown.right() + 1 if shown.right() + width + px(4) <= self.width() else shown.right() - width
        lowest = min(shown.bottom(), self.height() - 1.0) - px(TAB_SIZE)
        top = max(min(self._line_y() - px(TAB_SIZE) / 2, lowest), 0.0)
        return QRectF(min(left, self.width() - width - 1), top, width, px(TAB_SIZE))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        rows = self.maximum()
        with QPainter(self) as painter:
            if (self._armed or self._drawing) and self.value() < rows:
                self._paint_dimmed(painter)
            if self._cursor is not None:
                self._paint_outline(painter, *self._cursor)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._armed or self._drawing:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour("accent"))
            else:
                painter.setPen(QPen(theme.colour("border"), 1))
                painter.setBrush(theme.colour("raised"))
            tab = self._tab_rect()
            painter.drawRoundedRect(tab.adjusted(0.5, 0.5, -0.5, -0.5), theme.scaled(6), theme.scaled(6))
            painter.setPen(theme.colour("on_accent" if self._armed or self._drawing else "text"))
            painter.setFont(theme.font(13, 600))
            painter.drawText(tab, Qt.AlignmentFlag.AlignCenter, self._texts())

    def _paint_dimmed(self, painter: QPainter) -> None:
        """Dim the rows below the marker, except for imposed pixels."""
        shown = QRectF(self._view.shown_rect())
        line = self._line_y()
        ground = self._theme.colour("canvas")
        ground.setAlphaF(1 - DIM_OPACITY)
        painter.fillRect(QRectF(shown.left(), line, shown.width(), shown.bottom() + 1 - line), ground)
        for row, column, colour in self._fixed_pixels:
            if row >= self.value():
                painter.fillRect(self._view.pixel_rect(row, column), colour)
                self._paint_outline(painter, row, column)
        painter.fillRect(QRectF(shown.left(), line - 1, shown.width(), 2), self._theme.colour("accent"))

    def _paint_outline(self, painter: QPainter, row: int, column: int) -> None:
        """Draw a light line within a dark one, visible on any colour, outside the pixel."""
        place = self._view.pixel_rect(row, column)
        for grown, token in ((2.0, "on_accent"), (1.0, "accent")):
            painter.setPen(QPen(self._theme.colour(token), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place.adjusted(-grown, -grown, grown - 1, grown - 1))
