"""Ranks the completions of one run by likelihood, and describes them."""

import math
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject

from studio.app.core.observable import State, Value
from studio.app.core.text import format_bits
from studio.app.generation.run import Cell
from studio.app.generation.wording import step_text

MAX_SHOWN = 9
"""The most completions that are shown if they are ranked by the pixels after the hole."""
RankBy = Literal["whole", "following"]


@dataclass(frozen=True)
class RankedCell:
    """Holds a completion and its rank: 1 is the most typical, None means unranked."""

    cell: int
    rank: int | None = None


class Ranking(State):
    """Orders completions for the grid. `cells` come in the order of their seeds.

    A finished completion gets its rank at once; unfinished ones stand at the end. While the order is held, nothing
    moves, and a finished completion has no rank yet.
    """

    def __init__(self, cells: Value[tuple[Cell, ...]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cells = cells
        self.places: Value[tuple[RankedCell, ...]] = Value((), self)
        self.rank_by: Value[RankBy] = Value("whole", self)
        self.show_all: Value[bool] = Value(False, self)
        """Whether completions that fit the pixels after the hole less well are shown, too."""
        self.left_out: Value[int] = Value(0, self)
        """The number of finished completions that are not shown."""
        self._held = False
        cells.changed.connect(lambda _: self._update_places())

    def clear_places(self) -> None:
        """Forget the order before new completions arrive."""
        self.places.set(())
        self.show_all.set(False)

    def set_rank_by(self, ranking: RankBy) -> None:
        self.rank_by.set(ranking)
        self._update_places(anew=True)

    def set_show_all(self, on: bool) -> None:
        self.show_all.set(on)
        self._update_places(anew=True)

    def hold_places(self, on: bool) -> None:
        """Hold the order while the pointer or the focus is in the grid."""
        self._held = on
        self._update_places()

    def ranked_cells(self) -> list[int]:
        """Return the finished completions from the most typical to the strangest."""
        return sorted(
            (i for i, cell in enumerate(self.cells.get()) if cell.finished), key=lambda i: -self.log_prob_of(i)
        )

    @property
    def has_bits_after_hole(self) -> bool:
        """Return whether the bits of the pixels after the hole are known."""
        return any(cell.following_log_prob is not None for cell in self.cells.get())

    def log_prob_of(self, index: int) -> float:
        """Return the log probability by which a finished completion is ranked."""
        cell = self.cells.get()[index]
        if self.rank_by.get() == "following" and cell.following_log_prob is not None:
            return cell.following_log_prob
        return cell.log_prob if cell.log_prob is not None else -math.inf

    def _update_places(self, anew: bool = False) -> None:
        places = self._wanted_places()
        finished = sum(cell.finished for cell in self.cells.get())
        if self._held and not anew and self.places.get():
            known = {place.cell for place in self.places.get()}
            places = (*self.places.get(), *(RankedCell(p.cell) for p in places if p.cell not in known))
        self.places.set(places)
        self.left_out.set(finished - sum(self.cells.get()[place.cell].finished for place in places))

    def _wanted_places(self) -> tuple[RankedCell, ...]:
        cells = self.cells.get()
        ranked = self.ranked_cells()
        some = self.rank_by.get() == "following" and not self.show_all.get()
        best = ranked[:MAX_SHOWN] if some else ranked
        forming = [i for i, cell in enumerate(cells) if cell.picture is not None and not cell.finished]
        waiting = [i for i, cell in enumerate(cells) if cell.picture is None]
        rest = (forming + waiting)[: MAX_SHOWN - len(best)] if some else sorted(forming + waiting)
        return (*(RankedCell(i, rank) for rank, i in enumerate(best, 1)), *(RankedCell(i) for i in rest))


def place_label(place: RankedCell, cell: Cell, rows: int, following: bool) -> tuple[str, str]:
    """Return the caption of a completion: its rank and its bits, or its progress."""
    if cell.finished:
        nats = cell.following_log_prob if following and cell.following_log_prob is not None else cell.log_prob
        return (str(place.rank) if place.rank is not None else "new"), format_bits(nats) if nats is not None else ""
    return "", step_text(cell, rows).lower() if cell.picture is not None else "waits"


def counts_text(made: int, left_out: int, ranking: RankBy, show_all: bool) -> str:
    """Return how many completions are shown, and how many are left out."""
    if not made:
        return ""
    if left_out:
        return f"Made {made:,}, shown {made - left_out:,} that fit what follows best; {left_out:,} left out."
    if ranking == "following" and show_all and made > MAX_SHOWN:
        return f"All {made:,} are shown, those that fit what follows best first."
    return f"All {made:,} are shown. None were left out." if made > 1 else "It is shown."
