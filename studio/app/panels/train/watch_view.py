"""Shows a run: the gauge, its figures, its curve, and its samples over time."""

import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.app.core.guard import guarded
from studio.app.panels.train import wording
from studio.app.panels.train.curve_legend_view import CurveLegend
from studio.app.panels.train.gauge import VERDICTS, advice
from studio.app.panels.train.gauge_view import GaugeView
from studio.app.panels.train.pairs import copied_text, make_pairs
from studio.app.panels.train.pairs_view import PairsView
from studio.app.panels.train.state import TrainState
from studio.app.panels.train.timeline_view import ROWS, TimelineView
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import Button, ElidedLabel, Label, make_row
from studio.app.widgets.theme import Theme

if TYPE_CHECKING:
    from studio.app.panels.train.curve_view import CurveView

PAIRS_TITLE = "Samples, each beside its nearest training artwork"
FIGURES = 4
NARROW_WIDTH = 640
"""Logical pixels below which a page is narrow for its text."""
NARROW_COLUMNS = 3
"""The figures in a row of a narrow page."""
LOW_ROWS = 1
"""The number of seeds in the timeline of a low window."""
LOW_HEIGHT = 620
"""Logical pixels below which a page is low."""


class SteadyTitle(Label):
    """Is never narrower than any word of the gauge, so that nothing beside it moves."""

    @guarded(QSize(0, 0))
    def minimumSizeHint(self) -> QSize:
        widest = max(self.fontMetrics().horizontalAdvance(word) for word in VERDICTS)
        return super().minimumSizeHint().expandedTo(QSize(widest, 0))


class SteadyLabel(Label):
    """Wraps its text, and is always as high as its longest text needs, so that nothing below it moves."""

    def __init__(self, longest: str, role: str) -> None:
        super().__init__("", role, wrap=True)
        self._longest = longest

    @guarded(0)
    def heightForWidth(self, width: int) -> int:
        wraps = int(Qt.TextFlag.TextWordWrap)
        needed = self.fontMetrics().boundingRect(QRect(0, 0, width, 10_000), wraps, self._longest)
        return max(super().heightForWidth(width), needed.height())


