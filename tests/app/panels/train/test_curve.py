"""Tests that the curve grows, follows a run that returns to an earlier step, and is drawn fast."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.panels.train.comparison import MOST_COMPARED, ComparedCurve, RunComparison
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.curve_legend_view import CurveLegend
from studio.app.panels.train.forecast import StopRule, forecast, stop_step
from studio.app.widgets.controls import ElidedLabel
from studio.app.widgets.theme import Theme
from tests.app.window_fixtures import settle

GARDEN = ("/garden", (3, 32, 32), 0)


class ShownCurve:
    """Holds a curve and the view that draws it."""

    def __init__(self, qtbot: QtBot) -> None:
        from studio.app.panels.train.curve_view import CurveView

        theme = Theme()
        self.curve = Curve()
        self.comparison = RunComparison()
        self.caption = ElidedLabel()
        self.view = CurveView(theme, self.curve, self.comparison, CurveLegend(theme), self.caption)
        qtbot.addWidget(self.view)
        self.view.resize(600, 240)
        self.view.show()
        settle()

    def point_at(self, step: float, bits: float) -> None:
        """Move the pointer over a place of the plot. pyqtgraph drops moves within 10 ms after another one."""
        QTest.qWait(20)
        box = self.view.getPlotItem().getViewBox()
        QTest.mouseMove(self.view.viewport(), self.view.mapFromScene(box.mapViewToScene(QPointF(step, bits))))
        settle()

    def visible_texts(self) -> set[str]:
        """Return the texts that are drawn over the curve."""
        import pyqtgraph as pg

        return {
            item.textItem.toPlainText()
            for item in self.view.scene().items()
            if isinstance(item, pg.TextItem) and item.isVisible()
        }

    @property
    def name(self) -> str:
        """Return the only name of another run that is shown."""
        (found,) = (text for text in self.visible_texts() if not text.startswith("best"))
        return found


def test_points_are_added_and_the_best_is_known() -> None:
    curve = Curve()
    curve.add_point(1, 8.0, None)
    curve.add_point(10, 7.0, 7.5)
    curve.add_point(20, 6.0, 6.25)
    curve.add_point(30, 5.0, 6.5)
    assert curve.steps.tolist() == [1, 10, 20, 30]
    assert curve.best == (20, 6.25)
    assert curve.held_out.tolist() == [[10, 7.5], [20, 6.25], [30, 6.5]]
    assert curve.nearest(14) == (10, 7.0, pytest.approx(curve.smoothed[1]), 7.5)
    assert min(curve.training) <= curve.smoothed[-1] <= max(curve.training)


def test_a_run_that_goes_back_drops_the_points_after_it() -> None:
    curve = Curve()
    for step in range(10, 60, 10):
        curve.add_point(step, 5.0, 5.0 - step / 100)
    curve.add_point(25, 6.0, None)
    assert curve.steps.tolist() == [10, 20, 25]
    assert curve.best == (20, pytest.approx(4.8))


def test_a_curve_without_points_has_no_figures() -> None:
    curve = Curve()
    assert curve.nearest(3) is None and curve.best is None and curve.held_out.shape == (0, 2)


@pytest.mark.slow
def test_a_hundred_thousand_points_are_drawn_in_8_ms(qtbot: QtBot) -> None:
    from studio.app.panels.train.curve_view import CurveView

    curve = Curve()
    generator = np.random.default_rng(0)
    steps = np.arange(100_000)
    bits = 3 + 5 * np.exp(-steps / 9000) + generator.normal(0, 0.15, len(steps))
    held_out = [float(b) if step % 250 == 249 else None for step, b in zip(steps, bits, strict=True)]
    curve.show_points(zip(steps.tolist(), bits.tolist(), held_out, strict=True))
    curve.rule.set(StopRule(200_000, 250, 400))
    comparison = RunComparison()
    for number in range(MOST_COMPARED):
        points = np.stack((steps[::250], bits[::250] + number / 5), 1)
        comparison.curves.set((*comparison.curves.get(), ComparedCurve(str(number), str(number), points, GARDEN)))
    theme = Theme()
    view = CurveView(theme, curve, comparison, CurveLegend(theme), ElidedLabel())
    qtbot.addWidget(view)
    view.resize(960, 260)
    view.show()
    settle()
    image = QImage(view.size(), QImage.Format.Format_RGB32)
    times = []
    for _ in range(40):
        began = time.thread_time()  # of this thread alone, because the machine may be busy
        with QPainter(image) as painter:
            view.render(painter)
        times.append(time.thread_time() - began)
    assert np.median(times) <= 0.008
    assert len(np.unique(np.asarray(image.constBits()).reshape(-1, 4), axis=0)) > 3, "nothing was drawn"


def test_the_pointer_reads_the_curve(qtbot: QtBot) -> None:
    from studio.app.panels.train.curve_view import CurveView

    theme = Theme()
    curve = Curve()
    legend = CurveLegend(theme)
    caption = ElidedLabel()
    view = CurveView(theme, curve, RunComparison(), legend, caption)
    qtbot.addWidget(view)
    view.resize(600, 240)
    view.show()
    settle()
    for step in range(0, 101, 10):
        curve.add_point(step, 5 - step / 50, 5 - step / 60 if step % 50 == 0 else None)
    settle()
    assert caption.text() == "step 100" and "held-out 3.333" in legend.accessibleDescription()
    box = view.getPlotItem().getViewBox()
    at = view.mapFromScene(box.mapViewToScene(box.viewRect().center()))
    QTest.mouseMove(view.viewport(), at)
    settle()
    assert caption.text() in ("step 50", "step 60", "step 40")
    view.set_log(True)
    settle()
    assert view.getPlotItem().getAxis("bottom").logMode
    view.zoom(2)
    settle()
    low, high = box.viewRange()[0]
    view.show_all()
    settle()
    assert box.viewRange()[0][1] - box.viewRange()[0][0] > high - low


def test_pyqtgraph_is_loaded_when_the_panel_opens_and_not_before() -> None:
    program = """
