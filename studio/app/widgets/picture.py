"""Shows a picture as large as possible: crisp in whole device pixels, or smooth."""

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.theme import Theme
from studio.media.pictures.enlarging import enlarge_smoothly
from studio.wire.messages import Array

MIN_WIDTH = 480
"""Logical pixels of a caption; it may be wider than a small picture."""


class CaptionedPicture(QWidget):
    """Shows a picture with a caption. The picture gets all the space that the caption leaves."""

    def __init__(self, theme: Theme, name: str, caption: QWidget, narrowest: int = MIN_WIDTH) -> None:
        super().__init__()
        self._theme = theme
        self._narrowest = narrowest
        self.view = PictureView(theme, name)
        self.view.setParent(self)
        self._caption = caption
        caption.setParent(self)
        self.view.placed.connect(self._below)
        theme.changed.connect(self.update_layout)

    def update_layout(self) -> None:
        """Place the picture and the caption after a change of size or of its height."""
        px = self._theme.scaled
        is_high = self.height() >= px(640)
        top = px(24 if is_high else 6)
        gap = px(12 if is_high else 6)
        caption = self._caption.sizeHint().height()
        self.view.setGeometry(0, top, self.width(), max(64, self.height() - top - caption - gap - px(8)))
        self._below(self.view.shown_rect())

    def _below(self, shown: QRect) -> None:
        px = self._theme.scaled
        width = min(max(shown.width(), px(self._narrowest)), self.width() - px(24))
        left = max(px(12), min(shown.center().x() - width // 2 + 1, self.width() - width - px(12)))
        height = self._caption.sizeHint().height()
        bottom = self.view.y() + min(shown.bottom() + 1, self.view.height())
        gap = px(12 if self.height() >= px(640) else 4)
        self._caption.setGeometry(left, min(bottom + gap, self.height() - height), width, height)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update_layout()


CLICK_DISTANCE = 4
"""Pixels that the mouse may move while it clicks."""


def to_image(array: Array) -> QImage:
    """Return a picture (height, width, channels) uint8 as a QImage, which owns its pixels."""
    array = np.ascontiguousarray(array)
    height, width, channels = array.shape
    image_format = QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    return QImage(array.data, width, height, width * channels, image_format).copy()


def enlarged_pixmap(array: Array, height: int, width: int) -> QPixmap:
    """Return a picture with every pixel as a square, in device pixels.

    A painter takes half as long for it as `QImage.scaled` (tests/benchmarks/previews.py).
    """
    pixmap = QPixmap(width, height)
    with QPainter(pixmap) as painter:
        painter.drawPixmap(pixmap.rect(), QPixmap.fromImage(to_image(array)))
    return pixmap


def blended_pixmap(array: Array, height: int, width: int) -> QPixmap:
    """Return a picture with its pixels blended, in device pixels."""
    return QPixmap.fromImage(to_image(enlarge_smoothly(array, height, width)))


def draw_crisp(painter: QPainter, x: float, y: float, pixmap: QPixmap) -> None:
    """Draw at the nearest whole device pixel, so that every pixel stays a square."""
    ratio = pixmap.devicePixelRatio()
    painter.drawPixmap(QPointF(round(x * ratio) / ratio, round(y * ratio) / ratio), pixmap)


def largest_multiple(space: int, pixels: int) -> int:
    """Return the most device pixels that each pixel can have."""
    return max(1, space // max(pixels, 1))


class PictureView(QWidget):
    """Shows one picture. `placed` carries its rectangle, so that captions can stand below it."""

    placed = Signal(QRect)
    zoomed = Signal(int)
    """Device pixels for each pixel of the picture."""
    pixel_clicked = Signal(int, int)
    """Row and column of a pixel that was clicked."""
    pixel_hovered = Signal(object)
    """(row, column) of the pixel under the pointer, or None."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._array: Array | None = None
        self._painted: Array | None = None
        """The painted picture: the one that was set, or a map over it."""
        self._hovered: tuple[int, int] | None = None
        self._image = QImage()
        self._smooth = False
        self._zoom_steps = 0
        """Zoom steps beyond the largest multiple that fits."""
        self._pan = QPoint()
        self._held: QPoint | None = None
        self._pressed: QPointF | None = None
        """The point of the mouse press, until the mouse moves away from it."""
        self._drawn_rows: int | None = None
        self._rect = QRect()
        """The rectangle of the picture, in device pixels."""
        self._drawn: QImage | None = None
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        theme.changed.connect(self.update)

    def show_picture(self, array: Array | None, over: Array | None = None) -> None:
        """Show a picture, or `over` in its place, such as a map.

        Both are (height, width, channels) uint8.
        """
        before = self._array.shape if self._array is not None else None
        self._array = array
        self._painted = painted = array if over is None else over
        self._image = to_image(painted) if painted is not None else QImage()
        self._drawn = None
        if array is not None and array.shape != before:
            self._zoom_steps = 0
            self._pan = QPoint()
            self._update_rect()
        self.update()

    def show_rows(self, drawn: int | None) -> None:
        """Show the drawn rows only, and a line at the next one. None: all are drawn."""
        if drawn != self._drawn_rows:
            self._drawn_rows = drawn
            self.update()

    def show_smooth(self, smooth: bool) -> None:
        self._smooth = smooth
        self._drawn = None
        self.update()

    def zoom(self, by: int) -> None:
        """Zoom in by so many steps; 0 fits the picture into its space again."""
        self._zoom_steps = max(self._zoom_steps + by, 1 - self._update_zoom()) if by else 0
        if not by:
            self._pan = QPoint()
        self._update_rect()
        self.update()

    def pixel_size(self) -> int:
        """Return the device pixels for each pixel of the picture."""
        return self._update_zoom() + self._zoom_steps

    @property
    def shown_picture(self) -> Array | None:
        return self._array

    @property
    def hovered_pixel(self) -> tuple[int, int] | None:
        """Return (row, column) of the pixel under the pointer."""
        return self._hovered

    def shown_rect(self) -> QRect:
        """Return the rectangle of the picture, in logical pixels."""
        ratio = self.devicePixelRatioF()
        r = self._rect
        return QRect(round(r.x() / ratio), round(r.y() / ratio), round(r.width() / ratio), round(r.height() / ratio))

    def pixel_at(self, at: QPointF) -> tuple[int, int] | None:
        """Return row and column of the pixel at a point in this widget."""
        ratio = self.devicePixelRatioF()
        scale = self.pixel_size()
        column, row = (int(v // scale) for v in (at.x() * ratio - self._rect.x(), at.y() * ratio - self._rect.y()))
        inside = self._array is not None and 0 <= row < self._array.shape[0] and 0 <= column < self._array.shape[1]
        return (row, column) if inside else None

    def pixel_rect(self, row: int, column: int = 0, columns: int = 1) -> QRectF:
        """Return the rectangle of some pixels of a row in this widget."""
        ratio = self.devicePixelRatioF()
        scale = self.pixel_size()
        x = self._rect.x() + column * scale
        y = self._rect.y() + row * scale
        return QRectF(x / ratio, y / ratio, columns * scale / ratio, scale / ratio)

    @guarded(QSize(64, 64))
    def minimumSizeHint(self) -> QSize:
        return QSize(64, 64)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._update_rect()

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._held = event.position().toPoint() - self._pan
        self._pressed = event.position() if event.button() == Qt.MouseButton.LeftButton else None

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and (event.position() - self._pressed).manhattanLength() > CLICK_DISTANCE:
            self._pressed = None
        if self._held is not None and self._zoom_steps > 0:
            self._pan = event.position().toPoint() - self._held
            self._update_rect()
            self.update()
        self._set_hovered(self.pixel_at(event.position()))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        pixel = self.pixel_at(self._pressed) if self._pressed is not None else None
        self._pressed = None
        if pixel is not None:
            self.pixel_clicked.emit(*pixel)

    @guarded(None)
    def leaveEvent(self, event: QEvent) -> None:
        self._set_hovered(None)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        if self._painted is None:
            return
        ratio = self.devicePixelRatioF()
        with QPainter(self) as painter:
            painter.scale(1 / ratio, 1 / ratio)
            if not self._smooth:
                painter.drawImage(self._rect, self._image)
            else:
                if self._drawn is None or self._drawn.size() != self._rect.size():
                    self._drawn = to_image(enlarge_smoothly(self._painted, self._rect.height(), self._rect.width()))
                painter.drawImage(self._rect.topLeft(), self._drawn)
            if self._drawn_rows is not None and self._drawn_rows < self._painted.shape[0]:
                rest = self._rect.adjusted(0, self._drawn_rows * self.pixel_size(), 0, 0)
                painter.fillRect(rest, self._theme.colour("window"))
                line = QRect(rest.topLeft(), QSize(rest.width(), round(2 * ratio)))
                painter.fillRect(line, self._theme.colour("accent"))

    def _set_hovered(self, pixel: tuple[int, int] | None) -> None:
        if pixel != self._hovered:
            self._hovered = pixel
            self.pixel_hovered.emit(pixel)

    def _update_zoom(self) -> int:
        if self._array is None:
            return 1
        ratio = self.devicePixelRatioF()
        (height, width) = self._array.shape[:2]
        return min(
            largest_multiple(int(self.width() * ratio), width), largest_multiple(int(self.height() * ratio), height)
        )

    def _update_rect(self) -> None:
        if self._array is None:
            return
        ratio = self.devicePixelRatioF()
        scale = self.pixel_size()
        height, width = (side * scale for side in self._array.shape[:2])
        across = int(self.width() * ratio)
        down = int(self.height() * ratio)
        x = (across - width) // 2
        y = (down - height) // 2
        reach_x = max(0, -x)
        reach_y = max(0, -y)
        pan_x, pan_y = (round(p * ratio) for p in (self._pan.x(), self._pan.y()))
        place = QRect(x + min(max(pan_x, -reach_x), reach_x), y + min(max(pan_y, -reach_y), reach_y), width, height)
        if place != self._rect:
            self._rect = place
            self._drawn = None
            self.placed.emit(self.shown_rect())
            self.zoomed.emit(scale)
