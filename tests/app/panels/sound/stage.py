"""Provides the panel Sound on a fake engine and a fake speaker for the tests of its parts."""

import numpy as np
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.panels.sound.state import SoundState
from studio.wire.messages import Adjust, SoundChunk, Stopped, StreamSound
from tests.app.fake_engine import FakeEngine
from tests.app.fake_speaker import FakeSpeaker

RATE = 16_000
"""Samples a second of the model `hum`."""
CHUNK = 320
"""Samples of one Sounded event."""


class SoundBench:
    """Holds the panel's state, the fake engine that makes the sound, and the fake speaker that plays it."""

    def __init__(self, window: AppState, engine: FakeEngine) -> None:
        self.window = window
        self.engine = engine
        self.sound: SoundState = window.sound
        self.speaker: FakeSpeaker = window.sound_card._output  # type: ignore[assignment]

    def newest_start(self) -> StreamSound:
        """Return the newest StreamSound."""
        return next(command for command in reversed(self.engine.sent) if isinstance(command, StreamSound))

    def newest_edit(self) -> Adjust:
        """Return the newest Adjust, which replaces samples that are not heard yet."""
        steers = (command for command in reversed(self.engine.sent) if isinstance(command, Adjust))
        return next(steer for steer in steers if steer.from_sample is not None)

    def send_samples(self, seconds: float, value: int = 1000, speed: float = 3.0, first: int | None = None) -> None:
        """Let the engine send `seconds` of samples of one value."""
        asked = self.newest_start()
        begun = len(asked.sound_to_continue) if asked.sound_to_continue is not None else 0
        at = len(self.sound.player.samples) - begun if first is None else first
        for piece in range(round(seconds * RATE / CHUNK)):
            event = SoundChunk(
                job=asked.job, first_sample=at + piece * CHUNK, samples=np.full(CHUNK, value, np.int16),
                bits=np.full(CHUNK, 2.5, np.float32), speed=speed,
            )  # fmt: skip
            self.engine.emit_events(event)

    def play_seconds(self, seconds: float) -> np.ndarray:
        """Let the speaker play `seconds` of sound and the window notice it; return the samples."""
        heard = self.speaker.play_seconds(seconds)
        self.sound.player.update_playback()
        return heard


def opened(stage: SoundBench, qtbot: QtBot) -> None:
    """Wait until the sound card is open."""
    card = stage.sound.player.card
    qtbot.waitUntil(lambda: stage.speaker.source is not None and not card.waiting_reason)


def made(stage: SoundBench, qtbot: QtBot, seconds: float = 1.0) -> SoundState:
    """Make a sound of `seconds` and stop; return the panel's state."""
    stage.sound.play()
    opened(stage, qtbot)
    stage.send_samples(seconds)
    stage.sound.player.stop()
    stage.engine.emit_events(Stopped(job=stage.newest_start().job))
    stage.play_seconds(0.05)
    return stage.sound
