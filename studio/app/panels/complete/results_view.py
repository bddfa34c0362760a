"""Shows completions in a grid from the most typical to the strangest, and their scale."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QItemSelectionModel, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QListView, QWidget

from studio.app.core.guard import guarded
from studio.app.core.text import FIGURE_SPACE, format_bits
from studio.app.generation.thumbnail_grid_view import Place, ThumbnailGrid
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.panels.complete.ranking import Ranking, place_label
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme


def completion_description(place: Place, count: int) -> str:
    """Return the description of one of `count` completions for screen readers and tooltips."""
    rank, price = place.caption
    name = "A new one" if rank else "Completion"
    if rank.isdecimal():
        name = f"Number {rank} of {count}"
    return f"{name}, {price.replace(FIGURE_SPACE, '')}, seed {place.cell.seed}"


class ResultsView(ThumbnailGrid):
    """Shows the completions. `cells_chosen` carries the chosen ones, the current one last.

    `hold_changed` carries whether the pointer or the focus is in the grid, so that nothing may move.
    """

    cells_chosen = Signal(object)
    hold_changed = Signal(bool)

    def __init__(self, theme: Theme, surprisal: SurprisalMaps, uncertainty: UncertaintyMaps) -> None:
        super().__init__(theme, "Completions", surprisal, uncertainty, captioned=True)
        self._chosen: tuple[int, ...] = ()
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.selectionModel().selectionChanged.connect(self._emit_chosen)

    def show_ranking(self, ranking: Ranking, rows: int, size: tuple[int, int] | None) -> None:
        """Show the completions in their order; `size` (height, width) is for pictures to come, `rows` of each."""
        cells = ranking.cells.get()
        following = ranking.rank_by.get() == "following"
        places = [
            Place(ranked.cell, cells[ranked.cell], place_label(ranked, cells[ranked.cell], rows, following))
            for ranked in ranking.places.get()
        ]
        if self.show_places(places, lambda row: completion_description(places[row], len(cells)), rows, size):
            self.show_chosen(self._chosen)

    def show_chosen(self, chosen: tuple[int, ...]) -> None:
        self._chosen = chosen
        row_of = {place.number: row for row, place in enumerate(self.places)}
        self._showing = True
        model = self.selectionModel()
        model.clearSelection()
        for number in chosen:
            if number in row_of:
                index = self.model().index(row_of[number], 0)
                model.select(index, QItemSelectionModel.SelectionFlag.Select)
                model.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._showing = False
        self.viewport().update()

    def is_marked(self, row: int) -> bool:
        return self.selectionModel().isSelected(self.model().index(row, 0))

    @guarded(None)
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.hold_changed.emit(True)

    @guarded(None)
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hold_changed.emit(self.hasFocus())

    @guarded(None)
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.hold_changed.emit(True)

    @guarded(None)
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.hold_changed.emit(self.underMouse())

    def _emit_chosen(self) -> None:
        self.viewport().update()
        if not self._showing:
            now = self.currentIndex()
            rows = sorted((index.row() for index in self.selectedIndexes()), key=lambda row: (row == now.row(), row))
            self._chosen = tuple(self.places[row].number for row in rows)
            self.cells_chosen.emit(self._chosen)


class TypicalityView(QWidget):
    """Shows where each completion lies between the most typical and the strangest, by its bits."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._log_probs: tuple[float, ...] = ()
        self._chosen: float | None = None
        self.setMinimumWidth(theme.scaled(40))
        self.setAccessibleName("From the most typical to the strangest")
        theme.changed.connect(self.update)

    def show_log_probs(self, nats: Sequence[float], chosen: float | None) -> None:
        """Show the log probabilities of all finished completions, the most typical first, and of the chosen one."""
        self._log_probs = tuple(nats)
        self._chosen = chosen
        words = f"{len(nats)} completions, {format_bits(nats[0])} to {format_bits(nats[-1])}" if nats else ""
        self.setAccessibleDescription(words)
        set_tooltip(self, words)
        self.update()

    @guarded(QSize(120, 20))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(160), self._theme.scaled(20))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        middle = self.height() / 2
        radius = self._theme.scaled(5)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.colour("groove"), 2))
            painter.drawLine(QPointF(radius, middle), QPointF(self.width() - radius, middle))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("soft"))
            for nats in self._log_probs:
                painter.drawEllipse(QPointF(self._position_of(nats), middle), radius, radius)
            if self._chosen is not None:
                painter.setBrush(theme.colour("accent"))
                painter.drawEllipse(QPointF(self._position_of(self._chosen), middle), radius + 1, radius + 1)

    def _position_of(self, nats: float) -> float:
        radius = self._theme.scaled(5) + 1
        reach = self._log_probs[0] - self._log_probs[-1] if self._log_probs else 0.0
        share = (self._log_probs[0] - nats) / reach if reach > 0 else 0.0
        return radius + min(max(share, 0.0), 1.0) * (self.width() - 2 * radius)
