"""Draws the curve of a run with pyqtgraph. Import it when the panel opens: that takes half a second."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPen, QWheelEvent

from studio.app.core.guard import guarded
from studio.app.panels.train.comparison import MOST_COMPARED, ComparedCurve, RunComparison
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.curve_legend_view import CurveLegend
from studio.app.widgets.controls import ElidedLabel, handle_wheel_if_focused
from studio.app.widgets.theme import Theme

POINT_SIZE = 6
BEST_SIZE = 11
"""Pixels of a held-out point, and of the best one."""
SHOWN_HELD_OUT = 400
"""The most held-out points that are drawn. Qt draws their lines of two pixels slowly."""
LEAST_HEIGHT = 100
"""Logical pixels below which the page scrolls instead."""
STOP_TEXT = "stops by itself"
FORECAST_TEXT = "dashed: if it continues like this"
"""Stands below the curve, because above it there is always a line in the way."""


LABEL_PIXELS = 90
"""The least distance of two labels at a logarithmic axis."""


class StepAxis(pg.AxisItem):  # type: ignore[misc]
    """Labels steps: with plain numbers on a logarithmic axis, too, at 1, 2 and 5 of each power of ten."""

    def logTickValues(
        self, least: float, most: float, size: float, levels: object
    ) -> list[tuple[float | None, list[float]]]:
        """Return the places of labels on a logarithmic axis; the powers of ten alone if it has no room for more."""
        powers = range(max(0, int(np.floor(least))), int(np.ceil(most)) + 1)
        has_room = size / max(most - least, 1e-9) > 3 * LABEL_PIXELS
        places = [power + float(np.log10(each)) for power in powers for each in ((1, 2, 5) if has_room else (1,))]
        return [(None, [place for place in places if least <= place <= most])]

    def logTickStrings(self, values: list[float], scale: float, spacing: object) -> list[str]:
        """Return labels such as `2,000`."""
        return [f"{10**value:,.0f}" for value in values]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return labels such as `2,000`; nothing between two steps."""
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        return [f"{value:,.0f}" if spacing >= 1 else "" for value in values]


