"""Play sound while it is still being generated.

One thread appends samples, the sound card's thread reads them at the card's own rate, and a third thread seeks, loops
and stops. All samples are kept, so the user may return to any place, or repeat a region. Starting, stopping, seeking
and running dry are ramps; a loop is joined without one.
"""

import math
import threading
import time
from typing import NamedTuple

import numpy as np

from studio.media.sounds.resampling import Resampler
from studio.media.sounds.wavetable import CEILING

RAMP = 0.005
"""Seconds from silence to full loudness and back."""
START_BUFFER_SECONDS = 0.06
"""Seconds that must be ready before playback starts, or starts again after it ran dry."""
FASTER_THAN_REAL_TIME = 1.1
"""The speed, in times real time, from which on generating counts as faster than playback."""
KNEE = 0.75
"""The height up to which samples stay unchanged; higher ones are bent to stay below -1 dBFS."""
POLL_SECONDS = 0.002
"""Seconds between two checks for new samples."""
_REMEMBERED_JUMPS = 64
"""The number of a loop's jumps back that are remembered: more than can happen between resampling and playback."""


class _PlaybackTarget(NamedTuple):
    """Holds the present settings of playback. The card's thread sees them replaced as a whole."""

    playing: bool
    jump: int
    """Counts the requests to seek."""
    place: int
    loop: tuple[int, int] | None = None
    """The first sample of the loop, and the one after its last."""


