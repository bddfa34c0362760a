"""Shows the pictures of Generate in a grid, of which one is chosen."""

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtWidgets import QListView

from studio.app.core.text import FIGURE_SPACE, format_bits, group_digits
from studio.app.generation.run import ArtworkKind, Cell
from studio.app.generation.thumbnail_grid_view import Place, ThumbnailGrid
from studio.app.generation.wording import step_text
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.widgets.theme import Theme

WAVE_SIZE = (16, 24)
"""Height and width of a wave in a grid, in steps."""


def cell_description(cell: Cell, index: int, count: int, kind: ArtworkKind = "picture", rows: int = 0) -> str:
    """Return the description of a cell for screen readers and tooltips."""
    state = "waiting"
    if cell.finished:
        state = "finished"
    elif cell.picture is not None:
        state = step_text(cell, rows).replace(FIGURE_SPACE, "").lower()
    price = f", {format_bits(cell.log_prob)}" if cell.log_prob is not None else ""
    what = "Wave" if kind == "sound" else "Picture"
    return f"{what} {index + 1} of {count}, {state}, seed {group_digits(cell.seed)}{price}"


class GridView(ThumbnailGrid):
    """Shows the pictures of a run. `cell_chosen` and `cell_enlarged` carry the index of a picture."""

    cell_chosen = Signal(int)
    cell_enlarged = Signal(int)

    def __init__(self, theme: Theme, surprisal: SurprisalMaps, uncertainty: UncertaintyMaps) -> None:
        super().__init__(theme, "Pictures", surprisal, uncertainty)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.activated.connect(lambda index: self.cell_enlarged.emit(index.row()))
        self.selectionModel().currentChanged.connect(self._emit_chosen)

    def show_cells(
        self,
        cells: tuple[Cell, ...],
        kind: ArtworkKind = "picture",
        size: tuple[int, int] | None = None,
        rows: int = 0,
    ) -> None:
        """Show the cells; `size` (height, width) is for pictures to come, `rows` the rows of each."""
        is_sound = kind == "sound"
        self.setAccessibleName("Waves" if is_sound else "Pictures")
        self.show_places(
            list(map(Place, range(len(cells)), cells)),
            lambda row: cell_description(cells[row], row, len(cells), kind, rows),
            rows,
            WAVE_SIZE if is_sound else size,
        )

    def show_chosen(self, row: int | None) -> None:
        self._showing = True
        self.setCurrentIndex(self.model().index(row, 0) if row is not None else QModelIndex())
        self._showing = False
        self.viewport().update()

    def _emit_chosen(self, index: QModelIndex) -> None:
        self.viewport().update()
        if not self._showing and index.isValid():
            self.cell_chosen.emit(index.row())
