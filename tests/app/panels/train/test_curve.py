"""Tests that the curve grows, follows a run that returns to an earlier step, and is drawn fast."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.panels.train.curve import Curve
from studio.app.panels.train.curve_legend_view import CurveLegend
from studio.app.widgets.controls import ElidedLabel
from studio.app.widgets.theme import Theme
from tests.app.window_fixtures import settle


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
    theme = Theme()
    view = CurveView(theme, curve, CurveLegend(theme), ElidedLabel())
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
    view = CurveView(theme, curve, legend, caption)
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
from studio.app.panels.train.run import ShownRun
from pathlib import Path
studio.state.train.run.shown.set(ShownRun(Path("x"), "X", "x", "glow", (3, 8, 8), 0, 10, ""))
application.processEvents()
print(before, "pyqtgraph" in sys.modules)
studio.close_window()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
