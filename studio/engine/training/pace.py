"""Estimate the remaining time of a training from its recent pace."""

from collections import deque

WINDOW_SECONDS = 600.0
"""Only the pace of the last ten minutes counts, so that the estimate follows a computer that becomes busy."""


class Pace:
    """Measures the pace in real time, which includes measuring, saving, drawing samples and other jobs.

    The first step and the time just after it do not count, because everything is prepared and the first samples drawn.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque()
        self._has_begun = False

    def add_mark(self, steps: int, now: float) -> None:
        """Note the number of steps that this session has taken at the time `now`, in seconds."""
        if not self._has_begun:
            self._has_begun = True
            return
        self._marks.append((steps, now))
        while len(self._marks) > 2 and now - self._marks[1][1] >= WINDOW_SECONDS:
            self._marks.popleft()

    def seconds_for(self, steps: int) -> float:
        """Return the seconds that `steps` more steps take; 0 if that is not known yet."""
        if len(self._marks) < 2:
            return 0.0
        first, begin = self._marks[0]
        last, end = self._marks[-1]
        return steps * (end - begin) / max(last - first, 1)
