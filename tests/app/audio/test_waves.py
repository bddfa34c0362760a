"""A model of waves in Generate and Explore: made, heard, kept, saved, brought back, and led from one to another."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.core.text import group_digits
from studio.library import work
from studio.library.work import StoredArray, Work
from studio.media import export
from studio.media.sounds import single_cycle, wavetable
from studio.wire import messages as wire
from studio.wire.messages import (
    Array,
    Decoded,
    DecodeLatent,
    Encode,
    Encoded,
    Failed,
    Finished,
    PicturesPreview,
    Sample,
)
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.saving import save_to

AT = np.arange(256) / 256


def wave(harmonic: int = 1, peak: float = 0.6) -> Array:
    return np.rint(np.sin(2 * np.pi * harmonic * AT) * peak * 32_768).astype(np.int16)


@pytest.fixture(autouse=True)
def waves(two_models: Path) -> Path:
    """A model of waves, of two kinds, among the pictures'."""
    return write_model(two_models, make_card("waves", (256,), classes=("Bright", "Dark")))


@pytest.fixture
def exploring(window: AppState, engine: FakeEngine) -> AppState:
    """Explore, with a wave of seed 7 on the stage."""
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    window.explore.choose_model("waves")
    window.explore.parameters.new_start(7)
    answer(engine, wave())
    return window


def answer(engine: FakeEngine, picture: Array) -> DecodeLatent:
    command = engine.sent[-1]
    assert isinstance(command, DecodeLatent)
    engine.emit_events(Decoded(job=command.job, picture=picture), Finished(job=command.job))
    return command


def said(window: AppState) -> str:
    message = window.messages.current.get()
    return message.text if message is not None else ""


def saved(window: AppState, qtbot: QtBot, words: str) -> None:
    qtbot.waitUntil(lambda: words in said(window))


# ── heard ────────────────────────────────────────────────────────────────────────────────────────


def test_the_wave_on_the_stage_is_what_keys_play(exploring: AppState, engine: FakeEngine, qtbot: QtBot) -> None:
    speaker = exploring.sound_card._output
    assert isinstance(speaker, FakeSpeaker)
    exploring.wave_synth.press_key(69)
    qtbot.waitUntil(lambda: speaker.source is not None)
    assert speaker.heard_pitch() == 440
    exploring.explore.parameters.set_slider(0, 1.0)
    answer(engine, wave(3))
    assert speaker.heard_pitch() == 3 * 440


def test_a_picture_is_not_heard(exploring: AppState, engine: FakeEngine) -> None:
    exploring.wave_synth.hold_note(True)
    exploring.explore.choose_model("tiny")
    exploring.explore.parameters.new_start(1)
    answer(engine, np.zeros((8, 8, 3), np.uint8))
    assert exploring.wave_synth.wave.get() is None and not exploring.wave_synth.held.get()


def test_in_generate_the_chosen_wave_is_heard(window: AppState, engine: FakeEngine) -> None:
    window.generate.choose_model("waves")
    window.generate.parameters.set_number(3)
    window.generate.start_batch()
    command = engine.sent[-1]
    assert isinstance(command, Sample)
    made = np.stack([wave(n) for n in (1, 2, 3)])
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=made, done=1, total=2))
    window.generate.choose_cell(1)
    assert window.wave_synth.wave.get() is None  # it is not finished
    prices = (-1.0, -2.0, -3.0)
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=made, done=2, total=2, log_prob=prices))
    assert (window.wave_synth.wave.get() == made[1]).all()
    window.generate.enlarge_cell(2)
    assert (window.wave_synth.wave.get() == made[2]).all()
    window.show_panel("explore")
    assert window.wave_synth.wave.get() is None
    engine.emit_events(Finished(job=command.job))
    seeds = window.generate.batch.cells.get()
    assert (
        window.generate.batch.caption.get()
        == f"3 waves, seeds {group_digits(seeds[0].seed)} to {group_digits(seeds[-1].seed)}."
    )