import sys
from PySide6.QtWidgets import QApplication
from studio.app import main
application = QApplication([])
studio = main.assemble(application, ["true"])
studio.window.show()
application.processEvents()
before = "pyqtgraph" in sys.modules
studio.state.show_panel("train")
application.processEvents()
from studio.app.panels.train.shown_run import ShownRun
from pathlib import Path
studio.state.train.run.shown.set(ShownRun(Path("x"), "X", "x", "glow", (3, 8, 8), 0, 10, ""))
application.processEvents()
print(before, "pyqtgraph" in sys.modules)
studio.close_window()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


RULE = StopRule(steps=4000, evaluate_every=100, patience=8)


def _figures(bits: list[float], every: int = 100) -> np.ndarray:
    return np.array([(every * (place + 1), each) for place, each in enumerate(bits)], float)


def test_the_step_at_which_a_run_stops_by_itself_is_known() -> None:
    assert stop_step(_figures([]), RULE) is None
    assert stop_step(_figures([7.0, 6.0, 5.0]), RULE) == 1100, "eight figures after the best one"
    assert stop_step(_figures([7.0, 5.0, 6.0, 6.0]), RULE) == 1000
    assert stop_step(_figures([7.0, 5.0]), RULE._replace(patience=0)) is None
    assert stop_step(_figures([7.0, 5.0]), RULE._replace(steps=1000)) is None, "the plan ends at the same step"


