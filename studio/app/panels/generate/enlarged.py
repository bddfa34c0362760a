"""Holds the enlarged artwork: a picture or wave of the grid, a take, or a continued picture."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.observable import Record, State, Value
from studio.app.files.opening import to_model_shape
from studio.app.generation.batch import Batch
from studio.app.generation.run import BatchRun, Cell
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.generate.rewind import Marker, Rewind, RewindBase
from studio.app.takes import tree
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library import file_names
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class EnlargedItem:
    """Describes the enlarged artwork."""

    picture: Array | None
    caption: str
    """`Picture 3 of 24`."""
    seed: int
    log_prob: float | None = None
    rows_drawn: int | None = None
    """Number of drawn rows; None if all are drawn."""
    artwork: Artwork | None = None
    """To be saved or opened, once it is finished."""
    is_sound: bool = False

    @property
    def is_seamless(self) -> bool:
        """Return whether it is finished and opposite edges continue each other."""
        return self.artwork is not None and self.artwork.work.seamless


class Enlarged(State):
    """Holds the enlarged artwork of the grid or the strip, and whether it can be continued from a row."""

    def __init__(
        self,
        models: ModelList,
        grid: Batch,
        takes: TakeStore,
        selection: TakeSelection,
        rewind: Rewind,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._grid = grid
        self._selection = selection
        self._rewind = rewind
        self.index: Value[int | None] = Value(None, self)
        """Of the cell shown large, None for the grid or a take."""
        self.item: Value[EnlargedItem | None] = Value(None, self)
        """None for the grid."""
        self._item_before_restart: Record = {}
        """Where the marker was before a restart, until the take that it was on has been read."""
        shown: tuple[Value[Any], ...] = (
            grid.cells, grid.running, self.index, selection.current, rewind.rewound, takes.takes, models.cards,
        )  # fmt: skip
        for value in shown:
            value.changed.connect(self._update_item)
        takes.loaded.connect(self._restore_item)

    def show_cell(self, index: int | None) -> None:
        """Enlarge a cell of the grid; None shows the whole grid."""
        self._item_before_restart = {}
        self._selection.select_take(None)
        self.index.set(index)

    def show_take(self, index: int) -> None:
        self._item_before_restart = {}
        self.index.set(None)
        self._selection.select_take(self._selection.takes.get()[index].name)

    def _update_item(self) -> None:
        self._rewind.set_base(self._rewind_base())
        self.item.set(self._find_item())

    def _rewind_base(self) -> RewindBase | None:
        take = self._selection.current_take
        index = self.index.get()
        cells = self._grid.cells.get()
        run = self._grid.run
        if take is not None and take.work.medium == "picture":
            trained = self._models.find_maker(take.work)
            if trained is not None and trained.card.picture_size is not None:
                shown = Artwork(to_model_shape(take.array, trained, take.work.canvas_size), take.work)
                return RewindBase(shown, trained, f"take {take.name}")
        if take is None and run is not None and index is not None and index < len(cells):
            return self._item_of_cell(run, cells[index])
        return None

    def _item_of_cell(self, run: BatchRun, cell: Cell) -> RewindBase | None:
        """Return the item of a finished cell, or of a half-drawn one while nothing draws on it."""
        trained = self._grid.trained
        place = f"cell {cell.seed}"
        if trained is None or trained.card.picture_size is None or cell.picture is None:
            return None
        artwork = Artwork(cell.picture, run.work_of(cell))
        if cell.finished:
            return RewindBase(artwork, trained, place)
        drawn = cell.rows_drawn(self._grid.rows)
        can = drawn > 0 and not self._grid.running.get()
        return RewindBase(artwork, trained, place, drawn) if can else None

    def _find_item(self) -> EnlargedItem | None:
        base = self._rewind.base.get()
        forming = self._rewind.rewound.get()
        take = self._selection.current_take
        index = self.index.get()
        cells = self._grid.cells.get()
        run = self._grid.run
        if forming is not None and base is not None and forming.base.caption == base.caption:
            drawn = forming.row if base.rows_drawn is not None else None
            words = f"Continued from row {forming.start}"
            return EnlargedItem(forming.artwork.array, words, forming.artwork.work.seed, rows_drawn=drawn)
        if take is not None:
            return self._item_of_take(take)
        if run is None or index is None or index >= len(cells):
            return None
        cell = cells[index]
        sound = self._grid.artwork_kind == "sound"
        rows = self._grid.rows
        words = f"{'Wave' if sound else 'Picture'} {index + 1} of {len(cells)}"
        drawn = cell.rows_drawn(rows) if rows and not cell.finished else None
        return EnlargedItem(cell.picture, words, cell.seed, cell.log_prob, drawn, run.artwork_of(cell), sound)

    def _item_of_take(self, take: Artwork) -> EnlargedItem:
        takes = self._selection.takes.get()
        place = self._selection.current.get() or 0
        text = tree.take_title(takes, tree.find_parents(takes), place)
        picture = to_model_shape(take.array, self._models.find_maker(take.work), take.work.canvas_size)
        file = take.work.name or f"{take.work.model}-{take.work.seed}"
        artwork = Artwork(picture, take.work, file_names.clean_name(f"{file}{take.work.file_suffix}"))
        return EnlargedItem(picture, text, take.work.seed, artwork=artwork, is_sound=take.work.medium == "sound")

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def to_record(self) -> Record:
        """Return a record of the enlarged artwork and of the marker."""
        base = self._rewind.base.get()
        marker = self._rewind.marker.get()
        if base is not None and marker is not None:
            return {"item": base.caption, **marker.to_record()}
        index = self.index.get()
        cells = self._grid.cells.get()
        if self._selection.current_name is not None:
            return {"item": f"take {self._selection.current_name}"}
        return {"item": f"cell {cells[index].seed}" if index is not None and index < len(cells) else ""}

    def apply_record(self, plain: Record) -> None:
        """Enlarge the artwork of a record, with its marker. If it is missing, show the grid."""
        self._item_before_restart = {}
        base = self._rewind.base.get()
        if base is None or base.caption != plain.get("item"):  # dragging a marker does not move its picture
            self._show_at(str(plain.get("item", "")))
        if "row" in plain:
            self._rewind.set_marker(Marker.from_record(plain))

    def stored(self) -> Record:
        """Return the record for a restart."""
        return self._item_before_restart or self.to_record()

    def restore_later(self, plain: Record) -> None:
        """Enlarge the artwork of the record once the takes are read."""
        self._item_before_restart = dict(plain)
        if "row" in self._item_before_restart:
            Marker.from_record(self._item_before_restart)  # invalid records are refused now

    def _show_at(self, at: str) -> None:
        source, _, name = at.partition(" ")
        seeds_of = [cell.seed for cell in self._grid.cells.get()]
        seed = int(name) if source == "cell" and name.isdecimal() else None
        index = seeds_of.index(seed) if seed in seeds_of else None
        self._selection.select_take(name if source == "take" else None)
        self.index.set(index)
        self._update_item()

    def _restore_item(self) -> None:
        """Enlarge the artwork from before the restart."""
        if self._item_before_restart:
            self.apply_record(self._item_before_restart)
