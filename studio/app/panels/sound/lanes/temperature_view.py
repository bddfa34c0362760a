"""Shows the temperature over time, which the user draws with knots joined by lines."""

import bisect
import itertools
import math
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QSizePolicy

from studio.app.core.guard import guarded
from studio.app.generation.parameters import SLIDER_MAX_TEMPERATURE
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.lanes.lane_view import HIT_WIDTH, handle_wheel, ruler_time
from studio.app.panels.sound.lanes.timeline import Timeline
from studio.app.panels.sound.temperature_curve import Points, add_knot, move_knot, remove_knot
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE

Index = QModelIndex | QPersistentModelIndex
TEMPERATURE_STEP = 0.02
TIME_STEP = 0.1
"""How far a key moves a knot: in temperature, and in seconds."""
KNOT_SIZE = 9
EDGE_MARGIN = 8
"""Width of a knot in pixels, and free pixels above the highest and below the lowest temperature."""


class _KnotRows(QAbstractListModel):
    """Lists each knot as a row for screen readers."""

    def __init__(self, parent: "TemperatureLaneView") -> None:
        super().__init__(parent)
        self.knots: Points = ((0.0, 1.0),)
        self.safe = (0.0, SLIDER_MAX_TEMPERATURE)
        """The lowest and the highest temperature that the model handles well."""

    def set_knots(self, knots: Points) -> None:
        if len(knots) == len(self.knots):
            self.knots = knots
            self.dataChanged.emit(self.index(0), self.index(len(knots) - 1))
        else:
            self.beginResetModel()
            self.knots = knots
            self.endResetModel()

    def is_outside_safe_range(self, temperature: float) -> bool:
        """Return whether a temperature is outside the safe range."""
        return not self.safe[0] <= temperature <= self.safe[1]

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.knots)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        seconds, temperature = self.knots[index.row()]
        knot = f"knot {index.row() + 1} of {len(self.knots)}"
        warning = f", {OUTSIDE_SAFE_RANGE}" if self.is_outside_safe_range(temperature) else ""
        return f"Temperature {temperature:.2f} at {ruler_time(seconds, 1)}, {knot}{warning}"