class PlaybackBuffer:
    """Holds samples at `rate` in Hz that are appended while they play. It is paused until `play`."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._samples = np.zeros(4 * rate, np.int16)
        self._count = 0
        self._is_complete = False
        self._target = _PlaybackTarget(False, 0, 0)
        self._target_lock = threading.Lock()
        self.underruns = 0
        """The number of times that the buffer ran empty because nothing was generated in time."""
        self.level = 1.0
        """The loudness from 0 to 1."""
        self._recording: list[np.ndarray] | None = None
        self._recorded_count = 0
        self._resampling_lock = threading.Lock()
        """Held while a few samples are copied, so that samples being resampled are not replaced."""
        # Only the sound card's thread writes to the following.
        self._question = 0.0, 0  # when the card asked last, and for how many samples at `rate`
        self._card = float(rate)
        self._jumps = 0
        self._loud = 1.0
        self._restart_at(0)

    # ── the generating thread ────────────────────────────────────────────────────────────────────

    def append(self, samples: np.ndarray) -> None:
        """Append samples (n,): int16, or floats from -1 to 1; NaN becomes silence."""
        if samples.dtype != np.int16:
            finite = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
            samples = np.rint(finite * 32_768).clip(-32_768, 32_767).astype(np.int16)
        end = self._count + len(samples)
        self._make_room(end)
        self._samples[self._count : end] = samples
        self._count = end  # last: the card's thread reads up to it

    def replace_from(self, first: int, samples: np.ndarray) -> bool:
        """Replace all samples from `first` on by (n,) int16, and return whether that was possible.

        Samples that sound already, or were resampled to the card's rate, stay.
        """
        end = first + len(samples)
        self._make_room(end)
        with self._resampling_lock:
            brought = self._fed > first
            if brought and not self.is_silent:
                return False
            self._samples[first:end] = samples
            self._count = end
        if brought:
            self.seek(self.position)
        return True

    def _make_room(self, end: int) -> None:
        if end > len(self._samples):
            room = np.zeros(2 * end, np.int16)
            room[: self._count] = self._samples[: self._count]
            self._samples = room

    def mark_complete(self) -> None:
        """Mark the sound as complete: nothing more is appended until `mark_incomplete`."""
        self._is_complete = True

    def mark_incomplete(self) -> None:
        """Allow more samples to be appended."""
        if self._is_complete:
            self._is_complete = False
            self.seek(self.position)

    @property
    def first_replaceable(self) -> int:
        """Return the first sample that has not been resampled to the card's rate."""
        return self._fed

    def first_replaceable_after(self, seconds: float) -> int:
        """Return the first sample that will still be replaceable after so many seconds.

        It assumes that the card asks as it did last.
        """
        asked, step = self._question
        now = time.monotonic()
        each = step / self.rate
        left = now + seconds - max(asked + each, now)
        return self._fed + step * (math.floor(left / each) + 1 if left > 0 and step else 0)

    def truncate(self, first: int) -> None:
        """Drop the samples from `first` on."""
        with self._resampling_lock:
            brought = self._fed > first
            self._count = min(self._count, first)
        if brought:
            self.seek(self.position)

    # ── the listening thread ─────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        with self._target_lock:
            self._target = self._target._replace(playing=True)

    def pause(self) -> None:
        with self._target_lock:
            self._target = self._target._replace(playing=False)

    def seek(self, seconds: float) -> None:
        """Continue from there, or from the end if that is not generated yet."""
        place = min(max(round(seconds * self.rate), 0), self._count)
        with self._target_lock:
            self._target = self._target._replace(jump=self._target.jump + 1, place=place)

    def set_loop(self, begin: float | None, end: float = 0.0) -> None:
        """Repeat the part between two seconds once it is reached; None repeats nothing."""
        region = None if begin is None else (round(begin * self.rate), round(end * self.rate))
        with self._target_lock:
            self._target = self._target._replace(loop=region if region is not None and region[0] < region[1] else None)

    def start_recording(self) -> None:
        """Start to record the samples that the card receives, at its rate."""
        self._recording = []
        self._recorded_count = 0

    @property
    def recorded_seconds(self) -> float:
        """Return the seconds that are recorded so far."""
        return self._recorded_count / self._card

    def stop_recording(self) -> tuple[np.ndarray, float]:
        """Stop recording. Return the recording (n,) float32 without `level`, and its rate in Hz."""
        tape = self._recording or []
        self._recording = None
        self._recorded_count = 0
        return np.concatenate((np.zeros(0, np.float32), *tape)), self._card

    @property
    def samples(self) -> np.ndarray:
        """Return all samples so far, (n,) int16."""
        count = self._count
        return self._samples[:count]

    @property
    def position(self) -> float:
        """Return the seconds that the card has received; they are heard its latency later."""
        target = self._target
        place = (
            float(target.place)
            if target.jump != self._jumps
            else self._place_after(self._given * self.rate / self._card)
        )
        return min(place, self._count) / self.rate

    def _place_after(self, played: float) -> float:
        """Return the place that follows after so many samples since the last jump."""
        turns = self._turns
        fed, place = next((turn for turn in reversed(turns) if turn[0] <= played), turns[0])
        return place + played - fed

    @property
    def buffered_seconds(self) -> float:
        """Return the seconds that are generated and not yet given to the card."""
        return max(self._count / self.rate - self.position, 0.0)

    @property
    def is_silent(self) -> bool:
        """Return whether nothing is heard and the last ramp is over."""
        return self._gain == 0.0

    @property
    def has_ended(self) -> bool:
        """Return whether all of it was heard.

        An end after an underrun that is shorter than its ramp counts as heard.
        """
        return self._is_complete and self.is_silent and self._flushed and self._ready.size <= self._ramp

    # ── the sound card's thread ──────────────────────────────────────────────────────────────────

    def set_card_rate(self, rate: float) -> None:
        """Prepare for a card that reads so many samples a second. Playback continues at its place."""
        place = round(self._place_after(self._given * self.rate / self._card))
        self._card = rate
        self._restart_at(min(place, self._count))

    def fill(self, out: np.ndarray, until: float = 0.0) -> None:
        """Write the next samples into `out` (n,) float32.

        It does not run dry before `until`, in time.monotonic(). The card plays what it has until then, so a generator
        that was delayed may catch up.
        """
        self._question = (time.monotonic(), math.ceil(len(out) * self.rate / self._card))
        at = 0
        while at < len(out):
            part = out[at:]
            if self._gain == 0.0 and self._target.jump != self._jumps:
                self._jumps = self._target.jump
                self._restart_at(min(self._target.place, self._count))
            self._fetch(wanted := len(part) + self._ramp)
            while self._waits_for(wanted) and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
                self._fetch(wanted)
            count = self._fade_in(part) if self._may_sound() else self._fade_out(part)
            if not count:
                part[:] = 0
                break
            at += count

    def _restart_at(self, place: int) -> None:
        """Continue at a sample, from silence."""
        # Of the samples that were resampled since: how many there were at each jump, and where it led.
        self._fed = place
        self._resampled_count = 0
        self._turns: tuple[tuple[int, int], ...] = ((0, place),)
        self._given = 0
        self._gain = 0.0
        self._dry = True
        self._flushed = False
        self._ready = np.zeros(0, np.float32)
        self._ramp = round(RAMP * self._card)
        self._resampler = Resampler(self.rate, round(self._card)) if self._card != self.rate else None

    def _waits_for(self, wanted: int) -> bool:
        """Return whether so many samples are not ready, so that playback waits for the generator."""
        target = self._target
        sounding = target.playing and target.jump == self._jumps and not self._dry
        return sounding and not self._is_complete and self._ready.size < wanted

    def _may_sound(self) -> bool:
        """Return whether there is enough to continue; count an underrun if it ran dry."""
        target = self._target
        if not target.playing or target.jump != self._jumps:
            return False
        if self._ready.size <= self._ramp:  # the rest is faded out
            self.underruns += not (self._dry or self._is_complete)
            self._dry = True
            return False
        self._dry = (
            self._dry and not self._is_complete and target.loop is None and self.buffered_seconds < START_BUFFER_SECONDS
        )
        return not self._dry

    def _fade_in(self, part: np.ndarray) -> int:
        """Fade in up to full loudness, then continue; return how many samples were written."""
        count = min(len(part), self._ready.size - self._ramp)
        if self._gain < 1:
            count = min(count, round((1 - self._gain) * self._ramp) or 1)
            end = min(self._gain + count / self._ramp, 1.0)
            self._hand_out(part[:count], np.linspace(self._gain, end, count, endpoint=False, dtype=np.float32))
            self._gain = end
        else:
            self._hand_out(part[:count], None)
        return count

    def _fade_out(self, part: np.ndarray) -> int:
        """Fade out to silence; return how many samples were written."""
        count = min(len(part), round(self._gain * self._ramp), self._ready.size)
        if count:
            end = max(self._gain - count / self._ramp, 0.0)
            self._hand_out(part[:count], np.linspace(self._gain, end, count, endpoint=False, dtype=np.float32))
            self._gain = end
            return count
        self._gain = 0.0
        return 0

    def _hand_out(self, part: np.ndarray, gain: np.ndarray | None) -> None:
        part[:] = limit_level(self._ready[: len(part)])
        if gain is not None:
            part *= gain
        if self._recording is not None:
            self._recording.append(part.copy())
            self._recorded_count += len(part)
        loud = self._loud
        self._loud = self.level
        if loud != self._loud:
            part *= np.linspace(loud, self._loud, len(part), dtype=np.float32)
        elif loud != 1.0:
            part *= np.float32(loud)
        self._ready = self._ready[len(part) :]
        self._given += len(part)

    def _fetch(self, wanted: int) -> None:
        """Resample until so many samples are ready, as far as they are generated."""
        parts = [self._ready]
        there = self._ready.size
        while there < wanted:
            few = math.ceil((wanted - there) * self.rate / self._card)
            with self._resampling_lock:
                piece, last = self._next_samples(few)
                found = piece.astype(np.float32) / np.float32(32_768)
                if self._flushed or (not len(piece) and not last):
                    break
                self._fed = self._fed + len(piece)
                self._flushed = last
            if self._resampler is not None:
                found = self._resampler.resample(found, last)
            self._resampled_count += len(piece)
            parts.append(found)
            there += len(found)
        if len(parts) > 1:
            self._ready = np.concatenate(parts)

    def _next_samples(self, few: int) -> tuple[np.ndarray, bool]:
        """Return the next samples, a few at most, and whether they are the last."""
        count = self._count  # before the array, which may have been replaced by a longer one by then
        made = self._samples
        end, repeats = self._stop_or_turn(count)
        piece = made[self._fed : min(self._fed + few, end)]
        return piece, self._is_complete and not repeats and self._fed + len(piece) >= count

    def _stop_or_turn(self, count: int) -> tuple[int, bool]:
        """Return where playback stops or turns back, and whether it turns back.

        It turns back at the end of a loop.
        """
        loop = self._target.loop
        if loop is None or loop[1] > count or self._fed > loop[1]:
            return count, False
        if self._fed == loop[1]:
            self._fed = loop[0]
            self._turns = (*self._turns[-_REMEMBERED_JUMPS:], (self._resampled_count, loop[0]))
        return loop[1], True


def limit_level(wave: np.ndarray) -> np.ndarray:
    """Limit samples (n,) float32 to -1 dBFS.

    Up to KNEE they are unchanged; above it the curve gets ever less steep.
    """
    height = np.abs(wave)
    if not height.size or height.max() <= KNEE:
        return wave
    room = CEILING - KNEE
    limited = KNEE + room * np.tanh(np.maximum(height - KNEE, 0) / room)
    found: np.ndarray = np.where(height > KNEE, np.sign(wave) * limited, wave).astype(np.float32)
    return found
