"""Defines how every lane scrolls, zooms and answers the mouse."""

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QRegion, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.widgets.theme import Theme

HIT_WIDTH = 14
"""Pixels on either side of a line in which a press grabs it."""

CLICK_DISTANCE = 4
"""Pixels of a press that is a click."""

ZOOM_FACTOR = 1.25
"""Factor of the zoom for one notch of the wheel."""


class LaneView(QWidget):
    """Draws one lane. A click seeks, a drag selects a region or moves a line, the wheel scrolls and zooms.

    `paint_lane` draws a part. Drawn parts are kept, so that scrolling only draws what becomes visible.
    """

    def __init__(self, theme: Theme, timeline: Timeline, high: int, least: int) -> None:
        super().__init__()
        self._theme = theme
        self.timeline = timeline
        self._high = high
        self._least = least
        self._held = ""
        """The dragged line: `cut`, `begin` or `end` of the region, or a new `region`; empty without a drag."""
        self._pressed = 0.0
        self._kept = QPixmap()
        self._stale = QRegion()
        self._begin = 0.0
        self._pixel = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMouseTracking(True)
        theme.changed.connect(self.updateGeometry)
        theme.changed.connect(self.redraw_range)
        timeline.moved.connect(self._on_moved)

    @guarded(QSize(200, 64))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(self._high))

    @guarded(QSize(64, 24))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(64), self._theme.scaled(self._least))

    # ── mouse and keys ───────────────────────────────────────────────────────────────────────────

    def line_at(self, x: float) -> str:
        """Return which line a press at a pixel would drag; empty if none is near."""
        time = self.timeline
        lines = [("cut", time.cut)] if time.cut is not None else []
        if time.loop is not None:
            lines += [("begin", time.loop[0]), ("end", time.loop[1])]
        near = [(abs(time.x_of(at) - x), name) for name, at in lines if at is not None]
        return min((each for each in near if each[0] <= self._theme.scaled(HIT_WIDTH)), default=(0, ""))[1]

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._pressed = event.position().x()
        self._held = self.line_at(self._pressed) or "click"
        if self._held != "click":
            self.timeline.grabbed.emit("cut" if self._held == "cut" else "loop")

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        time = self.timeline
        x = event.position().x()
        at = min(max(time.seconds_at(x), 0.0), time.made)
        if not self._held:
            self.setCursor(Qt.CursorShape.SplitHCursor if self.line_at(x) else Qt.CursorShape.ArrowCursor)
            return
        if self._held == "click" and abs(x - self._pressed) > self._theme.scaled(CLICK_DISTANCE):
            self._held = "region"
            time.grabbed.emit("loop")
        if self._held == "cut":
            time.cut_moved.emit(at)
        elif self._held == "region":
            time.loop_moved.emit(*sorted((min(max(time.seconds_at(self._pressed), 0.0), time.made), at)))
        elif self._held in ("begin", "end") and time.loop is not None:
            begin, end = (at, time.loop[1]) if self._held == "begin" else (time.loop[0], at)
            if begin > end:
                self._held = "end" if self._held == "begin" else "begin"
            time.loop_moved.emit(min(begin, end), max(begin, end))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        held = self._held
        self._held = ""
        if held == "click":
            self.timeline.seek_requested.emit(
                min(max(self.timeline.seconds_at(event.position().x()), 0.0), self.timeline.made)
            )
        elif held:
            self.timeline.released.emit()

    def cancel_drag(self) -> str:
        """Cancel the drag; return the dragged line, empty if there was no drag."""
        held = self._held
        self._held = ""
        return held if held != "click" else ""

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel(self.timeline, event)

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        """Draw a part of the lane."""

    def redraw_range(self, left: float = 0.0, right: float = 1e6) -> None:
        """Redraw the part between two pixels."""
        first = max(int(left) - 3, 0)
        part = QRect(first, 0, int(min(right, self.width())) + 4 - first, self.height())
        self._stale += part
        self.update(part)

    def _on_moved(self) -> None:
        """Move the drawn part that stays visible, and redraw the rest."""
        time = self.timeline
        ratio = self.devicePixelRatioF()
        pixel = time.length / time.width
        by = (self._begin - time.begin) / pixel * ratio
        if pixel != self._pixel or abs(by - round(by)) > 1e-3 or abs(by) >= self._kept.width():
            self._stale = QRegion(self.rect())
        else:
            self._kept.scroll(round(by), 0, self._kept.rect())
            aside = round(by / ratio)
            self._stale.translate(aside, 0)
            self._stale += QRect(self.width() - 4 + aside if by < 0 else -4, 0, abs(aside) + 8, self.height())
        self._begin = time.begin
        self._pixel = pixel
        self.update()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        if self._kept.size() != size:
            self._kept = QPixmap(size)
            self._kept.setDevicePixelRatio(ratio)
            self._stale = QRegion(self.rect())
        stale = self._stale & self.rect()
        self._stale = QRegion()
        if not stale.isEmpty():
            with QPainter(self._kept) as painter:
                painter.setClipRegion(stale)
                self.paint_lane(painter, stale.boundingRect())
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._kept)


