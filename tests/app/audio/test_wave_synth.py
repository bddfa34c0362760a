"""The wave synth plays keys, holds notes, plays briefly, and survives missing sound cards."""

from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.audio import wave_synth as tones
from studio.app.audio.wave_synth import WaveSynth
from studio.app.core.messages import Messages
from tests.app.fake_speaker import FakeSpeaker

SINE = np.rint(20_000 * np.sin(2 * np.pi * np.arange(256) / 256)).astype(np.int16)


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def tone(speaker: FakeSpeaker, messages: Messages) -> Iterator[WaveSynth]:
    tone = WaveSynth(speaker, messages)
    tone.set_wave(SINE)
    yield tone
    tone.close()


def played_pitch(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> int:
    qtbot.waitUntil(lambda: speaker.source is not None)
    return speaker.heard_pitch()


def test_the_sound_card_is_opened_only_to_play(tone: WaveSynth, speaker: FakeSpeaker) -> None:
    tone.set_level(0.5)
    tone.set_octave(3)
    assert speaker.opens == 0 and not tone.sounding.get()


def test_the_key_pressed_last_plays(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.press_key(69)
    assert tone.sounding.get() and played_pitch(tone, speaker, qtbot) == 440
    tone.press_key(81)
    assert speaker.heard_pitch() == 880 and tone.note.get() == 81 and tone.pressed_notes.get() == (69, 81)
    tone.release_key(81)
    assert speaker.heard_pitch() == 440
    tone.release_key(69)
    assert speaker.heard_pitch() == 0 and not tone.sounding.get()
    assert speaker.opens == 1  # the card stays open for the next key


def test_a_held_note_continues_and_keys_change_its_pitch(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.hold_note(True)
    assert tone.held.get() and played_pitch(tone, speaker, qtbot) == 110
    tone.press_key(57)
    tone.release_key(57)
    assert tone.held.get() and speaker.heard_pitch() == 220
    tone.hold_note(False)
    assert speaker.heard_pitch() == 0


def test_another_wave_plays_at_once(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.hold_note(True)
    assert played_pitch(tone, speaker, qtbot) == 110
    tone.set_wave(np.rint(20_000 * np.sin(6 * np.pi * np.arange(256) / 256)).astype(np.int16))
    assert speaker.heard_pitch() == 330


def test_nothing_plays_without_a_wave(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.hold_note(True)
    played_pitch(tone, speaker, qtbot)
    tone.press_key(60)
    tone.set_wave(None)
    assert not tone.held.get() and tone.pressed_notes.get() == () and speaker.heard_pitch() == 0
    tone.press_key(60)
    tone.hold_note(True)
    tone.play_briefly()
    assert not tone.sounding.get()


def test_a_click_plays_the_wave_briefly(
    tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone._brief_timer.setInterval(60_000)
    tone.play_briefly()
    assert tone.sounding.get() and played_pitch(tone, speaker, qtbot) == 110
    tone._brief_timer.setInterval(20)  # however long the computer took, the time starts again
    qtbot.waitUntil(lambda: not tone.sounding.get())
    assert speaker.heard_pitch() == 0
    tone.hold_note(True)
    tone.play_briefly()
    qtbot.wait(150)
    assert tone.sounding.get()  # the held note continues
    tone.stop()
    assert not tone.sounding.get()


def test_the_level_changes_the_sound_and_is_bounded(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.set_level(1.0)
    tone.hold_note(True)
    played_pitch(tone, speaker, qtbot)
    loud = np.abs(speaker.play_seconds()).max()
    tone.set_level(0.5)
    speaker.play_seconds()
    assert np.abs(speaker.play_seconds()).max() == pytest.approx(loud / 4, rel=0.01)
    tone.set_level(7)
    assert tone.level.get() == 1


def test_a_missing_sound_card_shows_a_message_and_nothing_else_fails(
    tone: WaveSynth, speaker: FakeSpeaker, messages: Messages, qtbot: QtBot
) -> None:
    speaker.refuses = "No device for sound was found. Everything else works."
    tone.hold_note(True)
    qtbot.waitUntil(lambda: messages.current.get() is not None)
    message = messages.current.get()
    assert message is not None and message.text == speaker.refuses and message.buttons[0][0] == "Try again"
    assert not tone.held.get() and not tone.sounding.get()
    speaker.refuses = ""
    messages.press_button(0)
    assert played_pitch(tone, speaker, qtbot) == 110


def test_a_lost_sound_card_is_reported_and_can_play_again(
    tone: WaveSynth, speaker: FakeSpeaker, messages: Messages, qtbot: QtBot
) -> None:
    tone.hold_note(True)
    played_pitch(tone, speaker, qtbot)
    speaker.faults = '"USB headphones" went away. Nothing is lost; only the sound stopped.'
    qtbot.waitUntil(lambda: messages.current.get() is not None)
    message = messages.current.get()
    assert message is not None and message.text == speaker.faults and message.buttons[0][0] == "Play again"
    assert not tone.held.get() and speaker.source is None
    speaker.faults = ""
    messages.press_button(0)
    assert played_pitch(tone, speaker, qtbot) == 110 and tone.held.get()


def test_a_silent_card_is_released(tone: WaveSynth, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    tone.press_key(60)
    played_pitch(tone, speaker, qtbot)
    for _ in range(2 * tones.RELEASE_AFTER):
        tone.check_output()
    assert speaker.source is not None  # it sounds
    tone.release_key(60)
    for _ in range(tones.RELEASE_AFTER):
        tone.check_output()
    assert speaker.source is None
    tone.press_key(69)
    assert played_pitch(tone, speaker, qtbot) == 440 and speaker.opens == 2


def test_octave_level_and_note_survive_a_restart(tone: WaveSynth, speaker: FakeSpeaker, messages: Messages) -> None:
    tone.set_octave(9)
    tone.set_level(0.25)
    tone.press_key(70)
    again = WaveSynth(speaker, messages)
    again.restore(tone.snapshot())
    assert (again.octave.get(), again.level.get(), again.note.get()) == (tones.HIGHEST, 0.25, 70)
    assert not again.sounding.get()
    again.restore({"note": 900})
    assert again.note.get() == 127


def test_notes_have_names() -> None:
    assert [tones.note_name(note) for note in (60, 57, 46, 0)] == ["C4", "A3", "A♯2", "C-1"]
    assert tones.note_pitch(45) == "A2, 110.0 Hz"
