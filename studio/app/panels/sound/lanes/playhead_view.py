"""The moment that is heard: a slider over all lanes, drawn as a line, and with it the cut and the region's ends."""

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import clock
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import THEMES, Theme
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE

UNITS = 100
"""Of the standard slider's whole numbers to a second."""
SPARE = 0.6
"""How dark the picture is that goes away."""
NEAR, FAR = 0.1, 1.0
"""Seconds of an arrow, alone and with Shift."""


class Moment(QSlider):
    """Takes no mouse: the lanes below do. `sought` carries each second that a key asks for; `knot` asks for a knot
    there, `nudged` moves the temperature there up or down, `dropped` takes the nearest knot away."""

    sought = Signal(float)
    knot = Signal()
    nudged = Signal(int)
    dropped = Signal()

    def __init__(self, look: Theme, timeline: Timeline, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._look, self.timeline = look, timeline
        self._lines: tuple[float, ...] = ()
        self._spare = False
        self._lanes, self._picture = QRect(), 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Cursor")
        timeline.moved.connect(self.update)
        timeline.marked.connect(self._follow)

    def set_lanes(self, lanes: QRect, picture: int) -> None:
        """Where the lines begin and end, in this widget, and how high the picture above is, which is dark always."""
        self._lanes, self._picture = lanes, picture
        self.update()

    def describe(self, heat: float, bits: float | None, outside: bool) -> None:
        """Describe this moment for screen readers. `outside`: the temperature is outside the safe range."""
        time = self.timeline
        price = f", {bits:.1f} bits a sample" if bits is not None else ""
        warm = f"temperature {heat:.2f}{', ' + OUTSIDE_SAFE_RANGE if outside else ''}"
        self.setAccessibleDescription(f"{time.position:.1f} of {time.made:.1f} seconds, {warm}{price}")

    def rect_shown(self) -> QRect:
        """What a ring goes round."""
        x = round(self._x(self.timeline.position))
        return QRect(x - 6, self._lanes.y(), 12, self._lanes.height())

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        time, key = self.timeline, Qt.Key(event.key())
        far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        along = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(key, 0)
        if along:
            self.sought.emit(min(max(time.position + along * (FAR if far else NEAR), 0.0), time.made))
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.nudged.emit(1 if key == Qt.Key.Key_Up else -1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            step = time.length / 2 * (1 if key == Qt.Key.Key_PageUp else -1)
            self.sought.emit(min(max(time.position + step, 0.0), time.made))
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.dropped.emit()
        else:
            event.ignore()

    # ── the looks ────────────────────────────────────────────────────────────────────────────────

    def _x(self, seconds: float) -> float:
        return self._lanes.x() + self.timeline.x(seconds)

    def _follow(self) -> None:
        """Draw anew where lines were and are; the slider says the moment."""
        time = self.timeline
        self.setRange(0, round(time.made * UNITS))
        self.setValue(round(time.position * UNITS))
        lines = (time.position, time.cut or 0.0, *(time.loop or ()))
        for at in {*lines} ^ {*self._lines}:
            self.update(QRect(round(self._x(at)) - 4, 0, 8, self.height()))
        if (self._lines[1:], self._spare) != (lines[1:], time.spare):
            self.update()
        self._lines, self._spare = lines, time.spare

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        look, time, lanes = self._look, self.timeline, self._lanes
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if time.spare and time.cut is not None:
                self._veil(painter, time.cut)
            if time.loop is not None:
                for at in time.loop:
                    self._line(painter, at, "accent" if time.looping else "soft", 1.0, dashed=True)
            if time.cut is not None:
                self._line(painter, time.cut, "text", 2.0)
                self._tag(painter, time.cut)
            self._line(painter, time.position, "accent", 2.0)
            x = self._x(time.position)
            if lanes.left() - 1 <= x <= lanes.right() + 1:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._on_picture("accent"))
                side = look.scaled(5)
                painter.drawEllipse(QRectF(x - side, lanes.y() - side, 2 * side, 2 * side))

    def _veil(self, painter: QPainter, seconds: float) -> None:
        """The picture is dark behind the cut, where it goes away with Play."""
        ground = self._on_picture("canvas")
        ground.setAlphaF(SPARE)
        left = max(self._x(seconds), self._lanes.left())
        painter.fillRect(QRectF(left, self._lanes.top(), self._lanes.right() + 1 - left, self._picture), ground)

    def _line(self, painter: QPainter, seconds: float, token: str, wide: float, dashed: bool = False) -> None:
        x, lanes = self._x(seconds), self._lanes
        if not lanes.left() - 1 <= x <= lanes.right() + 1:
            return
        ends = lanes.top(), lanes.top() + self._picture, lanes.bottom()
        for colour, top, foot in ((self._on_picture(token), *ends[:2]), (self._look.colour(token), *ends[1:])):
            pen = QPen(colour, wide)
            if dashed:
                pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawLine(round(x), top, round(x), foot)

    def _on_picture(self, token: str) -> QColor:
        """A colour that is seen on dark ground in any theme."""
        return QColor(getattr(THEMES["dark", "high" if self._look.high else "normal"], token))

    def _tag(self, painter: QPainter, seconds: float) -> None:
        """`goes on from 0:06.0`, beside the cut."""
        look, words, lanes = self._look, f"goes on from {clock(seconds, 1)}", self._lanes
        font = look.font(12, 500)
        wide = QFontMetrics(font).horizontalAdvance(words) + look.scaled(16)
        x = self._x(seconds)
        if not lanes.left() - 1 <= x <= lanes.right() + 1:
            return
        left = x + look.scaled(6) if x + look.scaled(6) + wide <= lanes.right() else x - look.scaled(6) - wide
        place = QRectF(left, lanes.y() + look.scaled(8), wide, look.scaled(24))
        ground = self._on_picture("canvas")
        ground.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(place, look.scaled(4), look.scaled(4))
        painter.setFont(font)
        painter.setPen(self._on_picture("text"))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)
