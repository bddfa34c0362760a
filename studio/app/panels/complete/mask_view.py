"""Shows a picture with its hole hatched and its temperature map tinted."""

import functools

import numpy as np
from PySide6.QtCore import QLine, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen

from studio.app.core.guard import guarded
from studio.app.panels.complete import mask as masks
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

COOL_COLOUR = QColor("#3B6FB6")
NEUTRAL_COLOUR = QColor("#808080")
WARM_COLOUR = QColor("#D9772B")
OPACITY = 0.45
"""Of the temperature over the picture."""
CONTOUR = 25
"""Hundredths of temperature between two contour lines."""
_MOVES = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
    Qt.Key.Key_PageUp: (0, -8),
    Qt.Key.Key_PageDown: (0, 8),
}


class MaskView(PictureView):
    """Reports strokes on the picture. `stroke_started` and `stroke_moved` carry positions (x, y) in its pixels.

    A gesture ends with `stroke_ended` or `stroke_cancelled`. The arrow keys move a cross, Enter paints there; with the
    row tool they move the line.
    """

    stroke_started = Signal(object)
    stroke_moved = Signal(object)
    stroke_ended = Signal()
    stroke_cancelled = Signal()
    row_moved = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Your picture, with the hole to fill")
        self._mask: Array = np.zeros((1, 1), bool)
        self._temperature_map: Array = np.full((1, 1), masks.NEUTRAL, np.uint8)
        self._tool, self._size = "brush", 5
        self._stroke_active = False
        self._cross: tuple[float, float] | None = None
        """The position of the pointer or of the cross."""
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def show_mask(self, mask: Array) -> None:
        self._mask = mask
        first, rest = masks.mask_caption(mask)
        self.setAccessibleDescription(f"{first} {rest}")
        self.update()

    def show_temperature_map(self, temperature_map: Array) -> None:
        self._temperature_map = temperature_map
        self.update()

    def show_tool(self, tool: str) -> None:
        self._tool = tool
        self.update()

    def show_size(self, size: int) -> None:
        self._size = size
        self.update()

    # ── mouse and keys ───────────────────────────────────────────────────────────────────────────

    def widget_position(self, x: float, y: float) -> QPointF:
        """Return the position in this widget of a position in the picture."""
        rect = self._rect
        scale = self.pixel_size()
        ratio = self.devicePixelRatioF()
        return QPointF((rect.x() + x * scale) / ratio, (rect.y() + y * scale) / ratio)

    def _place_at(self, at: QPointF) -> tuple[float, float]:
        rect = self._rect
        scale = self.pixel_size()
        ratio = self.devicePixelRatioF()
        return (at.x() * ratio - rect.x()) / scale, (at.y() * ratio - rect.y()) / scale

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
        elif self.shown_picture is not None:
            self._stroke_active = True
            self._cross = self._place_at(event.position())
            self.stroke_started.emit(self._cross)

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._cross = self._place_at(event.position())
        if self._stroke_active:
            self.stroke_moved.emit(self._cross)
        else:
            super().mouseMoveEvent(event)
        self.update()

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self._end_stroke()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        unmodified = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if key == Qt.Key.Key_Escape and self._stroke_active:
            self._stroke_active = False
            self.stroke_cancelled.emit()
        elif key in _MOVES and unmodified and self.shown_picture is not None:
            self._move_cross(*_MOVES[key], painting=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and unmodified and self._cross is not None:
            self._paint_way([self._cross])
        else:
            event.ignore()

    def _move_cross(self, across: int, down: int, painting: bool) -> None:
        """Move the cross, or the line of the row tool. With Shift, the tool paints on the way."""
        if self._tool == "rows":
            self.row_moved.emit(down)
            return
        height, width = self._mask.shape
        x, y = self._cross if self._cross is not None else (width // 2 + 0.5, height // 2 + 0.5)
        there = (min(max(x + across, 0.5), width - 0.5), min(max(y + down, 0.5), height - 0.5))
        if painting:
            self._paint_way([(x, y), there])
        self._cross = there
        self.update()

    def _paint_way(self, way: list[tuple[float, float]]) -> None:
        self.stroke_started.emit(way[0])
        for at in way[1:]:
            self.stroke_moved.emit(at)
        self.stroke_ended.emit()

    def _end_stroke(self) -> None:
        if self._stroke_active:
            self._stroke_active = False
            self.stroke_ended.emit()

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.shown_picture is None or self._mask.shape != self.shown_picture.shape[:2]:
            return
        with QPainter(self) as painter:
            ratio = self.devicePixelRatioF()
            painter.scale(1 / ratio, 1 / ratio)
            painter.setClipRect(self._rect)
            self._paint_hole(painter)
            self._paint_temperature_map(painter)
            self._paint_line(painter)
            self._paint_tool(painter)

    def _paint_hole(self, painter: QPainter) -> None:
        """Fill the hole with hatching, which no picture contains, and draw a hairline around it."""
        if not self._mask.any():
            return
        theme = self._theme
        hole = QImage(self._rect.size(), QImage.Format.Format_ARGB32_Premultiplied)
        hole.fill(Qt.GlobalColor.transparent)
        with QPainter(hole) as inside:
            inside.drawImage(hole.rect(), _alpha_image(self._mask))
            inside.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
            inside.fillRect(hole.rect(), theme.colour("window"))
            inside.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceAtop)
            inside.fillRect(hole.rect(), QBrush(_hatching_tile(theme.scaled(8), theme.tokens.groove)))
        painter.drawImage(self._rect.topLeft(), hole)
        self._paint_contour(painter, self._mask, QPen(theme.colour("border"), 1))

    def _paint_temperature_map(self, painter: QPainter) -> None:
        if bool((self._temperature_map == masks.NEUTRAL).all()):
            return
        if self._tool == "temperature":  # other tools show the picture without the map
            painter.setOpacity(OPACITY)
            painter.drawImage(self._rect, _temperature_image(self._temperature_map))
            painter.setOpacity(1.0)
        around = QPen(Qt.GlobalColor.black, 3)  # visible on any picture
        self._paint_contour(
            painter,
            (self._temperature_map.astype(int) + CONTOUR // 2) // CONTOUR,
            around,
            QPen(Qt.GlobalColor.white, 1),
        )

    def _paint_contour(self, painter: QPainter, layer: Array, *pens: QPen) -> None:
        """Draw the lines between neighbours that differ, with one pen after another."""
        lines = [line.translated(self._rect.topLeft()) for line in contour_lines(layer, self.pixel_size())]
        for pen in pens:
            painter.setPen(pen)
            painter.drawLines(lines)

    def _paint_line(self, painter: QPainter) -> None:
        """Draw the line of the row tool, and on its tab the number of rows that are kept."""
        row = masks.first_row(self._mask)
        if row is None or self._tool != "rows":
            return
        theme = self._theme
        y = self._rect.y() + row * self.pixel_size()
        ratio = self.devicePixelRatioF()
        painter.fillRect(QRectF(self._rect.x(), y - ratio, self._rect.width(), 2 * ratio), theme.colour("accent"))
        wide = round(theme.scaled(84) * ratio)
        high = round(theme.scaled(26) * ratio)
        left = self._rect.right() + 1 - wide
        top = min(max(y - high // 2, self._rect.y()), self._rect.bottom() + 1 - high)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent"))
        painter.drawRoundedRect(QRectF(left, top, wide, high), theme.scaled(6), theme.scaled(6))
        font = theme.font(12, 600)
        font.setPixelSize(round(font.pixelSize() * ratio))
        painter.setFont(font)
        painter.setPen(theme.colour("on_accent"))
        painter.drawText(QRect(left, top, wide, high), Qt.AlignmentFlag.AlignCenter, f"row {row}")

    def _paint_tool(self, painter: QPainter) -> None:
        """Outline the pixels that the tool would cover."""
        if self._cross is None or not (self.underMouse() or self.hasFocus()) or self._tool == "rows":
            return
        size = 1 if self._tool == "rectangle" else self._size
        radius = max(size, 1) / 2 * self.pixel_size()
        scale = self.pixel_size()
        middle = QPointF(self._rect.x() + self._cross[0] * scale, self._rect.y() + self._cross[1] * scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((Qt.GlobalColor.black, 3), (Qt.GlobalColor.white, 1)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(middle, radius, radius)


def contour_lines(layer: Array, scale: int) -> list[QLine]:
    """Return lines between neighbours of `layer` that differ, in device pixels."""
    lines = []
    for y, x in np.argwhere(layer[1:] != layer[:-1]):
        lines.append(QLine(int(x) * scale, int(y + 1) * scale, int(x + 1) * scale, int(y + 1) * scale))
    for y, x in np.argwhere(layer[:, 1:] != layer[:, :-1]):
        lines.append(QLine(int(x + 1) * scale, int(y) * scale, int(x + 1) * scale, int(y + 1) * scale))
    return lines


def _alpha_image(mask: Array) -> QImage:
    """Return an image that is opaque for marked pixels."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = 255
    return _rgba_image(pixels)


def _temperature_image(heat: Array) -> QImage:
    """Return the temperature map in colours, from calm to wild."""
    share = np.clip((heat.astype(np.float32) - masks.NEUTRAL) / masks.NEUTRAL, -1, 1)[..., None]
    even, calm, wild = (
        np.array([c.red(), c.green(), c.blue()], np.float32) for c in (NEUTRAL_COLOUR, COOL_COLOUR, WARM_COLOUR)
    )
    tint = even + np.abs(share) * np.where(share < 0, calm - even, wild - even)
    return _rgba_image(np.concatenate([tint, np.full_like(share, 255)], -1).astype(np.uint8))


def _rgba_image(pixels: Array) -> QImage:
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


@functools.lru_cache(maxsize=8)
def _hatching_tile(step: int, colour: str) -> QImage:
    """Return a tile of diagonal lines."""
    tile = QImage(step, step, QImage.Format.Format_ARGB32_Premultiplied)
    tile.fill(Qt.GlobalColor.transparent)
    with QPainter(tile) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colour), 1))
        for shift in (-step, 0, step):
            painter.drawLine(QPointF(shift, step), QPointF(shift + step, 0))
    return tile
