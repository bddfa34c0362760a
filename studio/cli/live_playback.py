"""Generate recordings in the terminal piece by piece, and play them meanwhile."""

import argparse
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from studio.cli import command
from studio.library import storage
from studio.library.work import Work, encode_wav
from studio.media.sounds.playback import FASTER_THAN_REAL_TIME, START_BUFFER_SECONDS, PlaybackBuffer
from studio.media.sounds.silence import LONG_SILENCE_SECONDS, silent_tail
from studio.media.sounds.speaker import NoSoundOutput, Speaker
from studio.wire import messages as wire

PAUSE_SECONDS = 0.5
"""Seconds of silence between two recordings."""
SPEED_KNOWN_SECONDS = 0.5
"""Seconds of sound after which their speed is known."""
EXPLAIN_AFTER_SECONDS = 1.0
"""Seconds without the fast loop after which the user is told."""
POLL_SECONDS = 0.05
"""Seconds between two checks of playback."""
FADE_SECONDS = 0.2
"""The most seconds that a fade may take: the sound card may be gone."""


class MadeRecording(NamedTuple):
    """Holds a recording (n,) int16, its nats at temperature 1, and whether it is complete."""

    samples: wire.Array
    log_prob: float
    is_complete: bool


class LivePlayback:
    """Plays `count` recordings of `seconds` each while they are made, at `rate` in Hz.

    If s seconds are made in a second and t are left to be heard, playing begins once t (1 - s) of them are made. Then
    there is no gap.
    """

    def __init__(self, rate: int, seconds: float, count: int = 1, on: bool = True) -> None:
        self.is_playing = on
        """Whether the sound is played."""
        self.failed = False
        """Whether playback failed before its end."""
        self._stream = PlaybackBuffer(rate)
        self._speaker = Speaker()
        self._seconds = count * seconds + (count - 1) * PAUSE_SECONDS
        self._whole = False
        """Whether all is generated."""
        self._fast_since: float | None = None
        """The time since which the speed of the fast loop is measured."""
        self._measured_seconds = 0.0
        """Seconds of sound that were generated since then."""
        self._speed = 0.0
        """Seconds of sound that are generated in a second."""
        self._begins: list[tuple[float, str]] = []
        """The seconds at which recordings begin, with their names, until they are heard."""
        self._sounds = False
        """Whether the sound card plays."""
        self._explanation = ""
        """The reason for the silence that the user was told last."""
        self._underrun_count = 0
        """Underruns so far."""
        self._first_chunk_at = math.inf
        """The time when the first chunk came."""

    def __enter__(self) -> "LivePlayback":
        if self.is_playing and self._open():  # only a trial: the card would run dry during loading
            self._speaker.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, way: TracebackType | None
    ) -> None:
        self.fade_out()

    # ── generating ───────────────────────────────────────────────────────────────────────────────

    def start_recording(self, words: str, before: wire.Array | None = None) -> None:
        """Begin the next recording, with its name; `before` (n,) int16 exists already."""
        if not self.is_playing:
            return
        if len(self._stream.samples):
            self._stream.append(np.zeros(round(PAUSE_SECONDS * self._stream.rate), np.int16))
        self._begins.append((len(self._stream.samples) / self._stream.rate, words))
        if before is not None:
            self._stream.append(before)

    def stream_sound(self, jobs: Any, ask: wire.StreamSound) -> MadeRecording:
        """Generate a recording, and play its chunks. Ctrl+C ends it and keeps what was generated."""
        parts: list[wire.Array] = []
        bits = 0.0
        try:
            for event in command.run_job(jobs, ask):
                if isinstance(event, wire.SoundChunk):
                    parts.append(event.samples)
                    bits += float(event.bits.sum(dtype=np.float64))
                    self._append_chunk(event)
                    command.show_progress(
                        self._progress_text or f"{event.first_sample / self._stream.rate / (ask.seconds or 1):.0%} made"
                    )
        except KeyboardInterrupt:
            self.fade_out()
            if not parts:
                raise
            return MadeRecording(np.concatenate(parts), -math.log(2) * bits, False)
        return MadeRecording(np.concatenate(parts), -math.log(2) * bits, True)

    def _append_chunk(self, event: wire.SoundChunk) -> None:
        if self.is_playing:
            self._stream.append(event.samples)
            self._first_chunk_at = min(self._first_chunk_at, time.monotonic())
            if self._fast_since is not None:
                self._measured_seconds += len(event.samples) / self._stream.rate
                self._speed = self._measured_seconds / (time.monotonic() - self._fast_since)
            elif event.speed:
                self._fast_since = time.monotonic()
            self._update()

    # ── playing ──────────────────────────────────────────────────────────────────────────────────

    def wait_until_heard(self) -> None:
        """Wait until all that was generated is heard."""
        self._whole = True
        self._stream.mark_complete()
        try:
            while self.is_playing and not self._stream.has_ended:
                self._update()
                command.show_progress(self._progress_text)
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Stopped. All was made, {self._stream.position:.1f} s were heard.") from None
        if self.is_playing:
            time.sleep(self._speaker.delay)
            command.print_message(f"Heard {self._stream.position:.1f} s, {self._speed_text}, {self._underruns_text}.")

    def fade_out(self) -> None:
        """Fade to silence, and play no more."""
        if self.is_playing:
            self._stream.pause()
            end = time.monotonic() + FADE_SECONDS
            while not self._stream.is_silent and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(self._speaker.delay)
        self.is_playing = False
        self._speaker.close()

    def _update(self) -> None:
        """Start playback once it will have no gap, and tell the user what happens."""
        if fault := self._speaker.fault():
            self._give_up(fault)
            return
        gaps = self._stream.underruns
        if gaps > self._underrun_count:  # it is slower than before
            self._underrun_count = gaps
            self._sounds = False
            self._explanation = ""
            self._fast_since = None
            self._measured_seconds = 0.0
            self._stream.pause()
        if not self._sounds and (
            self._whole
            or (self._measured_seconds >= SPEED_KNOWN_SECONDS and self._stream.buffered_seconds >= self._needed)
        ):
            self._sounds = self._stream.position > 0 or self._open()
            self._stream.play()
        while self._sounds and self._begins and self._begins[0][0] <= self._stream.position:
            command.print_message(f"Playing {self._begins.pop(0)[1]}.")
        if not self._sounds:
            self._explain_wait()

    def _explain_wait(self) -> None:
        """Tell the user why nothing is heard yet, once that is known and will last."""
        missing = self._needed - self._stream.buffered_seconds
        if self._measured_seconds >= SPEED_KNOWN_SECONDS and missing > self._speed and self._explanation != "slow":
            self._explanation = "slow"
            verb = "continues" if self._underrun_count else "starts"
            wait = f"in about {missing / self._speed:.0f} s"
            command.print_message(f"{self._speed_text}. Playing {verb} {wait}, then without a gap.")
        elif (
            not self._speed
            and not self._explanation
            and time.monotonic() > self._first_chunk_at + EXPLAIN_AFTER_SECONDS
        ):
            self._explanation = "new"
            command.print_message("First run on this computer: preparing the fast version. Then playing starts.")

    def _open(self) -> bool:
        """Open the sound card; return whether it plays."""
        try:
            self._speaker.open(self._stream)
        except NoSoundOutput as fault:
            self._give_up(str(fault))
        return self.is_playing

    def _give_up(self, why: str) -> None:
        self.is_playing = False
        self.failed = True
        self._speaker.close()
        command.print_message(why)

    @property
    def _needed(self) -> float:
        """Return the seconds that must be generated, but not heard, before playback starts."""
        return max(
            (self._seconds - self._stream.position) * (1 - self._speed / FASTER_THAN_REAL_TIME), START_BUFFER_SECONDS
        )

    @property
    def _progress_text(self) -> str:
        """Return the progress as text; empty if nothing is played."""
        if not self.is_playing:
            return ""
        stream = self._stream
        made = len(stream.samples) / stream.rate
        progress = f"{stream.position:.1f} of {self._seconds:.1f} s heard, {made:.1f} s made"
        return f"{progress}, {self._speed_text}, {self._underruns_text}"

    @property
    def _speed_text(self) -> str:
        if not self._speed:
            return "getting ready"
        digits = 1 if self._speed >= 0.1 else 3
        return f"{self._speed:.{digits}f} × real time"

    @property
    def _underruns_text(self) -> str:
        count = self._stream.underruns + self._speaker.underruns
        return f"{count or 'no'} gap{'s' * (count != 1)}"