def keep_place(widget: QWidget) -> None:
    """Let a widget keep its place while it is hidden, so that nothing beside it moves."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


class WatchPage(QScrollArea):
    """Shows the run of the panel. It scrolls if a small window or large text leaves no room for the curve."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._low = False
        self._is_narrow: bool | None = None
        self.curve: CurveView | None = None
        """The curve, built when the page is first shown: pyqtgraph takes half a second to load."""
        self.title = SteadyTitle("", "title")
        self.advice = SteadyLabel(wording.LONGEST_ADVICE, "soft")
        self.gauge = GaugeView(theme)
        self.figures = [
            (Label("–", "figure"), ElidedLabel("", "note", Qt.TextElideMode.ElideRight)) for _ in range(FIGURES)
        ]
        self.copied = Label("", "figure")
        self.show_copied = Button(
            theme, "samples copied", "link", tooltip="Show the samples beside the training artworks nearest to them"
        )
        self.legend = CurveLegend(theme)
        self.caption = ElidedLabel("", "note", Qt.TextElideMode.ElideRight)
        self.log = Button(theme, "Log", "toggle", tooltip="Show the steps on a logarithmic axis")
        self.log.setCheckable(True)
        self.fit = Button(theme, "Show all", "link", tooltip="Show the whole curve", keys="Ctrl+0")
        self.samples_title = Label("How it learned: the same seeds", "strong")
        self.samples_text = Label("", "note")
        self.film = Button(theme, "Save as film…", "link", tooltip="Save the samples as an animation or one sound")
        self.timeline = TimelineView(theme)
        self.pairs = PairsView(theme)
        self.pairs_title = ElidedLabel(PAIRS_TITLE, "strong", Qt.TextElideMode.ElideRight)
        self.pairs_text = Label("", "note", wrap=True)
        self.close_pairs = Button(theme, "Back to the curve", "link", tooltip="Show the curve again", keys="Esc")
        self._curve_place = QVBoxLayout()
        self._figures_grid = QGridLayout()
        self._wrapping_rows: list[QBoxLayout] = []
        """The rows whose second part stands below the first on a narrow page."""
        self._lower = QStackedWidget()
        self._build()
        run = state.run
        bind_all(self, (run.phase, run.verdict, run.shown, run.fault, run.files_read, run.is_loaded), self._show_head)
        bind_all(self, (run.progress, run.shown, run.phase, run.compared), self._show_figures)
        run.samples_changed.connect(self._show_samples)
        bind(self, state.samples.scrubbed, self._show_samples)
        bind_all(self, (state.samples.shows_pairs, run.compared), self._show_pairs)
        bind(self, state.samples.player.playing, self.timeline.show_playing)
        self.timeline.scrubbed.connect(state.samples.scrub)
        self.timeline.chosen.connect(state.samples.play_sample)
        self.film.clicked.connect(state.samples.save_film)
        self.show_copied.clicked.connect(lambda: state.samples.show_pairs(not state.samples.shows_pairs.get()))
        self.close_pairs.clicked.connect(state.samples.close_pairs)
        self.pairs.chosen.connect(state.samples.play_pair)
        self.log.toggled.connect(self._set_log)
        self.fit.clicked.connect(lambda: self.zoom(0))
        self.verticalScrollBar().rangeChanged.connect(self._update_wheel)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _build(self) -> None:
        for button in (self.show_copied, self.film):
            keep_place(button)
        head = QHBoxLayout()
        head.setSpacing(24)
        head.addWidget(self.title)
        head.addWidget(self.advice, 1)
        self._figures_grid.setHorizontalSpacing(8)
        self._figures_grid.setVerticalSpacing(0)
        history, self._history_column = _make_page()
        self._history_column.addLayout(self._curve_place, 1)
        self._history_column.addWidget(make_row(self.legend, self.caption, 0, self.log, self.fit, spacing=12))
        self._history_column.addLayout(
            self._make_wrapping_row(self.samples_title, make_row(0, self.samples_text, self.film, spacing=12))
        )
        self._history_column.addWidget(self.timeline)
        pairs, self._pairs_column = _make_page()
        self._pairs_column.addLayout(self._make_wrapping_row(self.pairs_title, make_row(0, self.close_pairs)))
        self._pairs_column.addWidget(self.pairs_text)
        self._pairs_column.addWidget(self.pairs, 1)
        for page in (history, pairs):
            self._lower.addWidget(page)
        page, self._column = _make_page()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setWidget(page)
        self._column.addLayout(head)
        self._column.addWidget(self.gauge)
        self._column.addLayout(self._figures_grid)
        self._column.addWidget(self._lower, 1)

    def _make_wrapping_row(self, first: QWidget, second: QWidget) -> QBoxLayout:
        """Return two parts side by side, or below each other on a narrow page."""
        row = QHBoxLayout()
        row.addWidget(first)
        row.addWidget(second, 1)
        self._wrapping_rows.append(row)
        return row

    def set_compact(self, low: bool) -> None:
        """Leave more room for the curve if the window is low."""
        self._low = low
        self._lay_out()

    def zoom(self, by: int) -> None:
        if self.curve is not None:
            self.curve.zoom(by)

    def _set_log(self, on: bool) -> None:
        if self.curve is not None:
            self.curve.set_log(on)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose_rows()
        self._choose_columns()

    def _choose_rows(self) -> None:
        """Show one seed only if the window is low for its text."""
        is_low = self._low or self.height() < self._theme.scaled(LOW_HEIGHT)
        self.timeline.set_rows(LOW_ROWS if is_low else ROWS)

    def _update_wheel(self) -> None:
        """Let the wheel scroll a page that is higher than its room, and zoom otherwise."""
        if self.curve is not None:
            self.curve.scrolls_page = self.verticalScrollBar().maximum() > 0

    def _choose_columns(self) -> None:
        """Place parts below each other if the page is narrow for its text."""
        is_narrow = self.width() < self._theme.scaled(NARROW_WIDTH)
        if is_narrow == self._is_narrow:
            return
        self._is_narrow = is_narrow
        direction = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        for row in self._wrapping_rows:
            row.setDirection(direction)
        self.legend.set_stacked(is_narrow)
        self._place_figures(NARROW_COLUMNS if is_narrow else FIGURES + 1)

    def _place_figures(self, columns: int) -> None:
        """Place the figures above their captions, so many in a row."""
        grid = self._figures_grid
        pairs: list[tuple[QWidget, QWidget]] = [*self.figures, (self.copied, self.show_copied)]
        for place, (figure, caption) in enumerate(pairs):
            row, column = divmod(place, columns)
            for line, part in enumerate((figure, caption)):
                grid.removeWidget(part)
                grid.addWidget(part, 2 * row + line, column)
        grid.setAlignment(self.show_copied, Qt.AlignmentFlag.AlignLeft)
        for column in range(len(pairs)):
            grid.setColumnStretch(column, 1 if column < columns else 0)
            grid.setColumnMinimumWidth(column, 40 if column < columns else 0)

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.curve is None:
            from studio.app.panels.train.curve_view import CurveView

            self.curve = CurveView(
                self._theme, self._state.run.curve, self._state.comparison, self.legend, self.caption
            )
            self._curve_place.addWidget(self.curve)
            self._update_wheel()
            self._lay_out()

    def _show_head(self, _: object) -> None:
        run = self._state.run
        phase = run.phase.get()
        shown = run.shown.get()
        word = run.verdict.get()
        things = shown.things if shown is not None else "pictures"
        reason = advice(word, things, run.copied)
        measured = len(run.curve.held_out) > 0
        self.title.setText(wording.PHASE_WORDS.get(phase, word))
        self.advice.setText(wording.head_text(run, reason, things))
        is_lit = phase != "waiting" and (measured or phase == "running")
        self.gauge.show_word(word if is_lit else None, self.advice.text() if phase == "waiting" else reason)

    def _show_figures(self, _: object) -> None:
        run = self._state.run
        *found, (copied, _) = wording.figures(run, datetime.datetime.now())
        for (figure, caption), (value, text) in zip(self.figures, found, strict=True):
            figure.setText(value)
            caption.show_text(text)
        self.copied.setText(copied)
        self.show_copied.setVisible(bool(copied))
        self._show_head(None)

    def _show_samples(self, _: object = None) -> None:
        samples = tuple(self._state.run.samples)
        place = self._state.samples.scrubbed.get()
        self.timeline.show_samples(samples, place)
        shown = samples[-1 if place is None else min(place, len(samples) - 1)] if samples else None
        self.samples_text.setText(wording.samples_text(shown.seconds, shown.step) if shown is not None else "")
        self.film.setVisible(self._state.samples.has_film)
        if not samples:
            self.samples_text.setText("The first appear soon after the start.")

    def _show_pairs(self, _: object = None) -> None:
        shown = self._state.run.shown.get()
        compared = self._state.run.compared.get()
        is_shown = self._state.samples.shows_pairs.get() and compared is not None and shown is not None
        self._lower.setCurrentIndex(1 if is_shown else 0)
        if compared is not None and shown is not None and is_shown:
            self.pairs.show_pairs(make_pairs(compared))
            self.pairs_text.setText(copied_text(compared, shown.things))

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._choose_rows()
        self._choose_columns()
        if self.curve is not None:
            self.curve.setMinimumHeight(self.curve.sizeHint().height())
        for column in (self._history_column, self._pairs_column):
            column.setSpacing(px(8 if self._low else 14))
        self._column.setContentsMargins(px(24), px(12 if self._low else 20), px(24), px(8))
        self._column.setSpacing(px(8 if self._low else 14))


def _make_page() -> tuple[QWidget, QVBoxLayout]:
    """Return an empty page and its column."""
    page = QWidget()
    page.setProperty("ground", "none")
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    return page, column
