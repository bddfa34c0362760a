"""Replaces the speaker: keeps what it plays, and fails when a test needs it."""

import numpy as np

from studio.media.sounds.speaker import NoSoundOutput, SampleSource


class FakeSpeaker:
    """Has the methods of studio.media.sounds.speaker.Speaker."""

    rate = 48_000
    block = 480
    """Samples that it requests at once."""

    def __init__(self) -> None:
        self.source: SampleSource | None = None
        self.names: tuple[str, ...] = ("Built-in speakers", "Headphones")
        self.device = ""
        self.delay = self.latency = self.still = 0.0
        self.opens = self.closes = 0
        self.refuses = ""
        self.faults = ""

    def outputs(self) -> tuple[str, ...]:
        return self.names

    def open(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None:
        self.opens += 1
        self.latency = latency
        self.device = device or self.names[0]
        if self.refuses:
            raise NoSoundOutput(self.refuses)
        source.set_card_rate(self.rate)
        self.source = source

    def close(self) -> None:
        self.closes += 1
        self.source = None

    def fault(self) -> str:
        return self.faults

    def play_seconds(self, seconds: float = 0.1) -> np.ndarray:
        """Return the samples that the sound card would receive now."""
        out = np.zeros(round(seconds * self.rate), np.float32)
        if self.source is not None:
            for start in range(0, len(out), self.block):
                self.source.fill(out[start : start + self.block])
        return out

    def heard_pitch(self) -> int:
        """Return the pitch that plays now in Hz, rounded to ten; 0 for silence."""
        self.play_seconds(0.05)
        spectrum = np.abs(np.fft.rfft(self.play_seconds(0.1)))
        return int(spectrum.argmax()) * 10 if spectrum.max() > 1 else 0
