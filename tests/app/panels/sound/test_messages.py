"""Checks that each message of Sound goes when it no longer holds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from studio.wire.messages import Failed, FindLoop
from tests.app.panels.sound.stage import RATE, SoundBench, made, opened
from tests.app.panels.sound.test_silence import let_fall_silent


def said(stage: SoundBench) -> str:
    """Return the message of the window; empty if there is none."""
    message = stage.window.messages.current.get()
    return message.text if message is not None else ""


def open_file(stage: SoundBench, qtbot: QtBot, path: Path) -> None:
    stage.sound.open_file(path)
    qtbot.waitUntil(lambda: not stage.sound.busy.get())


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    path = tmp_path / "hum.wav"
    soundfile.write(path, (0.3 * np.sin(np.arange(RATE) / 20)).astype(np.float32), RATE)
    return path


def test_the_message_of_a_recording_goes_with_it(stage: SoundBench, qtbot: QtBot, hum: Path) -> None:
    open_file(stage, qtbot, hum)
    assert said(stage).startswith('"hum.wav"')
    stage.sound.close_recording()
    assert not said(stage)


def test_a_file_that_was_refused_is_forgotten_once_another_is_opened(
    stage: SoundBench, qtbot: QtBot, hum: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound at all")
    open_file(stage, qtbot, broken)
    assert "broken.wav" in said(stage)
    stage.sound.open_file(hum)
    assert not said(stage)
    qtbot.waitUntil(lambda: not stage.sound.busy.get())
    assert "hum.wav" in said(stage)


def test_the_message_of_a_recording_goes_when_the_next_one_begins(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.set_recording(True)
    sound.set_recording(False)
    assert said(stage).startswith("Nothing was heard")
    sound.set_recording(True)
    assert not said(stage)
    sound.player.seek(0.0)
    sound.play()
    opened(stage, qtbot)
    stage.play_seconds(0.3)
    sound.set_recording(False)
    assert said(stage).startswith("Recorded")
    sound.set_recording(True)
    assert not said(stage)


def test_the_message_of_a_recording_goes_with_its_take(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.player.seek(0.0)
    sound.set_recording(True)
    sound.play()
    opened(stage, qtbot)
    stage.play_seconds(0.3)
    sound.set_recording(False)
    assert said(stage).startswith("Recorded")
    sound.history.undo()
    assert not said(stage)


def test_a_speaker_that_is_gone_is_forgotten_once_it_plays_again(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.player.seek(0.0)
    sound.play()
    opened(stage, qtbot)
    stage.speaker.faults = '"Headphones" went away. Nothing is lost.'
    sound.player.card.check_output()
    assert "Headphones" in said(stage)
    stage.speaker.faults = ""
    sound.play()
    assert not said(stage)


@pytest.mark.parametrize("way", ["play", "another sound"])
def test_a_silence_is_reported_until_sound_is_made_again(stage: SoundBench, qtbot: QtBot, way: str) -> None:
    stage.sound.play()
    opened(stage, qtbot)
    let_fall_silent(stage, 12.0)
    assert "silent" in said(stage)
    if way == "play":
        stage.sound.player.seek(stage.sound.player.made_seconds)
        stage.sound.play()
    else:
        stage.sound.parameters.new_seed()
    assert not said(stage)


def test_a_failure_is_reported_until_the_next_attempt(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(0.4)
    stage.engine.emit_events(Failed(job=stage.newest_start().job, reason="Memory ran out.", hint=""))
    assert said(stage).startswith("Memory ran out.")
    sound.player.seek(sound.player.made_seconds)
    sound.play()
    assert not said(stage)
    stage.send_samples(0.4)
    stage.engine.emit_events(Failed(job=stage.newest_start().job, reason="Memory ran out.", hint=""))
    sound.parameters.new_seed()
    assert not said(stage)


def test_a_failed_join_is_reported_until_the_loop_changes(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.set_loop((0.2, 0.6))
    sound.find_loop()
    asked = stage.engine.sent[-1]
    assert isinstance(asked, FindLoop)
    stage.engine.emit_events(Failed(job=asked.job, reason="Memory ran out.", hint=""))
    assert "The loop stays as it is" in said(stage)
    sound.set_loop((0.2, 0.5))
    assert not said(stage)
