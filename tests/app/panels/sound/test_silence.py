"""Tests that a silent model stops by itself, unless something is expected to end the silence."""

from pathlib import Path

import numpy as np
import soundfile
from pytestqt.qtbot import QtBot

from studio.media.sounds.silence import LONG_SILENCE_SECONDS
from studio.wire.messages import Finished
from tests.app.panels.sound.stage import RATE, SoundBench, opened


def let_fall_silent(stage: SoundBench, seconds: float, value: int = 3) -> None:
    """Let the engine send silence and the speaker play it, until `seconds` are over or making stops."""
    for _ in range(round(seconds / 0.5)):
        if stage.sound.player.making.get():
            stage.send_samples(0.5, value)
            stage.play_seconds(0.5)


def test_a_silent_model_stops_by_itself_with_a_message(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.play()
    opened(stage, qtbot)
    stage.send_samples(1.0)
    let_fall_silent(stage, LONG_SILENCE_SECONDS - 0.5)
    assert player.making.get(), "music may rest"
    let_fall_silent(stage, 30.0)
    assert not player.making.get() and player.made_seconds <= 1.0 + LONG_SILENCE_SECONDS + 0.5
    said = stage.window.messages.current.get()
    assert said is not None and said.text == (
        '"Hum" has been silent for 8 s, so making stopped. Try another seed, or raise the temperature earlier.'
    )
    stage.play_seconds(10.0)
    assert not player.playing.get(), "and it is heard to its end"
    seed = sound.parameters.seed.get()
    job = stage.newest_start().job
    stage.window.messages.press_button(0)
    assert sound.parameters.seed.get() != seed and stage.newest_start().job != job and player.playing.get()


def test_sound_that_is_heard_never_stops_by_itself(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    sound.play()
    opened(stage, qtbot)
    for _ in range(8):
        let_fall_silent(stage, LONG_SILENCE_SECONDS - 1)
        stage.send_samples(0.1, 200)
        assert sound.player.making.get()


def test_a_hand_that_changes_it_gives_it_time_again(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.play()
    opened(stage, qtbot)
    let_fall_silent(stage, LONG_SILENCE_SECONDS - 0.5)
    sound.parameters.set_temperature(2.0)
    stage.engine.emit_events(Finished(job=stage.newest_edit().job))
    let_fall_silent(stage, LONG_SILENCE_SECONDS - 0.5)
    assert player.making.get()
    let_fall_silent(stage, 2.0)
    assert not player.making.get()


def test_a_higher_temperature_that_is_drawn_ahead_is_waited_for(stage: SoundBench, qtbot: QtBot) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.set_temperature_curve([[0.0, 0.1], [15.0, 0.1], [15.0, 1.0]])
    sound.play()
    opened(stage, qtbot)
    let_fall_silent(stage, 15.0 + LONG_SILENCE_SECONDS - 1)
    assert player.making.get()
    let_fall_silent(stage, 2.0)
    assert not player.making.get()


def test_after_a_silent_recording_the_model_may_yet_begin(stage: SoundBench, qtbot: QtBot, tmp_path: Path) -> None:
    wave = 0.1 * np.sin(np.arange(4 * RATE) / 10)
    wave[2 * RATE :] = 0
    soundfile.write(tmp_path / "rest.wav", wave, RATE)
    sound = stage.sound
    player = stage.sound.player
    sound.open_file(tmp_path / "rest.wav")
    qtbot.waitUntil(lambda: len(player.samples) == 4 * RATE)
    sound.play()
    opened(stage, qtbot)
    stage.play_seconds(3.5)
    let_fall_silent(stage, 2 * LONG_SILENCE_SECONDS)
    assert player.making.get()
    let_fall_silent(stage, 30.0)
    said = stage.window.messages.current.get()
    assert not player.making.get() and said is not None and "silent for 20 s" in said.text