def test_the_forecast_continues_a_curve_that_falls_and_nothing_else() -> None:
    steps = np.arange(100, 2001, 100)
    falling = np.stack((steps, 3 + 5 * (steps / 100) ** -0.7), 1)
    found = forecast(falling, 10_000)
    assert found[0, 0] == 2000 and found[-1, 0] == 4000, "it ends at twice the present step"
    assert found[-1, 1] == pytest.approx(3 + 5 * 40**-0.7, abs=0.02)
    assert forecast(falling, 2500)[-1, 0] == 2500, "it ends with the run"
    assert not len(forecast(falling[:5], 10_000)), "five figures are too few"
    assert not len(forecast(_figures([4.0 + n / 10 for n in range(10)]), 10_000)), "a rise is not predicted"
    assert not len(forecast(falling, 2000))


@pytest.fixture
def shown(qtbot: QtBot) -> ShownCurve:
    return ShownCurve(qtbot)


def test_other_runs_are_named_under_the_pointer(shown: ShownCurve) -> None:
    steps = np.arange(0, 101, 10)
    for title, bits in (("Roses", 4.0), ("Fog", 2.0)):
        points = np.stack((steps, np.full(len(steps), bits)), 1)
        shown.comparison.curves.set((*shown.comparison.curves.get(), ComparedCurve(title, title, points, GARDEN)))
    for step in steps.tolist():
        shown.curve.add_point(step, 3.0, 3.0)
    settle()
    shown.point_at(50, 3.7)
    assert shown.name == "Roses 4.000"
    assert shown.caption.text() == "step 50 · Roses 4.000 · Fog 2.000"
    shown.point_at(50, 2.2)
    assert shown.name == "Fog 2.000"


def test_the_curve_shows_where_it_stops_and_how_it_continues(shown: ShownCurve) -> None:
    shown.curve.rule.set(RULE)
    for step in range(100, 1600, 100):
        shown.curve.add_point(step, 3.0, 3 + 300 / step)
    settle()
    assert "stops by itself" in shown.visible_texts()
    assert shown.caption.text().endswith("· dashed: if it continues like this"), "not over a line"
    shown.curve.rule.set(None)
    settle()
    assert "stops by itself" not in shown.visible_texts()
    assert "dashed" not in shown.caption.text()


def test_steps_are_plain_numbers_on_both_axes(shown: ShownCurve) -> None:
    axis = shown.view.getPlotItem().getAxis("bottom")
    assert not axis.style["showValues"], "an empty curve has no numbers"
    for step in range(1, 3000, 10):
        shown.curve.add_point(step, 3.0, None)
    settle()
    assert axis.style["showValues"]
    assert axis.tickStrings([0.0, 1000.0], 1.0, 1000.0) == ["0", "1,000"]
    shown.view.set_log(True)
    settle()
    for size, labels in ((2000, ["1", "2", "5", "10", "20", "50", "100"]), (200, ["1", "10", "100"])):
        ((_, places),) = axis.tickValues(0.0, 2.0, size)
        assert axis.tickStrings(places, 1.0, None) == labels


def test_the_name_of_the_stop_is_hidden_with_its_line(shown: ShownCurve) -> None:
    shown.curve.rule.set(RULE)
    for step in range(100, 1600, 100):
        shown.curve.add_point(step, 3.0, 3 + 300 / step)
    settle()
    stop = shown.curve.stop_step
    assert stop is not None and "stops by itself" in shown.visible_texts()
    shown.view.getPlotItem().getViewBox().setXRange(0, stop - 50, padding=0)
    settle()
    assert "stops by itself" not in shown.visible_texts()
    shown.view.show_all()
    settle()
    assert "stops by itself" in shown.visible_texts()


@pytest.mark.parametrize("log", [False, True])
def test_no_more_steps_are_shown_than_there_are(shown: ShownCurve, log: bool) -> None:
    for step in range(1, 3000, 10):
        shown.curve.add_point(step, 3.0, None)
    shown.view.set_log(log)
    settle()
    for _ in range(30):
        shown.view.zoom(-1)
    settle()
    _, most = shown.view.getPlotItem().getViewBox().viewRange()[0]
    assert most < (5 if log else 4000)
