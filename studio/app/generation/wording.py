"""What is said of the pictures of a run, by the name that people call them."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.app.core.text import FIGURE_SPACE, group_digits
from studio.app.generation.run import Cell


@dataclass(frozen=True)
class BatchText:
    """How to speak of them."""

    noun: str = "picture"
    source: str = ""
    """What they are made from: the title of a model, the name of a picture."""
    kept_text: str = "The settings are kept."
    """Said where none of them is finished."""
    unfinished_text: str = ""
    """Said while some are and the others form."""
    is_ranked: bool = False
    """Whether they stand by their likelihood instead of in the order of their seeds."""
    rows: int = 0
    """In how many rows each is drawn one after another; 0 where it is drawn whole."""

    def count_text(self, number: int) -> str:
        return f"1 {self.noun}" if number == 1 else f"{number:,} {self.noun}s"

    def progress_text(self, cells: Sequence[Cell], left: str, ready: bool, slow: bool = False) -> str:
        """Below the grid, while it forms; `left` is the time left in words, or empty; `slow` until a loop is there."""
        if not ready:
            return f"The engine is starting. The {self.noun}s follow by themselves."
        done = _finished_count(cells)
        forming = next((cell for cell in cells if cell.picture is not None and not cell.finished), None)
        step = f"{step_text(forming, self.rows)}. " if forming is not None else ""
        said = f"{step}{done:,} of {len(cells):,} finished{f', {left} left' if left else ''}."
        if slow:
            return f"{said} First run on this computer: preparing the fast version."
        return f"{said} {self.unfinished_text}".strip() if done else said

    def finished_text(self, cells: Sequence[Cell]) -> str:
        """Below the grid, when nothing of it forms any more."""
        if not all(cell.finished for cell in cells):
            return self.stopped_text(cells)
        if not cells or self.is_ranked:
            order = " The most typical first." if len(cells) > 1 else ""
            return f"{self.count_text(len(cells))}.{order}" if cells else ""
        first = group_digits(cells[0].seed)
        last = group_digits(cells[-1].seed)
        return f"{self.count_text(len(cells))}, {f'seeds {first} to {last}' if len(cells) > 1 else f'seed {first}'}."

    def stopped_text(self, cells: Sequence[Cell]) -> str:
        half_drawn = next((cell for cell in cells if cell.picture is not None and not cell.finished), None)
        at = f" at row {half_drawn.rows_drawn(self.rows)}" if self.rows and half_drawn is not None else ""
        done = _finished_count(cells)
        half = sum(cell.picture is not None for cell in cells) - done
        also = f" and {half:,} half-drawn" if half else ""
        if not done and not half:
            return f"Stopped before the first of {len(cells):,} was finished. {self.kept_text}"
        kept = "is kept" if done + half == 1 else "are kept"
        return f"Stopped{at}. {done:,} finished{also} of {self.count_text(len(cells))} {kept}."

    def lost_text(self, cells: Sequence[Cell]) -> tuple[str, str]:
        """What became of them when the engine died, and the name of the button that makes the rest."""
        done = _finished_count(cells)
        what = f'"{self.count_text(len(cells))}"'
        if not done:
            return f"{what} was lost before the first was finished. {self.kept_text}", "Make them again"
        kept = "which is kept" if done == 1 else "which are kept"
        return f"{what} was lost at {done:,}, {kept}.", f"Make the other {len(cells) - done:,}"


def step_text(cell: Cell, rows: int = 0) -> str:
    """How far a picture is: `Row 19 of 32` where it is drawn in so many rows, else `Step 3 of 5`. What follows stays in
    its place while the figure grows."""
    name, done, total = ("Row", cell.rows_drawn(rows), rows) if rows else ("Step", cell.done, cell.total)
    return f"{name} {str(done).rjust(len(str(total)), FIGURE_SPACE)} of {total}"


def _finished_count(cells: Sequence[Cell]) -> int:
    return sum(cell.finished for cell in cells)
