"""Shows which bits the colours of a map stand for."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.picture import to_image
from studio.app.widgets.theme import Theme
from studio.media.pictures.surprisal_map import ColourScale, bits_text, format_bits_value

WIDTH = 252
NARROW_WIDTH = 128
HEIGHT = 36
BAR = 10
HANDLE = 18
HIT_SIZE = 28
"""Pixels: the height of the colours and of a handle, and a handle's grab width."""
_NONE = ColourScale(0.0, 1.0, 0.0, 1.0, False)
"""The scale of the drawn colours until there is a map."""


class ColourLegend(QWidget):
    """Shows the colours with their bits. Both ends can be dragged.

    `moved` carries both ends, `reset_requested` asks for the range of the maps.
    """

    moved = Signal(float, float)
    reset_requested = Signal()

    def __init__(self, theme: Theme, name: str = "Surprise") -> None:
        super().__init__()
        self._theme = theme
        self._scale: ColourScale | None = None
        self._hovered_bits: float | None = None
        self._held: tuple[int, ColourScale] | None = None
        """The end that is dragged, 0 or 1, and the scale before the drag."""
        self._width = WIDTH
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        set_tooltip(self, "Drag an end to set the range. Double click to reset it")
        theme.changed.connect(self.updateGeometry)
        self._describe()

    def bind_state(self, state: SurprisalMaps | UncertaintyMaps) -> None:
        """Show and set the scale of this state."""
        bind(self, state.scale, self.show_scale, self.moved, state.set_range)
        bind(self, state.hovered_bits, self.show_hovered)
        self.reset_requested.connect(state.fit_scale)

    def show_scale(self, scale: ColourScale | None) -> None:
        self._scale = scale
        self._describe()

    def show_hovered(self, bits: float | None) -> None:
        """Show the bits of the pixel under the pointer."""
        self._hovered_bits = bits
        self._describe()

    def set_narrow(self, narrow: bool) -> None:
        self._width = NARROW_WIDTH if narrow else WIDTH
        self.updateGeometry()

    @property
    def caption_texts(self) -> tuple[str, ...]:
        """Return the text right below the colours, and a shorter version of it."""
        return self._scale.description if self._scale is not None else ("bits a pixel",)

    def position_of(self, bits: float) -> float:
        """Return the position of these bits in the widget."""
        left = self._left()
        right = self._right()
        if self._scale is None:
            return left
        share = (bits - self._scale.least) / (self._scale.most - self._scale.least)
        return left + min(max(share, 0.0), 1.0) * (right - left)

    # ── events ───────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        scale = self._scale
        x = event.position().x()
        if scale is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        distances = [abs(x - self.position_of(bits)) for bits in (scale.low, scale.high)]
        end = int(distances[1] < distances[0] or (distances[0] == distances[1] and x > self.position_of(scale.high)))
        if distances[end] <= self._theme.scaled(HIT_SIZE) / 2:
            self._held = end, scale

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None and self._scale is not None:
            share = (event.position().x() - self._left()) / (self._right() - self._left())
            self._set(self._held[0], self._scale.least + share * (self._scale.most - self._scale.least))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._held = None
        self.reset_requested.emit()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        scale = self._scale
        if scale is not None and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            end = int(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
            step = scale.step if key == Qt.Key.Key_Right else -scale.step
            self._set(end, (scale.low, scale.high)[end] + step)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.reset_requested.emit()
        elif key == Qt.Key.Key_Escape and self._held is not None:
            before = self._held[1]
            self._held = None
            self.moved.emit(before.low, before.high)
        else:
            event.ignore()

    def _set(self, end: int, bits: float) -> None:
        if self._scale is None:
            return
        gap = self._scale.step / 2
        if end:
            self.moved.emit(self._scale.low, max(bits, self._scale.low + gap))
        else:
            self.moved.emit(min(bits, self._scale.high - gap), self._scale.high)

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    @guarded(QSize(WIDTH, HEIGHT))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(self._width), self._theme.scaled(HEIGHT))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        scale = self._scale
        left = self._left()
        right = self._right()
        bar = QRectF(left, theme.scaled((HANDLE - BAR) / 2), right - left, theme.scaled(BAR))
        wide = max(2, round(bar.width() * self.devicePixelRatioF()))
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.drawImage(bar, to_image((scale or _NONE).draw_legend(wide)))
            painter.setPen(QPen(theme.colour("border"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(bar, theme.scaled(2), theme.scaled(2))
            if scale is not None:
                for bits in (scale.low, scale.high):
                    self._paint_handle(painter, self.position_of(bits))
                if self._hovered_bits is not None:
                    self._paint_pointer(painter, self.position_of(self._hovered_bits), bar.bottom())
            self._paint_caption(painter)

    def _paint_handle(self, painter: QPainter, x: float) -> None:
        theme = self._theme
        painter.setPen(QPen(theme.colour("window"), 1))
        painter.setBrush(theme.colour("text"))
        wide = theme.scaled(4)
        painter.drawRoundedRect(QRectF(x - wide / 2, 0.5, wide, theme.scaled(HANDLE) - 1), 1.5, 1.5)

    def _paint_pointer(self, painter: QPainter, x: float, top: float) -> None:
        side = self._theme.scaled(5)
        painter.setPen(QPen(self._theme.colour("window"), 1))
        painter.setBrush(self._theme.colour("text"))
        painter.drawPolygon(QPolygonF([QPointF(x, top - side), QPointF(x - side, top + 3), QPointF(x + side, top + 3)]))

    def _paint_caption(self, painter: QPainter) -> None:
        theme = self._theme
        below = self._theme.scaled(HANDLE + 1)
        row = QRectF(0, below, self.width(), self.height() - below)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("soft"))
        if self._scale is not None:
            painter.drawText(row, int(middle | Qt.AlignmentFlag.AlignLeft), format_bits_value(self._scale.low))
        space = self.width() - theme.scaled(32)
        caption = next(
            (w for w in self.caption_texts if painter.fontMetrics().horizontalAdvance(w) <= space),
            self.caption_texts[-1],
        )
        if self._hovered_bits is not None:
            painter.setFont(theme.font(12, 600))
            painter.setPen(theme.colour("text"))
            caption = bits_text(self._hovered_bits)
        painter.drawText(row, int(middle | Qt.AlignmentFlag.AlignRight), caption)

    def _left(self) -> float:
        return float(self._theme.scaled(2))

    def _right(self) -> float:
        return float(self.width() - self._theme.scaled(2))

    def _describe(self) -> None:
        low = f"{format_bits_value(self._scale.low)} to " if self._scale is not None else ""
        hovered = self._hovered_bits
        hovered_text = f"; under pointer {format_bits_value(hovered)}" if hovered is not None else ""
        self.setAccessibleDescription(f"{low}{self.caption_texts[0]}{hovered_text}")
        self.update()