def test_what_a_hand_moves_away_from_is_kept_while_it_moves(exploring: AppState, engine: FakeEngine) -> None:
    explore = exploring.explore
    first = exploring.explore.render.picture.get()
    explore.parameters.grab_slider(0)
    explore.parameters.set_slider(0, 1.0)
    answer(engine, wave(2))
    assert explore.picture_before.get() is first
    explore.parameters.end_gesture()
    assert explore.picture_before.get() is None


# ── kept and saved ───────────────────────────────────────────────────────────────────────────────


def test_takes_of_waves_lie_there_again_after_a_restart(
    exploring: AppState, engine: FakeEngine, opener: Opener, qtbot: QtBot
) -> None:
    loud = np.where(AT < 0.5, 32_767, -32_768).astype(np.int16)
    exploring.explore.keep_take()
    exploring.explore.parameters.set_slider(0, 1.0)
    answer(engine, loud)
    exploring.explore.keep_take()
    again = opener(engine)
    takes = again.explore.selection.takes.get
    assert [take.name for take in exploring.explore.selection.takes.get()] == ["000001.wav", "000002.wav"]
    qtbot.waitUntil(lambda: len(takes()) == 2)
    assert (takes()[0].array == wave()).all() and (takes()[1].array == loud).all()
    assert takes()[1].work.medium == "sound" and takes()[1].work.sliders[0] == 1.0


