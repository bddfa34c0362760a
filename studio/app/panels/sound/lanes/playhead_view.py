"""Shows the playhead as a line over all lanes, with the cut and the ends of the region."""

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import ruler_time
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import THEMES, Theme
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE

UNITS_PER_SECOND = 100
"""Of the standard slider's whole numbers to a second."""
SPARE_OPACITY = 0.6
"""Opacity of the veil over the part that Play replaces."""
SMALL_STEP = 0.1
LARGE_STEP = 1.0
"""Seconds of an arrow, alone and with Shift."""


class Playhead(QSlider):
    """Is a slider without mouse events, which go to the lanes below it.

    `seek_requested` carries each second that a key asks for. `nudged` changes the temperature
    there, `delete_knot_requested` deletes the nearest knot.
    """

    seek_requested = Signal(float)
    nudged = Signal(int)
    delete_knot_requested = Signal()

    def __init__(self, theme: Theme, timeline: Timeline, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.timeline = timeline
        self._lines: tuple[float, ...] = ()
        self._spare = False
        self._lanes = QRect()
        self._picture = 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Cursor")
        timeline.moved.connect(self.update)
        timeline.marks_changed.connect(self._update_lines)

    def set_lanes(self, lanes: QRect, picture: int) -> None:
        """Set where the lines begin and end in this widget, and the height of the dark spectrogram above."""
        self._lanes = lanes
        self._picture = picture
        self.update()

    def describe_moment(self, temperature: float, bits: float | None, outside: bool) -> None:
        """Describe this moment for screen readers. `outside`: the temperature is outside the safe range."""
        time = self.timeline
        price = f", {bits:.1f} bits a sample" if bits is not None else ""
        warm = f"temperature {temperature:.2f}{', ' + OUTSIDE_SAFE_RANGE if outside else ''}"
        self.setAccessibleDescription(f"{time.position:.1f} of {time.made:.1f} seconds, {warm}{price}")

    def shown_rect(self) -> QRect:
        """Return the rectangle of the focus ring."""
        x = round(self._x_of(self.timeline.position))
        return QRect(x - 6, self._lanes.y(), 12, self._lanes.height())

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        time = self.timeline
        key = Qt.Key(event.key())
        far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        along = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(key, 0)
        if along:
            self.seek_requested.emit(
                min(max(time.position + along * (LARGE_STEP if far else SMALL_STEP), 0.0), time.made)
            )
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.nudged.emit(1 if key == Qt.Key.Key_Up else -1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            step = time.length / 2 * (1 if key == Qt.Key.Key_PageUp else -1)
            self.seek_requested.emit(min(max(time.position + step, 0.0), time.made))
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_knot_requested.emit()
        else:
            event.ignore()

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    def _x_of(self, seconds: float) -> float:
        return self._lanes.x() + self.timeline.x_of(seconds)

    def _update_lines(self) -> None:
        """Redraw the lines at their old and new positions, and describe the moment."""
        time = self.timeline
        self.setRange(0, round(time.made * UNITS_PER_SECOND))
        self.setValue(round(time.position * UNITS_PER_SECOND))
        lines = (time.position, time.cut or 0.0, *(time.loop or ()))
        for at in {*lines} ^ {*self._lines}:
            self.update(QRect(round(self._x_of(at)) - 4, 0, 8, self.height()))
        if (self._lines[1:], self._spare) != (lines[1:], time.spare):
            self.update()
        self._lines = lines
        self._spare = time.spare

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        time = self.timeline
        lanes = self._lanes
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if time.spare and time.cut is not None:
                self._paint_veil(painter, time.cut)
            if time.loop is not None:
                for at in time.loop:
                    self._paint_line(painter, at, "accent" if time.looping else "soft", 1.0, dashed=True)
            if time.cut is not None:
                self._paint_line(painter, time.cut, "text", 2.0)
                self._paint_tag(painter, time.cut)
            self._paint_line(painter, time.position, "accent", 2.0)
            x = self._x_of(time.position)
            if lanes.left() - 1 <= x <= lanes.right() + 1:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._picture_colour("accent"))
                side = theme.scaled(5)
                painter.drawEllipse(QRectF(x - side, lanes.y() - side, 2 * side, 2 * side))

    def _paint_veil(self, painter: QPainter, seconds: float) -> None:
        """Darken the part behind the cut if Play will replace it."""
        ground = self._picture_colour("canvas")
        ground.setAlphaF(SPARE_OPACITY)
        left = max(self._x_of(seconds), self._lanes.left())
        painter.fillRect(QRectF(left, self._lanes.top(), self._lanes.right() + 1 - left, self._picture), ground)

    def _paint_line(self, painter: QPainter, seconds: float, token: str, wide: float, dashed: bool = False) -> None:
        x = self._x_of(seconds)
        lanes = self._lanes
        if not lanes.left() - 1 <= x <= lanes.right() + 1:
            return
        ends = lanes.top(), lanes.top() + self._picture, lanes.bottom()
        for colour, top, foot in ((self._picture_colour(token), *ends[:2]), (self._theme.colour(token), *ends[1:])):
            pen = QPen(colour, wide)
            if dashed:
                pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawLine(round(x), top, round(x), foot)

    def _picture_colour(self, token: str) -> QColor:
        """Return a colour that is visible on dark ground in any theme."""
        return QColor(getattr(THEMES["dark", "high" if self._theme.high else "normal"], token))

    def _paint_tag(self, painter: QPainter, seconds: float) -> None:
        """Write `continues from 0:06.0` beside the cut."""
        theme = self._theme
        words = f"continues from {ruler_time(seconds, 1)}"
        lanes = self._lanes
        font = theme.font(12, 500)
        wide = QFontMetrics(font).horizontalAdvance(words) + theme.scaled(16)
        x = self._x_of(seconds)
        if not lanes.left() - 1 <= x <= lanes.right() + 1:
            return
        left = x + theme.scaled(6) if x + theme.scaled(6) + wide <= lanes.right() else x - theme.scaled(6) - wide
        place = QRectF(left, lanes.y() + theme.scaled(8), wide, theme.scaled(24))
        ground = self._picture_colour("canvas")
        ground.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(place, theme.scaled(4), theme.scaled(4))
        painter.setFont(font)
        painter.setPen(self._picture_colour("text"))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)
