"""Play a single cycle as a note. It can change while it plays, without clicks.

The wave is read at one phase, which is never set back. A new pitch continues from it. A new wave is faded in over the
old one, both read at that phase. Starting, stopping and all changes of loudness are ramps.
"""

from typing import NamedTuple

import numpy as np

from studio.media.sounds import wavetable
from studio.media.sounds.wavetable import CEILING, TABLE_SAMPLES

CROSSFADE = 0.02
"""Seconds from one wave to the next."""
RAMP = 0.005
"""Seconds from silence to full loudness; smaller changes take a proportional time."""
BLOCK = 1024
"""The number of samples made at once; a sound card that asks for more gets several."""


class _OscillatorTarget(NamedTuple):
    """Holds the present sound. It is replaced as a whole, so the sound card's thread never sees half of it."""

    table: np.ndarray | None
    hertz: float
    loudness: float


class Oscillator:
    """Plays notes as a SampleSource.

    The window's thread sets the target, and the sound card's thread reads the newest target once a block.
    """

    def __init__(self, rate: float = 48_000.0) -> None:
        self._rate = rate
        self._cycle: np.ndarray | None = None
        self._level = 1.0
        self._note: float | None = None
        self._hertz = wavetable.note_frequency(57)
        self._target = _OscillatorTarget(None, self._hertz, 0.0)
        # Only the sound card's thread writes to the following.
        self._phase = 0.0
        self._loudness = 0.0
        self._table: np.ndarray | None = None
        self._next: np.ndarray | None = None
        self._faded = 0.0
        """The share of the new wave `_next` in the sound, from 0 to 1."""
        self._count = np.arange(1, BLOCK + 1, dtype=np.float64)
        self._at = np.empty(BLOCK)
        self._share = np.empty(BLOCK)
        self._place = np.empty(BLOCK, np.intp)
        self._one, self._other, self._step = (np.empty(BLOCK, np.float32) for _ in range(3))

    # ── the window's thread ──────────────────────────────────────────────────────────────────────

    @property
    def is_silent(self) -> bool:
        """Return whether nothing is heard any more and the last ramp is over."""
        return self._loudness == 0.0 and self._target.loudness == 0.0

    def set_card_rate(self, rate: float) -> None:
        """Prepare for a sound card that reads this many samples a second, starting in silence."""
        self._loudness = 0.0
        if rate != self._rate:
            self._rate = rate
            self._update_target(fresh=True)

    def play_note(self, note: float) -> None:
        """Hold this note (MIDI: 69 is the A of 440 Hz) until `release_note`. A second note is a legato."""
        self._note = note
        before = self._hertz
        self._hertz = wavetable.note_frequency(note)
        self._update_target(fresh=self._hertz != before)

    def release_note(self) -> None:
        self._note = None
        self._update_target()

    def set_wave(self, cycle: np.ndarray) -> None:
        """Play another int16 cycle from now on, also during a note."""
        self._cycle = cycle
        self._update_target(fresh=True)

    def set_level(self, level: float) -> None:
        """Set the loudness, 0 to 1."""
        self._level = min(max(level, 0.0), 1.0)
        self._update_target()

    def _update_target(self, fresh: bool = False) -> None:
        table = self._target.table
        if fresh and self._cycle is not None:
            table = wavetable.band_limited_table(self._cycle, self._hertz, self._rate)
        self._target = _OscillatorTarget(table, self._hertz, self._level if self._note is not None else 0.0)

    # ── the sound card's thread ──────────────────────────────────────────────────────────────────

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        """Write the next samples, (n,) float32. It waits for nothing and allocates nothing."""
        for start in range(0, len(out), BLOCK):
            self._fill_block(out[start : start + BLOCK])

    def _fill_block(self, out: np.ndarray) -> None:
        target = self._target
        n = len(out)
        table = target.table
        if table is None or (self._loudness == 0.0 and target.loudness == 0.0):
            self._table = table
            self._next = None
            out[:] = 0.0
            return
        if self._table is None or self._loudness == 0.0:
            self._table = table
            self._next = None
        elif self._next is None and self._table is not table:
            self._next = table
            self._faded = 0.0
        self._table_places(target.hertz / self._rate, n)
        self._look_up(self._table, out)
        if self._next is not None:
            self._crossfade(out)
        self._apply_ramp(target.loudness, out)
        np.clip(out, -CEILING, CEILING, out=out)

    def _table_places(self, step: float, n: int) -> None:
        """Return where in a table the next n samples lie: whole places, and the fractions behind them."""
        at = self._at[:n]
        np.multiply(self._count[:n], step, out=at)
        at += self._phase
        self._phase = float(at[-1]) % 1.0
        np.mod(at, 1.0, out=at)
        at *= TABLE_SAMPLES
        self._place[:n] = at
        at -= self._place[:n]

    def _look_up(self, table: np.ndarray, out: np.ndarray) -> None:
        place = self._place[: len(out)]
        step = self._step[: len(out)]
        np.take(table, place, out=out, mode="clip")
        place += 1
        np.take(table, place, out=step, mode="clip")
        place -= 1
        step -= out
        step *= self._at[: len(out)]
        out += step

    def _crossfade(self, out: np.ndarray) -> None:
        """Fade from the old wave to the new one.

        Both have the same pitch and phase, so shares that sum to one keep the loudness.
        """
        assert self._next is not None
        n = len(out)
        other = self._other[: len(out)]
        self._look_up(self._next, other)
        share = self._share[:n]
        np.multiply(self._count[:n], 1 / (CROSSFADE * self._rate), out=share)
        share += self._faded
        np.minimum(share, 1.0, out=share)
        self._faded = float(share[-1])
        other -= out
        other *= share
        out += other
        if self._faded >= 1.0:
            self._table = self._next
            self._next = None

    def _apply_ramp(self, wanted: float, out: np.ndarray) -> None:
        now = self._loudness
        if now == wanted:
            out *= np.float32(wanted)
            return
        share = self._share[: len(out)]
        np.multiply(self._count[: len(out)], (1 if wanted > now else -1) / (RAMP * self._rate), out=share)
        share += now
        np.clip(share, min(now, wanted), max(now, wanted), out=share)
        self._loudness = float(share[-1])
        out *= share