def test_a_wave_is_saved_as_one_frame_and_comes_back(
    exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    explore = exploring.explore
    explore.parameters.set_slider(1, 1.5)
    answer(engine, wave(2))
    assert save_to(exploring, tmp_path / "mine", explore.save_picture) == ["waves-7.wav"]
    saved(exploring, qtbot, 'Saved "mine.wav" with its recipe inside.')
    samples, rate = soundfile.read(tmp_path / "mine.wav", dtype="float32")
    assert samples.shape == (2048,) and rate == 44_100
    explore.parameters.reset_sliders()
    answer(engine, wave())
    exploring.open_dropped([tmp_path / "mine.wav"])
    qtbot.waitUntil(lambda: explore.parameters.sliders.get()[1] == 1.5)
    assert (explore.render.picture.get() == wave(2)).all()  # at once; the engine's answer replaces it
    assert isinstance(engine.sent[-1], DecodeLatent) and engine.sent[-1].sliders[1] == 1.5


def test_all_waves_of_a_grid_are_saved_and_kept(
    window: AppState, engine: FakeEngine, opener: Opener, tmp_path: Path, qtbot: QtBot
) -> None:
    window.generate.choose_model("waves")
    window.generate.parameters.set_number(2)
    window.generate.parameters.set_seed(5)
    window.generate.parameters.set_label(1)
    window.generate.start_batch()
    command = engine.sent[-1]
    assert isinstance(command, Sample) and command.label == 1
    made = np.stack([wave(1), wave(2)])
    prices = (-1.0, -2.0)
    engine.emit_events(PicturesPreview(job=command.job, first=0, pictures=made, done=1, total=1, log_prob=prices))
    engine.emit_events(Finished(job=command.job))
    (tmp_path / "out").mkdir()
    save_to(window, tmp_path / "out", window.generate.save_all)
    saved(window, qtbot, 'Saved 2 waves in "out"')
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["waves-5.wav", "waves-6.wav"]
    made_of = work.recipe_of_wav((tmp_path / "out" / "waves-6.wav").read_bytes())
    assert made_of is not None and (made_of.seed, made_of.label, made_of.medium) == (6, 1, "sound")
    window.generate.keep_take(1)
    again = opener(engine)
    cells = again.generate.batch.cells.get()
    assert [cell.seed for cell in cells] == [5, 6]
    for cell, expected in zip(cells, made, strict=True):
        assert cell.picture is not None and cell.picture.dtype == np.int16 and (cell.picture == expected).all()
    assert again.generate.batch.caption.get().startswith("2 waves")
    again_0 = again.generate.artwork(0)
    assert again_0 is not None and again_0.name == "waves-5.wav"


# ── one's own ────────────────────────────────────────────────────────────────────────────────────


def test_a_wave_of_ones_own_is_a_start(exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "organ.wav"
    long = np.rint(wavetable.resample_cycle(wave(2), 600)).astype(np.int16)
    path.write_bytes(export.encode_wav_bytes(long, 44_100, {}))
    exploring.explore.parameters.set_label(1)
    answer(engine, wave())
    exploring.open_dropped([path])
    qtbot.waitUntil(lambda: isinstance(engine.sent[-1], Encode))
    command = engine.sent[-1]
    assert isinstance(command, Encode)
    loud = np.rint(np.sin(4 * np.pi * AT) * 30_000)  # as loud as the waves that models learn from
    assert command.picture.shape == (256,) and np.abs(command.picture - loud).max() <= 3
    assert command.label == 1 and command.model == "waves"
    assert exploring.explore.importing.preview.get() is None and "organ.wav" in exploring.explore.badge.get().detail
    figures = {"differing": 0, "total": 256, "largest_difference": 0, "bits": 900.0, "is_bound": False}
    engine.emit_events(Encoded(job=command.job, latent=np.zeros(256, np.float32), exact=True, **figures))
    badge = exploring.explore.badge.get()
    assert "organ.wav" in badge.detail and "256 levels" in badge.detail
    assert "600 samples" in badge.note and "loudness" in badge.note
    answer(engine, wave(2))
    artwork = exploring.explore.render.artwork
    assert artwork is not None and artwork.name == "waves-organ.wav"


def test_its_start_outlives_a_restart(
    exploring: AppState, engine: FakeEngine, opener: Opener, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "organ.wav"
    path.write_bytes(export.encode_wav_bytes(wave(2), 44_100, {}))
    exploring.explore.open_file(path)
    qtbot.waitUntil(lambda: isinstance(engine.sent[-1], Encode))
    latent = np.arange(256, dtype=np.float32)
    figures = {"differing": 3, "total": 256, "largest_difference": 1, "bits": 900.0, "is_bound": False}
    engine.emit_events(Encoded(job=engine.sent[-1].job, latent=latent, exact=False, **figures))
    answer(engine, wave(2))
    again = opener(engine)
    engine.status_changed.emit("Ready")
    command = engine.sent[-1]
    assert isinstance(command, DecodeLatent) and command.latent is not None and (command.latent == latent).all()
    assert again.explore.badge.get().text.startswith("3 of 256")
    assert again.explore.parameters.source.get() == "organ.wav"


def test_a_wave_is_no_picture_and_a_picture_is_no_wave(
    exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "rose.png")
    (tmp_path / "organ.wav").write_bytes(export.encode_wav_bytes(wave(), 44_100, {}))
    exploring.explore.open_file(tmp_path / "rose.png")
    saved(exploring, qtbot, '"rose.png" is a picture, and "Waves" makes sounds. Choose a model of pictures, then')
    exploring.explore.choose_model("tiny")
    sent = len(engine.sent)
    exploring.explore.open_file(tmp_path / "organ.wav")
    saved(exploring, qtbot, '"organ.wav" is a wave, and "Tiny" makes pictures. Choose a model of waves, then')
    assert len(engine.sent) == sent and exploring.explore.importing.preview.get() is None


def test_silence_is_no_start(exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "hush.wav").write_bytes(export.encode_wav_bytes(np.zeros(256, np.int16), 44_100, {}))
    exploring.explore.open_file(tmp_path / "hush.wav")
    saved(exploring, qtbot, '"hush.wav" is silent and was not opened.')
    assert not isinstance(engine.sent[-1], Encode) and not exploring.explore.importing.busy.get()


def test_a_song_is_refused_with_its_length(
    exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "song.wav").write_bytes(export.encode_wav_bytes(np.zeros(100_000, np.int16), 44_100, {}))
    exploring.explore.open_file(tmp_path / "song.wav")
    saved(exploring, qtbot, "is 2.3 seconds long, and a single cycle has at most 8,192 samples")
    assert not isinstance(engine.sent[-1], Encode) and not exploring.explore.importing.busy.get()


# ── a wavetable between two takes ────────────────────────────────────────────────────────────────


@pytest.fixture
def two_takes(exploring: AppState, engine: FakeEngine) -> AppState:
    """Take 1 of seed 7 at home; take 2 of a wave of one's own, moved, on the stage."""
    exploring.explore.keep_take()
    made = Work(
        medium="sound",
        model="waves",
        model_hash=exploring.explore.selection.takes.get()[0].work.model_hash,
        seed=9,
        sliders=(0.0, 2.0, 0.0),
        label=1,
        latent=StoredArray.from_array(np.arange(256, dtype=np.float32)),
        source="organ.wav",
    )
    exploring.explore.restore_work(Artwork(wave(3), made))
    answer(engine, wave(3))
    exploring.explore.keep_take()
    return exploring


def lead(window: AppState, engine: FakeEngine, path: Path) -> wire.Interpolate:
    save_to(window, path, lambda: window.explore.wavetable.save_wavetable(0))
    command = engine.sent[-1]
    assert isinstance(command, wire.Interpolate)
    return command


def test_the_engine_is_asked_for_the_way(two_takes: AppState, engine: FakeEngine, tmp_path: Path) -> None:
    table = two_takes.explore.wavetable
    assert table.target_takes() == (0, 1)
    proposed = save_to(two_takes, tmp_path / "w.wav", lambda: table.save_wavetable(0))
    assert proposed == ["waves-organ-to-take-1.wav"]
    way = engine.sent[-1]
    assert isinstance(way, wire.Interpolate)
    assert (way.model, way.frames, way.end.seed, way.end.latent) == ("waves", 64, 7, None)
    assert way.begin.latent is not None and way.begin.latent[3] == 3
    assert (way.begin.sliders, way.begin.label) == ((0.0, 2.0, 0.0), 1)
    assert table.running.get()
    sent = len(engine.sent)
    save_to(two_takes, tmp_path / "other.wav", lambda: table.save_wavetable(1))
    assert len(engine.sent) == sent  # one at a time


def test_the_frames_are_saved_in_their_order(
    two_takes: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    way = lead(two_takes, engine, tmp_path / "way")
    frames = np.stack([np.rint(wave(1) * (64 - n) / 64 + wave(3) * n / 64).astype(np.int16) for n in range(64)])
    for first in (32, 0):
        part = frames[first : first + 32]
        engine.emit_events(PicturesPreview(job=way.job, first=first, pictures=part, done=1, total=2))
        engine.emit_events(PicturesPreview(job=way.job, first=first, pictures=part, done=2, total=2))
    engine.emit_events(Finished(job=way.job))
    saved(two_takes, qtbot, 'Saved "way.wav", 64 frames of 2,048 samples, with its recipe inside.')
    assert not two_takes.explore.wavetable.running.get()
    data = (tmp_path / "way.wav").read_bytes()
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (np.rint(samples.reshape(64, 2048)[:, ::8] * 32_768) == frames).all()
    assert single_cycle.riff_chunks(data)[b"clm "].startswith(b"<!>2048")
    made = work.recipe_of_wav(data)
    assert (
        made is not None
        and made.source == "organ.wav"
        and made.wavetable_end is not None
        and made.wavetable_end.seed == 7
    )


def test_a_wavetable_brings_back_both_of_its_ends(
    two_takes: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    explore = two_takes.explore
    begin, end = explore.selection.takes.get()[1].work, explore.selection.takes.get()[0].work
    frames = np.stack([wave(3), wave(2), wave(1)])
    (tmp_path / "way.wav").write_bytes(work.encode_wavetable(frames, begin.wavetable_to(end)))
    for index in (1, 0):
        explore.selection.delete_take(index)
    explore.parameters.new_start(3)
    answer(engine, wave(5))
    two_takes.open_dropped([tmp_path / "way.wav"])
    qtbot.waitUntil(lambda: len(explore.selection.takes.get()) == 2)
    assert explore.parameters.sliders.get() == (0.0, 2.0, 0.0) and explore.parameters.source.get() == "organ.wav"
    first, last = explore.selection.takes.get()
    assert (first.array == wave(3)).all() and (last.array == wave(1)).all()
    assert (last.work.seed, last.work.latent, first.work.wavetable_end) == (7, None, None)
    answer(engine, wave(3))
    assert explore.wavetable.target_takes() == (0, 1)
    two_takes.open_dropped([tmp_path / "way.wav"])
    qtbot.wait(200)
    assert len(explore.selection.takes.get()) == 2  # they are there already


def test_a_way_that_fails_is_told_and_asked_again(two_takes: AppState, engine: FakeEngine, tmp_path: Path) -> None:
    way = lead(two_takes, engine, tmp_path / "w.wav")
    engine.emit_events(Failed(job=way.job, reason="Memory ran out.", hint="Close something."))
    assert said(two_takes).startswith("Memory ran out.") and not two_takes.explore.wavetable.running.get()
    two_takes.messages.press_button(0)
    assert isinstance(engine.sent[-1], wire.Interpolate) and engine.sent[-1].job != way.job
    engine.die()
    assert "not saved" in said(two_takes)
    engine.status_changed.emit("Stopped")
    two_takes.messages.press_button(0)
    assert engine.starts == 1 and two_takes.explore.wavetable.running.get()
    assert not (tmp_path / "w.wav").exists()


def test_a_picture_leads_nowhere(window: AppState, engine: FakeEngine, tmp_path: Path) -> None:
    window.show_panel("explore")
    window.explore.parameters.new_start(1)
    answer(engine, np.zeros((8, 8, 3), np.uint8))
    window.explore.keep_take()
    assert window.explore.wavetable.target_takes() == ()
    sent = len(engine.sent)
    assert save_to(window, tmp_path / "w.wav", lambda: window.explore.wavetable.save_wavetable(0)) == []
    assert len(engine.sent) == sent


# ── kinds ────────────────────────────────────────────────────────────────────────────────────────


def test_a_kind_is_chosen_undone_and_asked_for(exploring: AppState, engine: FakeEngine) -> None:
    explore = exploring.explore
    explore.parameters.set_label(1)
    assert answer(engine, wave(2)).label == 1
    explore.keep_take()
    assert explore.selection.takes.get()[0].work.label == 1
    exploring.undo()
    exploring.undo()
    assert explore.parameters.label.get() is None and answer(engine, wave()).label is None
    exploring.redo()
    assert explore.parameters.label.get() == 1
    beside: list[int | None] = []
    explore.model.changed.connect(lambda _: beside.append(explore.parameters.label.get()))
    explore.choose_model("tiny")
    assert explore.parameters.label.get() is None
    assert beside == [None], "the kind of one model is seen beside another"


def test_a_kind_comes_back_with_a_take_and_a_dropped_work(
    exploring: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    explore = exploring.explore
    explore.parameters.set_label(1)
    answer(engine, wave(2))
    explore.keep_take()
    save_to(exploring, tmp_path / "dark.wav", explore.save_picture)
    saved(exploring, qtbot, "Saved")
    explore.parameters.set_label(None)
    answer(engine, wave())
    explore.choose_take(0)
    assert explore.parameters.label.get() == 1 and answer(engine, wave(2)).label == 1
    explore.parameters.set_label(0)
    answer(engine, wave(4))
    exploring.open_dropped([tmp_path / "dark.wav"])
    qtbot.waitUntil(lambda: explore.parameters.label.get() == 1)


def test_a_kind_that_the_model_does_not_know_is_any(exploring: AppState, engine: FakeEngine) -> None:
    digest = exploring.models.find_or_report_maker(Work(model="waves", model_hash="", seed=1))
    assert digest is not None
    made = Work(medium="sound", model="waves", model_hash=digest.file_hash, seed=1, label=7)
    exploring.explore.restore_work(Artwork(wave(3), made))
    assert exploring.explore.parameters.label.get() is None
    said = exploring.messages.current.get()
    assert said is not None
    assert "class 7" in said.text and '"Waves"' in said.text
    exploring.generate.choose_model("waves")
    exploring.generate.parameters.set_label(9)
    assert exploring.generate.parameters.label.get() is None
