"""The completions of one run, in the order of their likelihood, and what is said of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject

from studio.app.states.grid import Cell, step_of
from studio.app.states.value import State, Value

SHOWN = 9
"""Of many that are ranked by what follows the hole, as many as are looked at one by one."""
Ranking = Literal["whole", "following"]


@dataclass(frozen=True)
class Place:
    """One place of the grid: which completion stands there, and its rank, 1 the most typical; None without one."""

    cell: int
    rank: int | None = None


class Completions(State):
    """Cells in the order of their seeds, and the places in which they are shown.

    A finished one takes its rank at once, and those that form stand at the end. While the order is held nothing moves:
    a finished one waits where it is, without a rank.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.places: Value[tuple[Place, ...]] = Value((), self)
        self.ranking: Value[Ranking] = Value("whole", self)
        self.show_all: Value[bool] = Value(False, self)
        """Whether those that fit what follows less well are shown, too."""
        self.left_out: Value[int] = Value(0, self)
        """How many finished ones are not shown."""
        self._held = False

    def begin(self, cells: Sequence[Cell]) -> None:
        """Others in place of those that were here."""
        self.places.set(())
        self.show_all.set(False)
        self.put(cells)

    def put(self, cells: Sequence[Cell]) -> None:
        """The same ones, further."""
        self.cells.set(tuple(cells))
        self._arrange()

    def rank_by(self, ranking: Ranking) -> None:
        self.ranking.set(ranking)
        self._arrange(anew=True)

    def show_every(self, on: bool) -> None:
        self.show_all.set(on)
        self._arrange(anew=True)

    def hold(self, on: bool) -> None:
        """Whether pointer or focus are in the grid, so that nothing may move there."""
        self._held = on
        self._arrange()

    def ranked(self) -> list[int]:
        """The finished ones from the most typical to the strangest."""
        return sorted((i for i, cell in enumerate(self.cells.get()) if cell.finished), key=lambda i: -self.nats(i))

    @property
    def follow(self) -> bool:
        """Whether what follows the hole of these is known to be priced."""
        return any(cell.following is not None for cell in self.cells.get())

    def nats(self, index: int) -> float:
        """What a finished one is ranked by."""
        cell = self.cells.get()[index]
        part = cell.following if self.ranking.get() == "following" else cell.log_prob
        return part if part is not None else cell.log_prob if cell.log_prob is not None else -math.inf

    def _arrange(self, anew: bool = False) -> None:
        places = self._wanted()
        finished = sum(cell.finished for cell in self.cells.get())
        if self._held and not anew and self.places.get():
            known = {place.cell for place in self.places.get()}
            places = (*self.places.get(), *(Place(p.cell) for p in places if p.cell not in known))
        self.places.set(places)
        self.left_out.set(finished - sum(self.cells.get()[place.cell].finished for place in places))

    def _wanted(self) -> tuple[Place, ...]:
        cells, ranked = self.cells.get(), self.ranked()
        some = self.ranking.get() == "following" and not self.show_all.get()
        best = ranked[:SHOWN] if some else ranked
        forming = [i for i, cell in enumerate(cells) if cell.picture is not None and not cell.finished]
        waiting = [i for i, cell in enumerate(cells) if cell.picture is None]
        rest = (forming + waiting)[: SHOWN - len(best)] if some else sorted(forming + waiting)
        return (*(Place(i, rank) for rank, i in enumerate(best, 1)), *(Place(i) for i in rest))


def bits(nats: float) -> str:
    return f"{-nats / math.log(2):,.0f} bits"


def label(place: Place, cell: Cell, rows: int, following: bool) -> tuple[str, str]:
    """Below a completion: its rank, and its price or how far it is."""
    if cell.finished:
        nats = cell.following if following and cell.following is not None else cell.log_prob
        return (str(place.rank) if place.rank is not None else "new"), bits(nats) if nats is not None else ""
    return "", step_of(cell, rows).lower() if cell.picture is not None else "waits"


def counts(made: int, left_out: int, ranking: Ranking, show_all: bool) -> str:
    """Honest about what is not shown."""
    if not made:
        return ""
    if left_out:
        return f"Made {made:,}, shown {made - left_out:,} that fit what follows best; {left_out:,} left out."
    if ranking == "following" and show_all and made > SHOWN:
        return f"All {made:,} are shown, those that fit what follows best first."
    return f"All {made:,} are shown. None were left out." if made > 1 else "It is shown."


def finished(cells: Sequence[Cell]) -> str:
    return "1 completion." if len(cells) == 1 else f"{len(cells):,} completions. The most typical first."


def caption(cells: Sequence[Cell], left: str, ready: bool, rows: int) -> str:
    """While they form; `left` is the time left in words, or empty."""
    if not ready:
        return "The engine is starting. The completions follow by themselves."
    done = sum(cell.finished for cell in cells)
    forming = next((cell for cell in cells if cell.picture is not None and not cell.finished), None)
    step = f"{step_of(forming, rows)}. " if forming is not None else ""
    return f"{step}{done:,} of {len(cells):,} finished{f', {left} left' if left else ''}."


def stopped(cells: Sequence[Cell]) -> str:
    done = sum(cell.finished for cell in cells)
    half = sum(cell.picture is not None for cell in cells) - done
    if not done and not half:
        return f"Stopped before the first of {len(cells):,} was finished. Your picture and the hole are kept."
    also = f" and {half:,} half-drawn" if half else ""
    return f"Stopped. {done:,} finished{also} of {len(cells):,} completions {'is' if done + half == 1 else 'are'} kept."


def lost(cells: Sequence[Cell]) -> tuple[str, str]:
    """What became of them when the engine died, and the name of the button that makes the rest."""
    done, what = sum(cell.finished for cell in cells), f'"{len(cells):,} completions"'
    if not done:
        return f"{what} was lost before the first was finished. Your picture and the hole are kept.", "Make them again"
    kept = "which is kept" if done == 1 else "which are kept"
    return f"{what} was lost at {done:,}, {kept}.", f"Make the other {len(cells) - done:,}"
