"""Lists the past runs, each with a sample and its curve."""

import numpy as np
from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.train import wording
from studio.app.panels.train.comparison import compared_curve
from studio.app.panels.train.state import TrainState
from studio.app.widgets.binding import bind_all
from studio.app.widgets.controls import Button, Column, ElidedLabel, clear_layout, make_row
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail
from studio.wire.messages import Array

MAX_RUNS = 12
"""The most past runs that are listed."""
SAMPLE_SIDE = 40
CURVE_WIDTH = 64
CURVE_POINTS = 128
"""The most points of a small curve."""


class SamplePicture(QWidget):
    """Paints one sample of a run, or nothing."""

    def __init__(self, theme: Theme, artwork: Array | None) -> None:
        super().__init__()
        self._theme = theme
        self._artwork = artwork
        self.setFixedSize(theme.scaled(SAMPLE_SIDE), theme.scaled(SAMPLE_SIDE))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._theme.colour("window"))
            if self._artwork is not None:
                drawn = picture_thumbnail(self._artwork, self.width(), self.devicePixelRatioF(), self._theme)
                draw_thumbnail(painter, drawn, self.rect())


class SmallCurve(QWidget):
    """Paints a curve without axes."""

    def __init__(self, theme: Theme, bits: Array, *, is_compared: bool) -> None:
        super().__init__()
        self._theme = theme
        self._bits = bits[:: max(1, -(-len(bits) // CURVE_POINTS))]
        self._is_compared = is_compared
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @guarded(QSize(CURVE_WIDTH, SAMPLE_SIDE))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(CURVE_WIDTH), self._theme.scaled(SAMPLE_SIDE))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        if len(self._bits) < 2:
            return
        low, high = float(self._bits.min()), float(self._bits.max())
        x = np.linspace(2, self.width() - 2, len(self._bits))
        y = 2 + (high - self._bits) / max(high - low, 1e-9) * (self.height() - 4)
        line = QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)])
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("text" if self._is_compared else "border"), 1.5))
            painter.drawPolyline(line)


class RunRow(QWidget):
    """Shows one run. `show` shows it, `compare` draws its curve beside another, `delete` moves it to the bin."""

    def __init__(self, theme: Theme, title: str, words: str, sample: Array | None, curve: SmallCurve) -> None:
        super().__init__()
        self.show_run = Button(theme, title, "fold", tooltip="Show the curve and samples of this run")
        self.compare = Button(theme, "Compare", "link", accessible_name=f"Compare {title}")
        self.delete = Button(theme, "Delete", "link", accessible_name=f"Delete {title}", tooltip="Move it to the bin")
        self.show_run.setMinimumWidth(theme.scaled(60))
        head = QHBoxLayout()
        head.setSpacing(theme.scaled(8))
        head.addWidget(SamplePicture(theme, sample))
        head.addWidget(self.show_run, 1)
        head.addWidget(curve)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.scaled(2))
        column.addLayout(head)
        column.addWidget(ElidedLabel(words, "note"))
        column.addWidget(make_row(self.compare, 0, self.delete, spacing=16))


class RunsSection(Column):
    """Lists the past runs. A click shows one; links compare it or delete it."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 6)
        self._state = state
        self.run_rows: dict[str, RunRow] = {}
        """The row of each run, by the name of its folder."""
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.scaled(12))
        self.add_section("Past runs")
        self.rows.addLayout(self._list)
        watched = (state.past.runs, state.comparison.curves, state.run.shown, state.run.phase, state.page)
        bind_all(self, watched, self._show)

    def _show(self, _: object) -> None:
        state = self._state
        runs = state.past.runs.get()[:MAX_RUNS]
        shown = state.run.shown.get()
        active = state.run.is_active
        self.setVisible(bool(runs))
        clear_layout(self._list)
        self.run_rows = {}
        for run in runs:
            name = run.folder.name
            is_shown = shown is not None and shown.folder == run.folder
            is_compared = name in state.comparison.names
            is_running = is_shown and active
            compared = compared_curve(run)
            other = " · other files" if state.comparison.has_other_data(compared.source) else ""
            words = "running" if is_running else f"{wording.run_row(run)}{other}"
            sample = run.newest.artworks[0] if run.newest is not None and len(run.newest.artworks) else None
            curve = SmallCurve(self._theme, compared.points[:, 1], is_compared=is_compared)
            row = self.run_rows[name] = RunRow(self._theme, run.config.title, words, sample, curve)
            row.show_run.setEnabled(not active and not (is_shown and state.page.get() == "run"))
            fault = state.comparison.fault(run)
            row.compare.setEnabled(not is_shown and not fault)
            row.compare.set_text("Do not compare" if is_compared else "Compare")
            row.compare.setAccessibleName(f"{row.compare.text()} {run.config.title}")
            row.compare.set_tooltip(fault or ("Leave out its curve" if is_compared else "Draw its curve in grey"))
            row.delete.setVisible(not is_running)
            row.show_run.clicked.connect(lambda checked=False, name=name: state.show_run(name))
            row.compare.clicked.connect(lambda checked=False, name=name: state.compare_run(name))
            row.delete.clicked.connect(lambda checked=False, name=name: state.delete_run(name))
            self._list.addWidget(row)
