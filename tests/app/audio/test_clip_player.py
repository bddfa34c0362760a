"""Tests the player of short sounds: one at a time, to its end, and with the sound card gone."""

from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.audio.clip_player import ClipPlayer
from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages
from tests.app.fake_speaker import FakeSpeaker
from tests.limits import LIMIT

RATE = 16_000
LONG = round(1000 * LIMIT)


def tone(hertz: int, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.rint(20_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def player(speaker: FakeSpeaker, messages: Messages) -> Iterator[ClipPlayer]:
    player = ClipPlayer(SoundCard(speaker), messages)
    yield player
    player.close()


def test_a_sound_is_heard_at_its_pitch_and_another_replaces_it(
    player: ClipPlayer, speaker: FakeSpeaker, qtbot: QtBot
) -> None:
    player.play("low", tone(440), RATE)
    qtbot.waitUntil(lambda: speaker.source is not None, timeout=LONG)
    assert player.playing.get() == "low" and speaker.heard_pitch() == 440
    player.play("high", tone(880), RATE)
    qtbot.waitUntil(lambda: speaker.heard_pitch() == 880, timeout=LONG)
    assert player.playing.get() == "high"
    player.stop()
    speaker.play_seconds(0.1)
    assert player.playing.get() == "" and speaker.heard_pitch() == 0


def test_a_sound_ends_by_itself(player: ClipPlayer, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    player.play("short", tone(440, 0.2), RATE)
    qtbot.waitUntil(lambda: speaker.source is not None, timeout=LONG)
    speaker.play_seconds(0.5)
    qtbot.waitUntil(lambda: player.playing.get() == "", timeout=LONG)


def test_the_card_is_released_with_the_window(player: ClipPlayer, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    player.play("low", tone(440), RATE)
    qtbot.waitUntil(lambda: speaker.source is not None, timeout=LONG)
    player.close()
    assert speaker.source is None and player.playing.get() == ""


def test_a_card_that_cannot_be_opened_is_a_message(
    player: ClipPlayer, speaker: FakeSpeaker, messages: Messages, qtbot: QtBot
) -> None:
    speaker.refuses = "There is no sound output."
    player.play("low", tone(440), RATE)
    qtbot.waitUntil(lambda: player.playing.get() == "", timeout=LONG)
    assert messages.history.get()[-1].text == "There is no sound output."