def print_nothing_made(out: str) -> None:
    """Tell the user that nothing was generated, and how to save it instead."""
    command.print_message(f"Nothing was made, because it cannot be played. Add --out {out} to save it instead.")


def print_silence(samples: wire.Array, work: Work) -> None:
    """Print where a long silence at the end of a sound (n,) int16 begins."""
    silent = silent_tail(samples[work.continued_samples :])
    if silent >= LONG_SILENCE_SECONDS * work.sample_rate:
        since = (len(samples) - silent) / work.sample_rate
        command.print_message(f"It is silent from {since:.1f} s on. Try another seed or a higher temperature.")


def save_recording(args: argparse.Namespace, path: Path | None, made: MadeRecording, work: Work) -> None:
    """Save a recording if the user wants that, and print it. Raises KeyboardInterrupt if it was stopped."""
    if path is not None:
        storage.write_file(path, encode_wav(made.samples, work))
    line = {"file": path and str(path), "seed": work.seed, "log_prob": made.log_prob}
    command.print_result(args, line, f"seed {work.seed}" if path is None else str(path))
    print_silence(made.samples, work)
    if not made.is_complete:
        seconds = (len(made.samples) - work.continued_samples) / work.sample_rate
        kept = f"Seed {work.seed} makes it again." if path is None else f"The {seconds:.1f} s that were made are kept."
        raise KeyboardInterrupt(f"Stopped. {kept}")