def handle_wheel(time: Timeline, event: QWheelEvent) -> None:
    """Scroll in time; with Ctrl, zoom at the pointer."""
    turned = event.angleDelta()
    if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        time.zoom(ZOOM_FACTOR ** (turned.y() / 120), event.position().x())
    else:
        time.scroll_by(-(turned.x() or turned.y()) / 120 * 0.1 * time.length)
    event.accept()


RULER_HEIGHT = 28

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)

TICK_ROOM = 96
"""Pixels that a figure takes, at most."""

TICK_GAP = 28
"""Pixels between two figures, at least."""


def ruler_time(seconds: float, decimals: int = 0) -> str:
    """Return a time as `0:06` or `1:02:03.5`."""
    whole = round(seconds * 10**decimals)
    minutes, left = divmod(whole, 60 * 10**decimals)
    rest = f"{left / 10**decimals:0{2 + (decimals > 0) + decimals}.{decimals}f}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


class RulerView(LaneView):
    """Writes a time at every round number of seconds that fits."""

    def __init__(self, theme: Theme, timeline: Timeline) -> None:
        super().__init__(theme, timeline, RULER_HEIGHT, RULER_HEIGHT)

    def tick_labels(self) -> list[tuple[float, str]]:
        """Return the visible times with their labels; the first may be outside except for its label."""
        time = self.timeline
        metrics = QFontMetrics(self._theme.font(12))
        for step in _STEPS:
            decimals = sum(step < limit for limit in (1, 0.1, 0.01))
            wide = metrics.horizontalAdvance("0" + ruler_time(time.end, decimals)) + self._theme.scaled(TICK_GAP)
            if step / time.length * time.width >= wide:
                break
        first = int(time.begin / step)
        last = int(time.end / step) + 1
        return [(n * step, ruler_time(n * step, decimals)) for n in range(first, last + 1)]

    def _on_moved(self) -> None:
        """Scroll like every lane; a label appears once all of it fits."""
        super()._on_moved()
        self.redraw_range(self.width() - self._theme.scaled(TICK_ROOM))

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        theme = self._theme
        high = self.height()
        metrics = QFontMetrics(self._theme.font(12))
        painter.fillRect(part, theme.colour("canvas"))
        painter.setFont(theme.font(12))
        for at, words in self.tick_labels():
            x = self.timeline.pixel_of(at)
            wide = metrics.horizontalAdvance(words)
            painter.setPen(QPen(theme.colour("groove"), 1))
            painter.drawLine(x, high - theme.scaled(5), x, high)
            if x + theme.scaled(5) + wide > self.width():
                continue
            painter.setPen(theme.colour("soft"))
            place = QRectF(x + theme.scaled(5), 0, wide + 2, high - theme.scaled(3))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignBottom), words)
