"""The seconds above the lanes."""

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen

from studio.app.views.lane import Lane
from studio.app.views.theme import Look
from studio.app.views.timeline import Timeline

TALL = 28
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
ROOM = 96
"""Pixels that a figure takes, at most."""
APART = 28
"""Pixels between two figures, at least."""


def clock(seconds: float, decimals: int = 0) -> str:
    """`0:06`, `1:02:03.5`."""
    whole = round(seconds * 10**decimals)
    minutes, left = divmod(whole, 60 * 10**decimals)
    rest = f"{left / 10**decimals:0{2 + (decimals > 0) + decimals}.{decimals}f}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


class Ruler(Lane):
    """A figure at every round number of seconds that there is room for."""

    def __init__(self, look: Look, timeline: Timeline) -> None:
        super().__init__(look, timeline, TALL, TALL)

    def figures(self) -> list[tuple[float, str]]:
        """Moments that are to be seen, with what stands at them; the first may be out of sight but for its figure."""
        time, metrics = self.timeline, QFontMetrics(self._look.font(12))
        for step in _STEPS:
            decimals = 3 if step < 0.01 else 2 if step < 0.1 else 1 if step < 1 else 0
            wide = metrics.horizontalAdvance("0" + clock(time.end, decimals)) + self._look.px(APART)
            if step / time.length * time.width >= wide:
                break
        first, last = int(time.begin / step), int(time.end / step) + 1
        return [(n * step, clock(n * step, decimals)) for n in range(first, last + 1)]

    def _scroll(self) -> None:
        """As all lanes; a figure that comes is seen once there is room for all of it."""
        super()._scroll()
        self.renew(self.width() - self._look.px(ROOM))

    def paint_lane(self, painter: QPainter, part: QRect) -> None:
        look, high, metrics = self._look, self.height(), QFontMetrics(self._look.font(12))
        painter.fillRect(part, look.colour("canvas"))
        painter.setFont(look.font(12))
        for at, words in self.figures():
            x, wide = self.timeline.pixel(at), metrics.horizontalAdvance(words)
            painter.setPen(QPen(look.colour("groove"), 1))
            painter.drawLine(x, high - look.px(5), x, high)
            if x + look.px(5) + wide > self.width():
                continue
            painter.setPen(look.colour("soft"))
            place = QRectF(x + look.px(5), 0, wide + 2, high - look.px(3))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignBottom), words)
