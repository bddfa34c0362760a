"""Tests that recordings are opened, cut, continued, saved, restored and recorded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.files.exporting import AudioFormat
from studio.wire.messages import BitsChunk, ComputeBits, Finished
from tests.app.fake_engine import FakeEngine
from tests.app.panels.sound.stage import RATE, SoundBench, made, opened
from tests.app.saving import save_to


def test_a_recording_is_cut_continued_and_shows_its_bits(stage: SoundBench, qtbot: QtBot, tmp_path: Path) -> None:
    at = np.arange(2 * 44_100) / 44_100
    stereo = np.stack((0.4 * np.sin(2 * np.pi * 220 * at), 0.2 * np.sin(2 * np.pi * 220 * at)), 1)
    soundfile.write(tmp_path / "waltz.flac", stereo, 44_100)
    sound = stage.sound
    player = stage.sound.player
    assert stage.window.drop_text([tmp_path / "waltz.flac"]) == "Continue this sound"
    stage.window.open_dropped([tmp_path / "waltz.flac"])
    qtbot.waitUntil(lambda: len(player.samples) == 2 * RATE)
    recording = sound.source.recording.get()
    said = stage.window.messages.current.get()
    assert recording is not None and recording.name == "waltz.flac" and sound.live_settings.cut.get() == 2.0
    assert said is not None and "2.0 s, stereo; used as 16 kHz mono" in said.text
    sound.recording_bits.set_visible((0.0, 24.0))
    asked = stage.engine.sent[-1]
    assert isinstance(asked, ComputeBits) and len(asked.sound) == 2 * RATE and np.isnan(player.bits).all()
    stage.engine.emit_events(
        BitsChunk(job=asked.job, first_sample=0, bits=np.full(2 * RATE, 3.0, np.float32)), Finished(job=asked.job)
    )
    assert (player.bits == 3.0).all()
    before = len(stage.engine.sent)
    stream = player.buffer.stream
    for second in (1.5, 1.0, 0.75):
        sound.set_cut(second)
    assert len(stage.engine.sent) == before and player.buffer.stream is stream  # the drag does not wait
    assert sound.live_settings.cut.get() == 0.75 and len(player.samples) == 2 * RATE  # all of it stays visible
    whole = player.samples.copy()
    sound.play()
    opened(stage, qtbot)
    asked_for = stage.newest_start()
    assert asked_for.sound_to_continue is not None and np.array_equal(asked_for.sound_to_continue, whole[:12_000])
    stage.send_samples(0.5)
    assert len(player.samples) == 20_000 and np.array_equal(player.samples[:12_000], whole[:12_000])
    sound.keep_take()
    takes = stage.window.takes.takes.get()
    assert [take.work.continued_samples for take in takes] == [2 * RATE, 12_000]
    assert takes[1].work.source == "waltz.flac" and takes[1].work.ancestors == (takes[0].key,)
    sound.set_cut(1.0)  # undo can bring the made samples back
    assert sound.live_settings.cut.get() == 1.0 and len(player.samples) == 2 * RATE
    stage.window.undo()
    assert len(player.samples) == 20_000 and sound.live_settings.cut.get() == 0.75


def test_a_recording_begins_with_a_fresh_temperature_and_is_put_away_again(
    stage: SoundBench, qtbot: QtBot, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "waltz.wav", 0.1 * np.sin(np.arange(2 * RATE) / 10), RATE)
    sound = made(stage, qtbot)
    player = stage.sound.player
    curve = ((0.0, 1.0), (0.5, 0.25))
    sound.set_temperature_curve(curve)
    before = sound.live_settings.temperature_curve.get()
    stage.window.open_dropped([tmp_path / "waltz.wav"])
    qtbot.waitUntil(lambda: len(player.samples) == 2 * RATE)
    assert sound.live_settings.temperature_curve.get() == ((0.0, 0.7),) and sound.parameters.temperature.get() == 0.7, (
        "the card's own"
    )
    stage.window.undo()
    assert (
        sound.live_settings.temperature_curve.get() == before
        and len(player.samples) == RATE
        and sound.source.recording.get() is None
    )
    stage.window.redo()
    assert sound.live_settings.temperature_curve.get() == ((0.0, 0.7),) and sound.source.recording.get() is not None
    sound.play()
    stage.send_samples(0.5)
    sound.set_temperature_curve([[0.0, 0.7], [3.0, 0.2]])
    sound.close_recording()
    assert sound.source.recording.get() is None and not len(player.samples) and not player.making.get()
    assert sound.live_settings.cut.get() == 0 and sound.live_settings.temperature_curve.get() == ((0.0, 0.7),)
    assert len(stage.window.takes.takes.get()) == 1, "it stays among the takes"
    sound.play()
    assert stage.newest_start().sound_to_continue is None, "the model begins by itself"
    sound.player.stop()
    stage.window.undo()
    assert (
        sound.source.recording.get() is not None
        and len(player.samples) == 2.5 * RATE
        and sound.live_settings.cut.get() == 2.0
    )


BROKEN = {  # files with the names of sounds
    "cut.mp3": (b"ID3\4\0\0\0\0\0\0" + bytes(500), "holds no MP3 sound that can be read"),
    "noise.mp3": (bytes(range(256)) * 8, "holds no MP3 sound that can be read"),
    "page.flac": (b"<html>Not found</html>", "holds no FLAC sound that can be read"),
    "hollow.wav": (b"<html>Not found</html>", "holds no WAV sound that can be read"),
    "none.mp3": (b"", "is empty"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_sound_is_reported_as_a_sound_in_any_panel(
    stage: SoundBench, qtbot: QtBot, tmp_path: Path, name: str
) -> None:
    contents, reason = BROKEN[name]
    (tmp_path / name).write_bytes(contents)
    for panel in ("sound", "explore", "complete"):
        stage.window.show_panel(panel)
        for bring in (
            lambda: stage.window.open_dropped([tmp_path / name]),
            lambda: stage.window.open_file(tmp_path / name),
        ):
            stage.window.messages.dismiss()
            bring()
            qtbot.waitUntil(lambda: stage.window.messages.current.get() is not None)
            said = stage.window.messages.current.get()
            assert said is not None and said.text.startswith(f'"{name}" {reason} and was not opened.')


@pytest.mark.parametrize("form", list(AudioFormat))
def test_a_saved_sound_brings_back_everything(
    stage: SoundBench, qtbot: QtBot, tmp_path: Path, form: AudioFormat
) -> None:
    sound = stage.sound
    player = stage.sound.player
    sound.parameters.set_seed(77)
    sound.set_temperature_curve([[0.0, 1.0], [0.5, 0.25]])
    made(stage, qtbot)
    path = tmp_path / f"hum-77{form.ending}"
    assert save_to(stage.window, path, lambda: sound.save_sound(form)) == [path.name]
    qtbot.waitUntil(path.exists)
    before = player.samples.copy()
    curve = sound.live_settings.temperature_curve.get()
    sound.parameters.new_seed()
    assert not len(player.samples)
    sound.parameters.set_temperature(3.0)
    assert stage.window.drop_text([path]) == "Restore this work"
    stage.window.open_dropped([path])
    qtbot.waitUntil(lambda: len(player.samples) == RATE)
    assert np.array_equal(player.samples, before) and (
        sound.parameters.seed.get(),
        sound.live_settings.temperature_curve.get(),
    ) == (
        77,
        curve,
    )
    info = soundfile.info(str(path))
    wanted = {16: "PCM_16", 24: "PCM_24", 0: "FLOAT"}[form.bits]
    assert (info.samplerate, info.subtype) == (RATE, wanted)


def test_what_was_made_is_there_after_a_restart(
    stage: SoundBench, opener: Callable[[FakeEngine], AppState], qtbot: QtBot
) -> None:
    made(stage, qtbot).set_loop((0.25, 0.5))
    again = opener(FakeEngine())
    qtbot.waitUntil(lambda: len(again.sound.player.samples) == RATE)
    assert (
        again.sound.player.samples == 1000
    ).all() and again.sound.parameters.seed.get() == stage.sound.parameters.seed.get()
    assert again.sound.player.loop.get() == (0.25, 0.5)
    again.sound.parameters.new_seed()
    assert not len(again.sound.player.samples) and again.sound.player.loop.get() is None
    again.undo()
    assert len(again.sound.player.samples) == RATE and again.sound.player.loop.get() == (0.25, 0.5)
    assert not again.takes.takes.get()  # nobody kept it as a take


def test_models_of_recordings_are_for_this_panel_alone(stage: SoundBench) -> None:
    assert stage.sound.model.get() is not None and stage.sound.model.get().card.name == "hum"
    for panel in (stage.window.generate.parameters, stage.window.explore):
        assert panel.model.get() is not None and panel.model.get().card.name != "hum"


def test_what_is_heard_can_be_recorded_with_its_moves(stage: SoundBench, qtbot: QtBot) -> None:
    sound = made(stage, qtbot)
    sound.player.seek(0.5)
    sound.set_recording(True)
    sound.play()
    opened(stage, qtbot)
    stage.play_seconds(0.2)
    sound.player.seek(0.1)
    stage.play_seconds(0.3)
    sound.player.pause()
    stage.play_seconds(1.0)
    sound.set_recording(False)
    (take,) = stage.window.takes.takes.get()
    assert len(take.array) / RATE == pytest.approx(0.5, abs=0.03) and take.work.continued_samples == len(take.array)
    loud = np.abs(take.array[400:-400].astype(int) - 1000) < 30
    assert loud.mean() > 0.9 and np.abs(np.diff(take.array.astype(int))).max() < 100  # no clicks where it seeks
    sound.set_recording(True)
    sound.set_recording(False)
    said = stage.window.messages.current.get()
    assert said is not None and said.text.startswith("Nothing was heard")
    assert len(stage.window.takes.takes.get()) == 1


def test_a_forgotten_recording_ends_by_itself_with_a_message(
    stage: SoundBench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.app.panels.sound.recorder.MAX_SECONDS", 0.4)
    sound = made(stage, qtbot)
    sound.set_recording(True)
    sound.player.seek(0.0)
    sound.play()
    opened(stage, qtbot)
    stage.play_seconds(0.3)
    assert sound.player.recording.get()
    stage.play_seconds(0.2)
    said = stage.window.messages.current.get()
    assert not sound.player.recording.get() and said is not None and "at most" in said.text
    assert len(stage.window.takes.takes.get()) == 1