class CurveView(pg.PlotWidget):  # type: ignore[misc]
    """Draws the training bits as a thin line, their moving average, and the held-out bits as points.

    Grey lines are other runs, a dashed one is the forecast, and an upright one the step at which the run stops by
    itself. The wheel zooms, a drag moves, a double click shows everything. The legend shows the figures under the
    pointer, and the grey line nearest to it has its name.
    """

    def __init__(
        self, theme: Theme, curve: Curve, comparison: RunComparison, legend: CurveLegend, caption: ElidedLabel
    ) -> None:
        super().__init__(enableMenu=False, axisItems={"bottom": StepAxis("bottom")})
        self._theme = theme
        self._curve = curve
        self._comparison = comparison
        self._legend = legend
        self._caption = caption
        self._is_log = False
        self._has_forecast = False
        self._hovered: QPointF | None = None
        """The step and the bits under the pointer."""
        self.scrolls_page = False
        """Whether the wheel scrolls the page until the curve is clicked."""
        self.setAccessibleName("Curve of the training")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hideButtons()
        plot = self.getPlotItem()
        self._plot = plot
        plot.getViewBox().setMouseEnabled(x=True, y=False)
        plot.getViewBox().setAutoVisible(y=True)
        plot.getViewBox().setDefaultPadding(0.03)
        self._compared = [plot.plot() for _ in range(MOST_COMPARED)]
        self._training = plot.plot()
        self._smoothed = plot.plot()
        self._forecast = plot.plot()
        self._held_out = plot.plot()
        for line in (*self._compared, self._training, self._smoothed, self._held_out):
            line.setClipToView(True)
            line.setDownsampling(auto=True, method="peak" if line is self._training else "subsample")
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._best = pg.ScatterPlotItem(pxMode=True)
        self._best_name = pg.TextItem(anchor=(0.5, 1.3))
        self._compared_name = pg.TextItem(anchor=(0.5, 1.2))
        self._stop_line = pg.InfiniteLine(angle=90, label=STOP_TEXT, labelOpts={"position": 0.9, "movable": False})
        self._line = pg.InfiniteLine(angle=90)
        unbounded = (self._best_name, self._compared_name, self._stop_line, self._line)
        for item in (self._points, self._best, *unbounded):
            plot.addItem(item, ignoreBounds=item in unbounded)
        for item in (self._line, self._compared_name):
            item.hide()
        plot.getViewBox().sigXRangeChanged.connect(self._show_stop_name)
        plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        curve.grew.connect(self.show_curve)
        curve.rule.changed.connect(self.show_curve)
        comparison.curves.changed.connect(self.show_curve)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.show_curve()

    def show_curve(self, _: object = None) -> None:
        """Draw the curve as it is now."""
        if not self.isVisible():
            return
        curve = self._curve
        for name in ("left", "bottom"):
            self._plot.getAxis(name).setStyle(showValues=len(curve.steps) > 0)
        self._training.setData(curve.steps, curve.training)
        self._smoothed.setData(curve.steps, curve.smoothed)
        held_out = curve.held_out
        held_out = held_out[:: -max(1, -(-len(held_out) // SHOWN_HELD_OUT))][::-1]
        self._held_out.setData(held_out[:, 0], held_out[:, 1])
        self._points.setData(*self._scaled(held_out))
        best = curve.best
        self._best.setData(*self._scaled(np.array([best] if best is not None else [], float).reshape(-1, 2)))
        self._best_name.setVisible(best is not None)
        if best is not None:
            place = self._scaled(np.array([best], float))
            self._best_name.setText(f"best {best[1]:.2f}")
            self._best_name.setPos(place[0][0], place[1][0])
        self._show_future()
        self._limit_zoom()
        compared = self._comparison.curves.get()
        for number, line in enumerate(self._compared):
            points = compared[number].points if number < len(compared) else np.empty((0, 2))
            line.setData(points[:, 0], points[:, 1])
        self._describe()

    def _show_future(self) -> None:
        """Show where the run stops by itself, and what follows if it continues like this."""
        forecast = self._curve.forecast
        self._forecast.setData(forecast[:, 0], forecast[:, 1])
        self._has_forecast = len(forecast) > 0
        stop = self._curve.stop_step
        self._stop_line.setVisible(stop is not None)
        if stop is not None:
            self._stop_line.setPos(self._scaled(np.array([[stop, 0.0]]))[0][0])
        self._show_stop_name()

    def _show_stop_name(self, *_: object) -> None:
        """Hide the name of a line that is out of sight: its end would still be seen."""
        (low, high), _y = self._plot.getViewBox().viewRange()
        is_seen = self._stop_line.isVisible() and low <= self._stop_line.value() <= high
        self._stop_line.label.setVisible(bool(is_seen))

    def _limit_zoom(self) -> None:
        """Show hardly more steps than there are: beyond, the labels of a logarithmic axis overlap."""
        curve = self._curve
        lines = (curve.steps, curve.forecast[:, 0], *(each.points[:, 0] for each in self._comparison.curves.get()))
        most = max([float(line.max()) for line in lines if len(line)] + [float(curve.stop_step or 0), 10.0])
        low, high = self._scaled(np.array([[1.0, 0.0], [most, 0.0]]))[0]
        room = (high - low) / 4
        self._plot.getViewBox().setLimits(xMin=float(low - room), xMax=float(high + room))

    def set_log(self, log: bool) -> None:
        """Give the steps a logarithmic axis, or an even one."""
        self._is_log = log
        self._plot.setLogMode(x=log, y=False)
        self.show_curve()
        self.show_all()

    def show_all(self) -> None:
        """Show the whole curve, and follow it from now on."""
        self._plot.getViewBox().enableAutoRange()

    def zoom(self, by: int) -> None:
        """Zoom into the steps; 0 shows everything."""
        if by:
            self._plot.getViewBox().scaleBy(x=1.5**-by)
        else:
            self.show_all()

    @guarded(QSize(200, LEAST_HEIGHT))
    def sizeHint(self) -> QSize:
        """Return the least size: the curve takes what is left."""
        return QSize(self._theme.scaled(200), self._theme.scaled(LEAST_HEIGHT))

    @guarded(None)
    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.show_curve()

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.show_all()

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.scrolls_page:
            handle_wheel_if_focused(self, event, super().wheelEvent)
        else:
            super().wheelEvent(event)

    @guarded(None)
    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self._hovered = None
        self._line.hide()
        self._compared_name.hide()
        self._describe()

    def _scaled(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions in the units of the axes. Lines scale themselves, points and texts do not."""
        x = np.log10(np.maximum(points[:, 0], 1)) if self._is_log else points[:, 0]
        return x, points[:, 1]

    def _on_mouse_moved(self, at: QPointF) -> None:
        if not self._plot.getViewBox().sceneBoundingRect().contains(at):
            return
        place = self._plot.getViewBox().mapSceneToView(at)
        self._hovered = QPointF(10 ** place.x() if self._is_log else place.x(), place.y())
        self._line.setPos(place.x())
        self._line.show()
        self._name_nearest(place)
        self._describe()

    def _name_nearest(self, place: QPointF) -> None:
        """Write the name of the compared line that is nearest to a place of the plot."""
        found = self._compared_at(self._hovered.x() if self._hovered is not None else 0.0)
        self._compared_name.setVisible(bool(found))
        if found:
            curve, bits = min(found, key=lambda each: abs(each[1] - place.y()))
            self._compared_name.setText(self._name(curve, bits))
            self._compared_name.setPos(place.x(), bits)

    def _compared_at(self, step: float) -> list[tuple[ComparedCurve, float]]:
        """Return the compared curves that have bits at a step, with these bits."""
        known = ((curve, curve.bits_at(step)) for curve in self._comparison.curves.get())
        return [(curve, bits) for curve, bits in known if bits is not None]

    def _name(self, curve: ComparedCurve, bits: float) -> str:
        """Return `Old 7.123`, or `Old 7.123 on other files`."""
        other = " on other files" if self._comparison.has_other_data(curve.source) else ""
        return f"{curve.title} {bits:.3f}{other}"

    def _describe(self) -> None:
        """Write the figures under the pointer, or the last ones, below the curve."""
        steps = self._curve.steps
        wanted = float(steps[-1]) if len(steps) else 0.0
        if self._hovered is not None:
            wanted = self._hovered.x()
        found = self._curve.nearest(wanted)
        if found is None:
            self._legend.show_figures((None, None, None))
            self._caption.show_text("")
            return
        step, *figures = found
        self._legend.show_figures(figures)
        others = [self._name(curve, bits) for curve, bits in self._compared_at(wanted)]
        dashed = [FORECAST_TEXT] if self._has_forecast else []
        self._caption.show_text(" · ".join([f"step {step:,}", *others, *dashed]))
        self.setAccessibleDescription(f"Step {step:,}, {self._legend.accessibleDescription()} {self._comparison.unit}")

    def _restyle(self) -> None:
        theme = self._theme
        self.setBackground(theme.colour("window"))
        self._training.setPen(_pen(theme, "border"))
        self._smoothed.setPen(_pen(theme, "text"))
        self._held_out.setPen(pg.mkPen(theme.colour("accent"), width=2))
        none = pg.mkPen(None)
        self._points.setPen(none)
        self._points.setBrush(pg.mkBrush(theme.colour("accent")))
        self._points.setSize(theme.scaled(POINT_SIZE))
        self._best.setPen(pg.mkPen(theme.colour("accent"), width=2))
        self._best.setBrush(pg.mkBrush(theme.colour("window")))
        self._best.setSize(theme.scaled(BEST_SIZE))
        self._best_name.setColor(theme.colour("accent"))
        self._best_name.setFont(theme.font(12, 600))
        for line in self._compared:
            line.setPen(_pen(theme, "faint"))
        self._forecast.setPen(pg.mkPen(theme.colour("accent"), width=1, cosmetic=True, style=Qt.PenStyle.DashLine))
        self._stop_line.setPen(pg.mkPen(theme.colour("warn"), width=1, cosmetic=True, style=Qt.PenStyle.DashLine))
        for name, token in ((self._stop_line.label, "warn"), (self._compared_name, "text")):
            name.setColor(theme.colour(token))
            name.setFont(theme.font(12))
        self._line.setPen(_pen(theme, "border"))
        for name in ("left", "bottom"):
            axis = self._plot.getAxis(name)
            axis.setPen(_pen(theme, "line"))
            axis.setTextPen(theme.colour("soft"))
            axis.setStyle(tickFont=theme.font(12), tickLength=0, autoExpandTextSpace=True)
        self._plot.showGrid(x=False, y=True, alpha=0.25)
        self._plot.getAxis("left").setWidth(theme.scaled(44))
        self._plot.setContentsMargins(theme.scaled(4), theme.scaled(12), theme.scaled(16), theme.scaled(4))


def _pen(theme: Theme, token: str) -> QPen:
    """Return a cosmetic pen of one pixel. Qt draws many points fast with no other pen."""
    pen: QPen = pg.mkPen(theme.colour(token), width=1, cosmetic=True)
    return pen
