"""Shows the whole photo, and a frame around the part that the model will see."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.files.importing import CropPreview
from studio.app.widgets.picture import to_image
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

Box = tuple[float, float, float, float]
MAX_SIDE = 2048
"""Pixels. A photo of 64 megapixels is reduced to this before Qt scales it smoothly."""
CORNER_SIZE = 14
MIN_SIDE = 0.05
"""The smallest side of the frame, as a share of the photo's shorter side."""


def centred_crop(width: int, height: int, aspect: float) -> Box:
    """Return the largest centred frame with an aspect (width / height), as fractions."""
    across = min(width, height * aspect)
    down = across / aspect
    x = (1 - across / width) / 2
    y = (1 - down / height) / 2
    return x, y, 1 - x, 1 - y


class CropView(QWidget):
    """Edits the frame. `cropped` carries it as fractions (left, top, right, bottom)."""

    cropped = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._preview: CropPreview | None = None
        self._image = QImage()
        self._aspect = 1.0
        self._box: Box = (0.0, 0.0, 1.0, 1.0)
        self._held: tuple[QPointF, Box, bool] | None = None
        self.setAccessibleName("Your picture, with the frame to crop it")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        theme.changed.connect(self.update)

    def show_preview(self, preview: CropPreview | None) -> None:
        if preview is not None:
            if self._preview is None or self._preview.picture is not preview.picture:
                self._image = _reduced(preview.picture.array)
            model_shape = preview.model_input.shape
            self._aspect = model_shape[1] / model_shape[0]
            height, width = preview.picture.array.shape[:2]
            if self._held is None:
                self._box = preview.box or centred_crop(width, height, self._aspect)
        self._preview = preview
        self.update()

    @property
    def crop_box(self) -> Box:
        return self._box

    @guarded(QSize(64, 64))
    def minimumSizeHint(self) -> QSize:
        return QSize(64, 64)

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._preview is not None and self._preview.mode == "crop":
            at = self._to_photo(event.position())
            self._held = (at, self._box, self._on_corner(event.position()))

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            free = self._preview is None or self._preview.mode != "crop"
            shape = (
                Qt.CursorShape.SizeFDiagCursor if self._on_corner(event.position()) else Qt.CursorShape.SizeAllCursor
            )
            self.setCursor(Qt.CursorShape.ArrowCursor if free else shape)
            return
        start, (left, top, right, bottom), corner = self._held
        at = self._to_photo(event.position())
        if corner:
            self._set_box(_resized_box((left, top), at.x() - left, self._limits(), self._ratio()))
        else:
            self._set_box(_moved_box((left, top, right, bottom), at.x() - start.x(), at.y() - start.y()))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = 0.01 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.05
        moves = {
            Qt.Key.Key_Left: (-step, 0.0),
            Qt.Key.Key_Right: (step, 0.0),
            Qt.Key.Key_Up: (0.0, -step),
            Qt.Key.Key_Down: (0.0, step),
        }
        sizes = {Qt.Key.Key_PageUp: 1.1, Qt.Key.Key_PageDown: 1 / 1.1}
        key = Qt.Key(event.key())
        (left, top, right, _) = self._box
        if self._preview is not None and self._preview.mode == "crop" and key in moves:
            self._set_box(_moved_box(self._box, *moves[key]))
        elif self._preview is not None and self._preview.mode == "crop" and key in sizes:
            self._set_box(_resized_box((left, top), (right - left) * sizes[key], self._limits(), self._ratio()))
        else:
            event.ignore()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        if self._preview is None:
            return
        theme = self._theme
        place = self._picture_rect()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, self._image)
            if self._preview.mode != "crop":
                return
            frame = self._crop_rect()
            cover_colour = theme.colour("canvas")
            cover_colour.setAlpha(170)
            for part in _around(place, frame):
                painter.fillRect(part, cover_colour)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRect(frame.adjusted(-1, -1, 1, 1))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent"))
            painter.drawRect(QRectF(frame.right() - 5, frame.bottom() - 5, 10, 10))

    def _set_box(self, box: Box) -> None:
        if box != self._box:
            self._box = box
            self.update()
            self.cropped.emit(box)

    def _picture_rect(self) -> QRectF:
        """Return the rectangle of the photo."""
        margin = self._theme.scaled(24)
        space = QRectF(self.rect()).adjusted(margin, margin, -margin, -margin)
        assert self._preview is not None
        height, width = self._preview.picture.array.shape[:2]
        size = QSize(width, height).scaled(space.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(space.center())
        return place

    def _crop_rect(self) -> QRectF:
        place = self._picture_rect()
        (left, top, right, bottom) = self._box
        return QRectF(
            place.x() + left * place.width(),
            place.y() + top * place.height(),
            (right - left) * place.width(),
            (bottom - top) * place.height(),
        )

    def _ratio(self) -> float:
        """Return how much taller the frame gets for each fraction that it gets wider."""
        assert self._preview is not None
        height, width = self._preview.picture.array.shape[:2]
        return float(width / self._aspect / height)

    def _limits(self) -> tuple[float, float]:
        left, top, _, _ = self._box
        return MIN_SIDE, min(1 - left, (1 - top) / self._ratio())

    def _to_photo(self, at: QPointF) -> QPointF:
        place = self._picture_rect()
        return QPointF((at.x() - place.x()) / place.width(), (at.y() - place.y()) / place.height())

    def _on_corner(self, at: QPointF) -> bool:
        if self._preview is None:
            return False
        corner = self._crop_rect().bottomRight()
        return abs(at.x() - corner.x()) <= CORNER_SIZE and abs(at.y() - corner.y()) <= CORNER_SIZE


def _reduced(array: Array) -> QImage:
    step = max(1, max(array.shape[:2]) // MAX_SIDE)
    return to_image(array[::step, ::step])


def _moved_box(box: Box, by_x: float, by_y: float) -> Box:
    left, top, right, bottom = box
    by_x = min(max(by_x, -left), 1 - right)
    by_y = min(max(by_y, -top), 1 - bottom)
    return left + by_x, top + by_y, right + by_x, bottom + by_y


def _resized_box(corner: tuple[float, float], width: float, limits: tuple[float, float], ratio: float) -> Box:
    width = min(max(width, limits[0]), limits[1])
    return corner[0], corner[1], corner[0] + width, corner[1] + width * ratio


def _around(outer: QRectF, inner: QRectF) -> list[QRectF]:
    return [
        QRectF(outer.left(), outer.top(), outer.width(), inner.top() - outer.top()),
        QRectF(outer.left(), inner.bottom(), outer.width(), outer.bottom() - inner.bottom()),
        QRectF(outer.left(), inner.top(), inner.left() - outer.left(), inner.height()),
        QRectF(inner.right(), inner.top(), outer.right() - inner.right(), inner.height()),
    ]
