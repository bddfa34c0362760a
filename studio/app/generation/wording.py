"""Writes the sentences about the pictures of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.app.core.text import FIGURE_SPACE, group_digits
from studio.app.generation.run import Cell


@dataclass(frozen=True)
class BatchText:
    """Writes sentences about pictures of one noun."""

    noun: str = "picture"
    source: str = ""
    """The origin of the pictures: the model's title, or the name of a picture."""
    kept_text: str = "The settings are kept."
    """The sentence if no picture is finished."""
    unfinished_text: str = ""
    """The sentence while some are finished and the others form."""
    is_ranked: bool = False
    """Whether they are sorted by their likelihood instead of their seeds."""
    rows: int = 0
    """How many rows are drawn one after another; 0 for pictures drawn whole."""
    note: str = ""
    """A sentence about the bits of sharpened pictures."""

    def count_text(self, number: int) -> str:
        return f"1 {self.noun}" if number == 1 else f"{number:,} {self.noun}s"

    def progress_text(self, cells: Sequence[Cell], left: str, ready: bool, slow: bool = False) -> str:
        """Return the caption below the grid while it forms.

        `left` is the time left in words, or empty. `slow` is true until the loop is compiled.
        """
        if not ready:
            return f"The engine is starting. The {self.noun}s follow by themselves."
        done = _finished_count(cells)
        forming = next((cell for cell in cells if cell.picture is not None and not cell.finished), None)
        step = f"{step_text(forming, self.rows)}. " if forming is not None else ""
        text = f"{step}{done:,} of {len(cells):,} finished{f', {left} left' if left else ''}."
        if slow:
            return f"{text} First run: preparing the fast version."
        return f"{text} {self.unfinished_text}".strip() if done else text

    def finished_text(self, cells: Sequence[Cell]) -> str:
        """Return the caption below the grid after a run."""
        if not all(cell.finished for cell in cells):
            return self.stopped_text(cells)
        if not cells:
            return ""
        if self.is_ranked:
            order = " The most typical first." if len(cells) > 1 else ""
            return f"{self.count_text(len(cells))}.{order} {self.note}".strip()
        first = group_digits(cells[0].seed)
        last = group_digits(cells[-1].seed)
        seeds = f"seeds {first} to {last}" if len(cells) > 1 else f"seed {first}"
        return f"{self.count_text(len(cells))}, {seeds}. {self.note}".strip()

    def stopped_text(self, cells: Sequence[Cell]) -> str:
        half_drawn = next((cell for cell in cells if cell.picture is not None and not cell.finished), None)
        at = f" at row {half_drawn.rows_drawn(self.rows)}" if self.rows and half_drawn is not None else ""
        done = _finished_count(cells)
        half = sum(cell.picture is not None for cell in cells) - done
        also = f" and {half:,} half-drawn" if half else ""
        if not done and not half:
            return f"Stopped before the first of {len(cells):,} was finished. {self.kept_text}"
        outcome = "is kept" if done + half == 1 else "are kept"
        return f"Stopped{at}. {done:,} finished{also} of {self.count_text(len(cells))} {outcome}."

    def lost_text(self, cells: Sequence[Cell]) -> tuple[str, str]:
        """Return the sentence and the button's text after the engine died."""
        done = _finished_count(cells)
        count = f'"{self.count_text(len(cells))}"'
        if not done:
            return f"{count} was lost before the first was finished. {self.kept_text}", "Make them again"
        outcome = "which is kept" if done == 1 else "which are kept"
        return f"{count} was lost at {done:,}, {outcome}.", f"Make the other {len(cells) - done:,}"


def step_text(cell: Cell, rows: int = 0) -> str:
    """Return how far a picture is drawn.

    That is `Row 19 of 32` if it is drawn in rows, otherwise `Step 3 of 5`. The number has a fixed width, so that the
    text after it does not move.
    """
    name, done, total = ("Row", cell.rows_drawn(rows), rows) if rows else ("Step", cell.done, cell.total)
    return f"{name} {str(done).rjust(len(str(total)), FIGURE_SPACE)} of {total}"


def _finished_count(cells: Sequence[Cell]) -> int:
    return sum(cell.finished for cell in cells)
