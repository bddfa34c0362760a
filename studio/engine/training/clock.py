"""Count the steps and seconds of a training."""

import contextlib
import threading
import time
from collections.abc import Iterator

from studio.engine.training.pace import Pace

REPORT_SECONDS = 2.0
"""Seconds between two reports of a run, unless it was just measured."""
TICK_SECONDS = 0.5
"""Seconds between two looks at the clock, by which a standstill is noticed."""
STANDSTILL_SECONDS = 5.0
"""Seconds between two looks at the clock above which the process counts as having stood still."""


class StandstillWatch:
    """Measures how long this process stood still: stopped by a signal, or asleep with its computer.

    time.monotonic() counts the seconds in which a process is stopped, and on some systems those in which the computer
    sleeps. A thread looks at it all the time, so a long gap between two looks means that nothing ran.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._looked = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._watch_clock, daemon=True).start()

    @property
    def seconds(self) -> float:
        """Return the seconds of standstill so far."""
        with self._lock:
            now = time.monotonic()
            missed = now - self._looked - TICK_SECONDS
            self._looked = now
            if missed > STANDSTILL_SECONDS:
                self._seconds += missed
            return self._seconds

    def close(self) -> None:
        """End the thread."""
        self._over.set()

    def _watch_clock(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            _ = self.seconds


class TrainingClock:
    """Counts the steps of a training, and the seconds in which it runs.

    The time of other jobs does not count, nor the time in which this process stands still.

    Arguments
        earlier: seconds of training in earlier sessions
    """

    def __init__(self, earlier: float) -> None:
        self._earlier = earlier
        now = time.monotonic()
        self._saved = now
        self._reported = now
        self._resumed = now
        self._checked = now
        self._worked = 0.0
        """Seconds of this session until it paused last."""
        self._steps = 0
        self._pace = Pace()
        self._save_seconds = 0.0
        """Seconds that the last checkpoint took."""
        self._standstill = StandstillWatch()
        self._still = 0.0
        """Seconds of standstill until the clock was started last."""
        self._waited = 0.0
        """Seconds in which nothing could be saved."""

    def count_step(self) -> float:
        """Count a step, and return the seconds of training in all sessions."""
        self._steps += 1
        return self._earlier + self._session_seconds

    @property
    def _session_seconds(self) -> float:
        still = self._standstill.seconds - self._still
        return self._worked + max(0.0, time.monotonic() - self._resumed - still)

    @property
    def is_report_due(self) -> bool:
        """Return whether the first step was just taken, or some seconds passed without a report."""
        return self._steps == 1 or time.monotonic() - self._reported > REPORT_SECONDS

    def note_report(self) -> float:
        """Note that the progress is reported, and return the steps in a second of this session."""
        self._reported = time.monotonic()
        self._pace.add_mark(self._steps, self._reported - self._standstill.seconds - self._waited)
        return self._steps / max(self._session_seconds, 1e-9)

    def seconds_left(self, steps: int) -> float:
        """Return the seconds that `steps` more steps take; 0 if that is not known yet."""
        return self._pace.seconds_for(steps)

    @property
    def seconds_unsaved(self) -> float:
        """Return the seconds since the last checkpoint."""
        return time.monotonic() - self._saved

    def is_save_due(self, interval: float) -> bool:
        """Return whether a checkpoint must be saved now. It must be called once after each step.

        After one more step, more than `interval` seconds would lie between two checkpoints.
        """
        now = time.monotonic()
        step = now - self._checked
        self._checked = now
        return now - self._saved + step + self._save_seconds >= interval

    def note_save(self) -> None:
        """Note that a checkpoint was saved."""
        now = time.monotonic()
        self._save_seconds = now - self._checked
        self._saved = now
        self._checked = now

    def pause(self) -> None:
        """Stop the clock while other jobs work."""
        self._worked = self._session_seconds

    def resume(self) -> None:
        """Start the clock again."""
        self._still = self._standstill.seconds
        self._resumed = time.monotonic()

    @contextlib.contextmanager
    def wait(self) -> Iterator[None]:
        """Stop the clock while nothing can be saved. This time says nothing about how long further steps take."""
        self.pause()
        began = time.monotonic() - self._standstill.seconds
        try:
            yield
        finally:
            self._waited += time.monotonic() - self._standstill.seconds - began
            self.resume()

    def close(self) -> None:
        """End the thread that notices a standstill."""
        self._standstill.close()
