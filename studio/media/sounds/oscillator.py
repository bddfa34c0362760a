"""A single cycle held as a tone: it changes while it sounds, and never clicks.

The wave is read at one phase, which nothing ever sets back: another pitch goes on from it, and another
wave is faded in over the old one, both read at that phase. Starting, stopping and every other loudness are ramps.
"""

from typing import NamedTuple

import numpy as np

from studio.media.sounds import wavetable
from studio.media.sounds.wavetable import CEILING, TABLE_SAMPLES

CROSSFADE = 0.02
"""Seconds from one wave to the next."""
RAMP = 0.005
"""Seconds from silence to full loudness; smaller changes take their share of it."""
BLOCK = 1024
"""Samples made at once; a sound card that asks for more gets several."""


class _OscillatorTarget(NamedTuple):
    """What should sound: replaced as a whole, so that the sound card's thread never sees half of it."""

    table: np.ndarray | None
    hertz: float
    loudness: float


class Oscillator:
    """A Source. The window's thread wishes, the sound card's thread reads the newest wish once a block."""

    def __init__(self, rate: float = 48_000.0) -> None:
        self._rate = rate
        self._cycle: np.ndarray | None = None
        self._level = 1.0
        self._note: float | None = None
        self._hertz = wavetable.note_frequency(57)
        self._target = _OscillatorTarget(None, self._hertz, 0.0)
        # From here on only the sound card's thread writes.
        self._phase = 0.0
        self._loudness = 0.0
        self._table: np.ndarray | None = None
        self._next: np.ndarray | None = None
        self._faded = 0.0
        """Share of `_next` in what sounds, 0 to 1."""
        self._count = np.arange(1, BLOCK + 1, dtype=np.float64)
        self._at = np.empty(BLOCK)
        self._share = np.empty(BLOCK)
        self._place = np.empty(BLOCK, np.intp)
        self._one, self._other, self._step = (np.empty(BLOCK, np.float32) for _ in range(3))

    # ── the window's thread ──────────────────────────────────────────────────────────────────────

    @property
    def is_silent(self) -> bool:
        """Whether nothing is heard any more, the last ramp over."""
        return self._loudness == 0.0 and self._target.loudness == 0.0

    def set_card_rate(self, rate: float) -> None:
        """A sound card will read this many samples a second, and begins in silence."""
        self._loudness = 0.0
        if rate != self._rate:
            self._rate = rate
            self._update_target(fresh=True)

    def play_note(self, note: float) -> None:
        """Hold this note (MIDI: 69 is the A of 440 Hz) until `release`; another one while it sounds is a legato."""
        self._note = note
        before = self._hertz
        self._hertz = wavetable.note_frequency(note)
        self._update_target(fresh=self._hertz != before)

    def release_note(self) -> None:
        self._note = None
        self._update_target()

    def set_wave(self, cycle: np.ndarray) -> None:
        """Another int16 cycle, also while one sounds."""
        self._cycle = cycle
        self._update_target(fresh=True)

    def set_level(self, level: float) -> None:
        """How loud, 0 to 1."""
        self._level = min(max(level, 0.0), 1.0)
        self._update_target()

    def _update_target(self, fresh: bool = False) -> None:
        table = self._target.table
        if fresh and self._cycle is not None:
            table = wavetable.band_limited_table(self._cycle, self._hertz, self._rate)
        self._target = _OscillatorTarget(table, self._hertz, self._level if self._note is not None else 0.0)

    # ── the sound card's thread ──────────────────────────────────────────────────────────────────

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        """Write the next samples, (n,) float32. Waits for nothing, and keeps what it computes with."""
        for start in range(0, len(out), BLOCK):
            self._block(out[start : start + BLOCK])

    def _block(self, out: np.ndarray) -> None:
        wish = self._target
        n = len(out)
        table = wish.table
        if table is None or (self._loudness == 0.0 and wish.loudness == 0.0):
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
        self._read(wish.hertz / self._rate, n)
        self._look_up(self._table, out)
        if self._next is not None:
            self._fade(out)
        self._ramp(wish.loudness, out)
        np.clip(out, -CEILING, CEILING, out=out)

    def _read(self, step: float, n: int) -> None:
        """Where in a table the next n samples lie: whole places, and how far behind them."""
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

    def _fade(self, out: np.ndarray) -> None:
        """Both are the same pitch at the same phase, so that shares that sum to one keep the loudness."""
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

    def _ramp(self, wanted: float, out: np.ndarray) -> None:
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
