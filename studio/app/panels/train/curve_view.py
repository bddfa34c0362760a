"""Draws the curve of a run with pyqtgraph. Import it when the panel opens: that takes half a second."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPen

from studio.app.core.guard import guarded
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.curve_legend_view import CurveLegend
from studio.app.widgets.controls import ElidedLabel
from studio.app.widgets.theme import Theme

POINT_SIZE = 6
BEST_SIZE = 11
"""Pixels of a held-out point, and of the best one."""
SHOWN_HELD_OUT = 400
"""The most held-out points that are drawn. Qt draws their lines of two pixels slowly."""


class CurveView(pg.PlotWidget):  # type: ignore[misc]
    """Draws the training bits as a thin line, their moving average, and the held-out bits as points.

    The wheel zooms, a drag moves, a double click shows everything. The legend shows the figures under the pointer.
    """

    def __init__(self, theme: Theme, curve: Curve, legend: CurveLegend, caption: ElidedLabel) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self._curve = curve
        self._legend = legend
        self._caption = caption
        self._is_log = False
        self._hovered: float | None = None
        self.setAccessibleName("Curve of the training")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hideButtons()
        plot = self.getPlotItem()
        self._plot = plot
        plot.getViewBox().setMouseEnabled(x=True, y=False)
        plot.getViewBox().setAutoVisible(y=True)
        plot.getViewBox().setDefaultPadding(0.03)
        self._training = plot.plot()
        self._smoothed = plot.plot()
        self._held_out = plot.plot()
        for line, method in ((self._training, "peak"), (self._smoothed, "subsample"), (self._held_out, "subsample")):
            line.setClipToView(True)
            line.setDownsampling(auto=True, method=method)
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._best = pg.ScatterPlotItem(pxMode=True)
        self._best_name = pg.TextItem(anchor=(0.5, 1.3))
        self._line = pg.InfiniteLine(angle=90)
        for item in (self._points, self._best, self._best_name, self._line):
            plot.addItem(item, ignoreBounds=item in (self._best_name, self._line))
        self._line.hide()
        plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        curve.grew.connect(self.show_curve)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.show_curve()

    def show_curve(self) -> None:
        """Draw the curve as it is now."""
        if not self.isVisible():
            return
        curve = self._curve
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
        self._describe()

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

    @guarded(None)
    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.show_curve()

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.show_all()

    @guarded(None)
    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self._hovered = None
        self._line.hide()
        self._describe()

    def _scaled(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions in the units of the axes. Lines scale themselves, points and texts do not."""
        x = np.log10(np.maximum(points[:, 0], 1)) if self._is_log else points[:, 0]
        return x, points[:, 1]

    def _on_mouse_moved(self, at: QPointF) -> None:
        if not self._plot.getViewBox().sceneBoundingRect().contains(at):
            return
        x = float(self._plot.getViewBox().mapSceneToView(at).x())
        self._hovered = 10**x if self._is_log else x
        self._line.setPos(x)
        self._line.show()
        self._describe()

    def _describe(self) -> None:
        """Write the figures under the pointer, or the last ones, below the curve."""
        steps = self._curve.steps
        wanted = self._hovered if self._hovered is not None else float(steps[-1]) if len(steps) else 0.0
        found = self._curve.nearest(wanted)
        if found is None:
            self._legend.show_figures((None, None, None))
            self._caption.show_text("")
            return
        step, *figures = found
        self._legend.show_figures(figures)
        self._caption.show_text(f"step {step:,}")
        self.setAccessibleDescription(f"Step {step:,}, {self._legend.accessibleDescription()} bits per dimension")

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