class TemperatureLaneView(QListView):
    """Shows and edits the temperature curve; its settled part cannot change.

    `curve_drawn` carries all knots as the user wants them; `grabbed` and `released` frame a drag.
    """

    curve_drawn = Signal(object)
    grabbed = Signal()
    released = Signal()

    def __init__(self, theme: Theme, timeline: Timeline) -> None:
        super().__init__()
        self._theme = theme
        self.timeline = timeline
        self._settled = 0.0
        self._held: tuple[float, float] | None = None
        """The dragged knot."""
        self.rows = _KnotRows(self)
        self.setModel(self.rows)
        self.setUniformItemSizes(True)  # otherwise Qt asks each row for its size after each new knot
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("role", "bare")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Temperature over time")
        self.viewport().setMouseTracking(True)
        set_tooltip(self, "Click to add a knot. Drag to move it, double click to remove it", "T")
        theme.changed.connect(self.updateGeometry)
        timeline.moved.connect(self.viewport().update)

    @property
    def shown_knots(self) -> Points:
        return self.rows.knots

    def show_curve(self, knots: Points) -> None:
        """Show the temperature over time."""
        was = self.currentIndex().row()
        if knots != self.shown_knots:
            self.rows.set_knots(knots)
            if self._held is not None:
                self._choose_knot(self._held)
            elif self.currentIndex().row() != was:
                self.setCurrentIndex(self.rows.index(min(was, len(knots) - 1)))
            self._describe()

    def show_safe(self, safe: tuple[float, float]) -> None:
        """Set the lowest and the highest safe temperature and redraw."""
        self.rows.safe = safe
        self.rows.dataChanged.emit(self.rows.index(0), self.rows.index(len(self.shown_knots) - 1))
        self._describe()

    def is_outside_safe_range(self, seconds: float) -> bool:
        """Return whether the temperature at a moment is outside the safe range."""
        return self.rows.is_outside_safe_range(self.temperature_at(seconds))

    def _describe(self) -> None:
        beyond = any(self.rows.is_outside_safe_range(temperature) for _, temperature in self.shown_knots)
        least, most = self.rows.safe
        self.setAccessibleDescription(f"safe {least:g} to {most:g}{', ' + OUTSIDE_SAFE_RANGE if beyond else ''}")
        self.viewport().update()

    def show_settled(self, seconds: float) -> None:
        """Set the moment before which no sample can change any more."""
        if seconds != self._settled:
            self._settled = seconds
            self.viewport().update()

    def temperature_at(self, seconds: float) -> float:
        """Return the temperature of a moment."""
        return heats.temperature_at(self.shown_knots, seconds)

    # ── values ───────────────────────────────────────────────────────────────────────────────────

    def add_knot(self, seconds: float) -> None:
        """Add a knot on the line, at a moment or where changes begin to take effect."""
        at = max(seconds, self._settled)
        self._emit_curve(add_knot(self.shown_knots, at, self.temperature_at(at)), (at, self.temperature_at(at)))

    def nudge_knot(self, seconds: float, steps: int) -> None:
        """Make the first knot from a moment on warmer by steps; without one, add it first."""
        at = max(seconds, self._settled)
        up = steps * TEMPERATURE_STEP
        row = next((n for n in self._movable_knots() if self.shown_knots[n][0] >= at), None)
        if row is None:
            temperature = min(max(self.temperature_at(at) + up, 0.0), SLIDER_MAX_TEMPERATURE)
            self._emit_curve(add_knot(self.shown_knots, at, temperature), (at, temperature))
        else:
            self._move_knot(row, self.shown_knots[row][0], self.shown_knots[row][1] + up)

    def delete_nearest_knot(self, seconds: float) -> None:
        """Delete the knot nearest to a moment, among those that may change."""
        if free := self._movable_knots():
            self._delete_knot(min(free, key=lambda n: abs(self.shown_knots[n][0] - seconds)))

    def _delete_knot(self, row: int) -> None:
        if len(self.shown_knots) > 1 and row in self._movable_knots():
            self._emit_curve(remove_knot(self.shown_knots, row), None)

    def _move_knot(self, row: int, seconds: float, temperature: float) -> None:
        """Move a knot between its neighbours; the settled part stays."""
        if row in self._movable_knots():
            now = move_knot(self.shown_knots, row, seconds, temperature, self._settled)
            self._emit_curve(now, now[row])

    def _emit_curve(self, knots: Points, held: tuple[float, float] | None) -> None:
        if self._held is not None:
            self._held = held
        if knots != self.shown_knots:
            self.curve_drawn.emit(knots)
        if held is not None:
            self._choose_knot(held)

    def _choose_knot(self, knot: tuple[float, float]) -> None:
        far = [abs(at - knot[0]) + abs(temperature - knot[1]) for at, temperature in self.shown_knots]
        self.setCurrentIndex(self.rows.index(far.index(min(far))))

    def _movable_knots(self) -> range:
        """Return the knots that may move; of a step at the settled moment, the later one."""
        first = bisect.bisect_right(self.shown_knots, (self._settled, math.inf))
        return range(first - (first > 0 and self.shown_knots[first - 1][0] == self._settled), len(self.shown_knots))

    # ── positions of knots ───────────────────────────────────────────────────────────────────────

    def position_of(self, seconds: float, temperature: float) -> QPointF:
        edge = self._theme.scaled(EDGE_MARGIN)
        share = min(max(temperature / SLIDER_MAX_TEMPERATURE, 0.0), 1.0)
        return QPointF(self.timeline.x_of(seconds), edge + (self.height() - 2 * edge) * (1 - share))

    def values_at(self, where: QPointF) -> tuple[float, float]:
        """Return seconds and temperature of a pixel."""
        edge = self._theme.scaled(EDGE_MARGIN)
        temperature = SLIDER_MAX_TEMPERATURE * (1 - (where.y() - edge) / max(self.height() - 2 * edge, 1))
        return self.timeline.seconds_at(where.x()), min(max(temperature, 0.0), SLIDER_MAX_TEMPERATURE)

    def knot_at(self, where: QPointF) -> int | None:
        """Return the knot under a press, if it may move."""
        far = sorted(
            ((self.position_of(*self.shown_knots[n]) - where).manhattanLength(), n) for n in self._movable_knots()
        )
        return far[0][1] if far and far[0][0] <= self._theme.scaled(HIT_WIDTH) else None

    @guarded(QRect())
    def visualRect(self, index: Index) -> QRect:
        middle = self.position_of(*self.shown_knots[index.row()]).toPoint()
        side = self._theme.scaled(KNOT_SIZE)
        return QRect(middle.x() - side, middle.y() - side, 2 * side, 2 * side)

    @guarded(QModelIndex())
    def indexAt(self, where: QPoint) -> QModelIndex:
        near = self.knot_at(where.toPointF())
        return self.rows.index(near) if near is not None else QModelIndex()

    @guarded(None)
    def scrollTo(self, index: Index, hint: Any = QAbstractItemView.ScrollHint.EnsureVisible) -> None:
        if index.isValid() and self._held is None and self.hasFocus():
            self.timeline.scroll_to(self.shown_knots[index.row()][0])

    # ── mouse and keys ───────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        near = self.knot_at(event.position())
        now = self.values_at(event.position())
        if near is None and now[0] < self._settled:
            return
        self.grabbed.emit()
        self._held = self.shown_knots[near] if near is not None else now
        if near is None:
            self._emit_curve(add_knot(self.shown_knots, *now), now)
        else:
            self._choose_knot(self._held)

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None and self.currentIndex().isValid():
            self._move_knot(self.currentIndex().row(), *self.values_at(event.position()))
            return
        free = self.values_at(event.position())[0] >= self._settled
        shapes = Qt.CursorShape
        over = self.knot_at(event.position()) is not None
        empty = shapes.CrossCursor if free else shapes.ArrowCursor
        self.viewport().setCursor(shapes.PointingHandCursor if over else empty)

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self._held = None
            self.released.emit()
            self.viewport().update()

    def cancel_drag(self) -> bool:
        """Cancel the drag; return whether there was one."""
        held = self._held
        self._held = None
        return held is not None

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if (near := self.knot_at(event.position())) is not None:
            self._delete_knot(near)

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel(self.timeline, event)

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        row = max(self.currentIndex().row(), 0)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        up = {Qt.Key.Key_Up: TEMPERATURE_STEP, Qt.Key.Key_Down: -TEMPERATURE_STEP}.get(key, 0.0)
        along = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(key, 0)
        seconds, temperature = self.shown_knots[row]
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._delete_knot(row)
        elif up or (along and shift):
            self._move_knot(row, seconds + TIME_STEP * along, temperature + up)
        elif along:
            self.setCurrentIndex(self.rows.index(min(max(row + along, 0), len(self.shown_knots) - 1)))
            self.viewport().update()
        else:
            event.ignore()

    # ── painting ─────────────────────────────────────────────────────────────────────────────────

    @guarded(QSize(200, 80))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(80))

    @guarded(QSize(64, 40))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(64), self._theme.scaled(40))

    def _line_points(self) -> list[QPointF]:
        """Return the line from where the model begins to the end of the visible part."""
        time = self.timeline
        first = max(time.begin, time.cut or 0.0)
        last = time.end
        if first >= last:
            return []
        begin, end = (bisect.bisect_left(self.shown_knots, (at, -math.inf)) for at in (first, last))
        inner = [self.position_of(*knot) for knot in self.shown_knots[begin:end]]
        return [
            self.position_of(first, heats.temperature_at(self.shown_knots, first, before=True)),
            *inner,
            self.position_of(last, self.temperature_at(last)),
        ]

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        line = self._line_points()
        drawn = len(self.shown_knots) > 1
        with QPainter(self.viewport()) as painter:
            painter.fillRect(event.rect(), theme.colour("window"))
            if not line:
                return
            settled = min(max(self.timeline.x_of(self._settled), line[0].x()), line[-1].x())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            ground = QPolygonF([QPointF(line[0].x(), self.height()), *line, QPointF(line[-1].x(), self.height())])
            for left, right, token, fill in (
                (0.0, settled, "border", "raised"),
                (settled, float(self.width()), "accent" if drawn else "border", "tint" if drawn else "raised"),
            ):
                painter.setClipRect(QRectF(left, 0, right - left, self.height()))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour(fill))
                painter.drawPolygon(ground)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour(token), 2))
                painter.drawPolyline(QPolygonF(line))
            painter.setClipping(False)
            self._paint_outside(painter, line)
            for row in self._movable_knots():
                self._paint_knot(painter, row, self.shown_knots[row])

    def _paint_outside(self, painter: QPainter, line: list[QPointF]) -> None:
        """If a part of the line is outside the safe range, draw each limit there as a hairline with a label."""
        floor, edge = (round(self.position_of(0.0, temperature).y()) for temperature in self.rows.safe)
        above = [right for left, right in itertools.pairwise(line) if min(left.y(), right.y()) < edge - 1]
        below = [right for left, right in itertools.pairwise(line) if max(left.y(), right.y()) > floor + 1]
        beyond = above or below
        if not beyond:
            return
        theme = self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # otherwise a hairline becomes two pale lines
        painter.setPen(QPen(theme.colour("warn"), 1, Qt.PenStyle.DashLine))
        for crossed, y in ((above, edge), (below, floor)):
            if crossed:
                painter.drawLine(QPointF(line[0].x(), y), QPointF(line[-1].x(), y))
        font = theme.font(12, 500)
        width = QFontMetrics(font).horizontalAdvance(OUTSIDE_SAFE_RANGE) + theme.scaled(8)
        left = max(min(beyond[0].x(), line[-1].x()) - width, line[0].x() + theme.scaled(4))
        words = QRectF(left, self.height() - theme.scaled(20), width, theme.scaled(18))
        painter.setFont(font)
        painter.setPen(theme.colour("warn"))
        painter.drawText(words, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), OUTSIDE_SAFE_RANGE)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_knot(self, painter: QPainter, row: int, knot: tuple[float, float]) -> None:
        theme = self._theme
        place = self.position_of(*knot)
        chosen = row == self.currentIndex().row() and (self.hasFocus() or self._held is not None)
        token = "accent" if len(self.shown_knots) > 1 or chosen else "border"
        painter.setPen(QPen(theme.colour(token), 2))
        painter.setBrush(theme.colour(token if chosen else "window"))
        radius = theme.scaled(KNOT_SIZE) / 2
        painter.drawEllipse(place, radius, radius)
        if chosen:
            painter.setPen(theme.colour("text"))
            painter.setFont(theme.font(12, 600))
            above = place.y() > self.height() / 2
            left = max(place.x() - theme.scaled(20), 0.0)
            words = QRectF(left, place.y() + theme.scaled(-25 if above else 7), theme.scaled(40), theme.scaled(18))
            painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), f"{knot[1]:.2f}")
