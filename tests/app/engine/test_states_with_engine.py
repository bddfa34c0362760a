"""The states on the real engine process, with a model of eight pixels."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.artwork import Artwork
from studio.app.core.autosave import SettingsFile
from studio.app.engine.client import EngineClient
from studio.app.panels.sound.player import timecode
from studio.library import models
from studio.media import export
from studio.media.pictures.image import open_picture
from studio.media.sounds import wavetable
from studio.media.sounds.playback import RAMP, limit_level
from studio.media.sounds.single_cycle import read_wave
from tests.app.fake_speaker import FakeSpeaker
from tests.app.saving import save_to

Opener = Callable[[], tuple[AppState, EngineClient]]
START = 60_000
"""Milliseconds: torch is loaded by a busy machine."""


@pytest.fixture
def opener(tiny: str, studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens the window on an engine of its own; closes the one before."""
    monkeypatch.setattr(models, "shipped_folder", lambda: studio_home / "shipped")
    opened: list[tuple[AppState, EngineClient]] = []

    def close() -> None:
        for window, engine in opened:
            window.close()
            engine.close()

    def open_window() -> tuple[AppState, EngineClient]:
        close()
        engine = EngineClient()
        opened[:] = [(AppState(engine, SettingsFile(), FakeSpeaker()), engine)]
        opened[0][0].start()
        engine.start()
        return opened[0]

    yield open_window
    close()


def generate(window: AppState, qtbot: QtBot, count: int, seed: int) -> None:
    window.generate.parameters.set_number(count)
    window.generate.parameters.set_seed(seed)
    window.generate.start_batch()
    qtbot.waitUntil(lambda: not window.generate.batch.running.get(), timeout=START)


def test_from_a_seed_to_a_file_and_back(opener: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window, _ = opener()
    generate(window, qtbot, 4, 4112)
    cells = window.generate.batch.cells.get()
    assert all(cell.finished for cell in cells) and all(cell.log_prob is not None for cell in cells)

    # The same seed is the same picture in Explore, and alone instead of in a batch.
    window.generate.open_in_explore(2)
    explore = window.explore
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    assert explore.render.picture.get() is not cells[2].picture and np.array_equal(
        explore.render.picture.get(), cells[2].picture
    )

    # Sliders and temperatures go into the file, and come out of it in another window on another engine.
    explore.parameters.set_slider(0, 1.25)
    explore.parameters.set_temperature(1, 0.3)
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    wanted = explore.render.picture.get()
    assert wanted is not None and not np.array_equal(wanted, cells[2].picture)
    save_to(window, tmp_path / "work.png", explore.save_picture)
    qtbot.waitUntil((tmp_path / "work.png").exists)
    explore.keep_take()

    other, _ = opener()
    assert other.panel.get() == "explore"
    qtbot.waitUntil(lambda: other.engine_status.get() == "Ready", timeout=START)
    assert np.array_equal(other.explore.render.picture.get(), wanted)
    other.explore.parameters.reset_sliders()
    other.explore.parameters.new_start(1)
    other.open_dropped([tmp_path / "work.png"])
    qtbot.waitUntil(lambda: other.explore.parameters.seed.get() == 4114)
    qtbot.waitUntil(lambda: other.engine_status.get() == "Ready", timeout=START)
    assert np.array_equal(other.explore.render.picture.get(), wanted)


def test_a_photo_comes_back_byte_for_byte(opener: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    window, _ = opener()
    window.open_dropped([tmp_path / "noise.png"])
    qtbot.waitUntil(lambda: window.explore.importing.preview.get() is not None)
    window.explore.importing.encode_preview()
    qtbot.waitUntil(lambda: window.explore.badge.get().kind == "exact", timeout=START)
    qtbot.waitUntil(lambda: window.explore.render.picture.get() is not None, timeout=START)
    assert np.array_equal(window.explore.render.picture.get(), noise)
    save_to(window, tmp_path / "work.png", window.explore.save_picture)
    qtbot.waitUntil((tmp_path / "work.png").exists)
    assert np.array_equal(open_picture(tmp_path / "work.png").array, noise.repeat(8, axis=0).repeat(8, axis=1))


def test_a_hole_is_filled_ranked_steered_and_saved(
    tiny_pixels: str, rings: np.ndarray, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    picture = rings[130, ..., :1] // 16 * 17
    Image.fromarray(picture[..., 0]).save(tmp_path / "ring.png")
    window, _ = opener()
    state = window.complete
    assert state.model.get() is not None and state.model.get().card.name == tiny_pixels
    window.show_panel("complete")
    window.open_dropped([tmp_path / "ring.png"])
    qtbot.waitUntil(lambda: state.canvas.picture.get() is not None)
    painting = state.canvas.brush
    painting.choose_tool("rectangle")
    painting.start_stroke((2.5, 2.5))
    painting.continue_stroke((5.5, 4.5))
    painting.end_stroke()
    state.rank_by("following")
    state.parameters.set_number(12)
    state.parameters.set_seed(3)
    state.batch.show_uncertainty(True)
    state.start_batch()
    painting.choose_tool("temperature")
    painting.start_stroke((4.5, 3.5))  # while it draws
    painting.end_stroke()
    qtbot.waitUntil(lambda: not state.batch.running.get(), timeout=START)
    cells = state.ranking.cells.get()
    results = state.ranking
    assert all(cell.finished for cell in cells)
    kept = ~painting.mask.get()
    assert all(np.array_equal(cell.picture[kept], picture[kept]) for cell in cells if cell.picture is not None)
    doubts = [state.batch.uncertainty.map_of(cell.picture) for cell in cells]
    assert all(doubt is not None and np.array_equal(np.isfinite(doubt), ~kept) for doubt in doubts)
    parts = [cells[index].following_log_prob for index in results.ranked_cells()]
    assert None not in parts and parts == sorted(parts, reverse=True)
    assert (len(results.places.get()), results.left_out.get()) == (9, 3)

    # A saved one carries its whole making, and Explore draws the same again.
    state.choose_completions((results.places.get()[0].cell,))
    best = state.current_completion()
    assert best is not None
    save_to(window, tmp_path / "best.png", state.save_chosen)
    qtbot.waitUntil((tmp_path / "best.png").exists, timeout=START)
    window.show_panel("explore")
    window.open_dropped([tmp_path / "best.png"])
    qtbot.waitUntil(
        lambda: window.engine_status.get() == "Ready" and window.explore.parameters.source.get() == "ring.png",
        timeout=START,
    )
    assert np.array_equal(window.explore.render.picture.get(), best.picture)


def test_waves_are_made_led_to_one_another_and_brought_back(
    tiny_waves: str, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window, _ = opener()
    explore = window.explore
    explore.choose_model(tiny_waves)

    def settled() -> np.ndarray:
        qtbot.waitUntil(
            lambda: window.engine_status.get() == "Ready" and explore.render.picture.get() is not None, timeout=START
        )
        wave = explore.render.picture.get()
        assert wave is not None and wave.shape == (32,) and wave.dtype == np.int16
        return wave

    window.show_panel("explore")
    explore.parameters.new_start(1)
    first = settled()
    explore.keep_take()
    explore.parameters.set_slider(0, 2.0)
    qtbot.wait(50)
    second = settled()
    assert not np.array_equal(first, second) and window.wave_synth.wave.get() is second

    # The frames lead from what the stage shows to the take, both as Explore showed them.
    save_to(window, tmp_path / "way.wav", lambda: explore.wavetable.save_wavetable(0))
    qtbot.waitUntil((tmp_path / "way.wav").exists, timeout=START)
    opened = read_wave(tmp_path / "way.wav", 32)
    quieter = np.abs(opened.array).max() / np.abs(second.astype(int)).max()  # as a whole, where it would pass 1
    assert quieter > 0.9
    assert np.abs(opened.array - second * quieter).max() < 2 and np.abs(opened.last - first * quieter).max() < 2
    assert any("64 frames" in note for note in opened.notes)

    # A wave of one's own becomes a start, and comes back.
    own = np.rint(wavetable.resample_cycle(first, 300)).astype(np.int16)
    (tmp_path / "own.wav").write_bytes(export.encode_wav_bytes(own, 44_100, {}))
    window.open_dropped([tmp_path / "own.wav"])
    qtbot.waitUntil(lambda: explore.parameters.source.get() == "own.wav", timeout=START)
    qtbot.waitUntil(lambda: explore.badge.get().kind == "exact", timeout=START)

    # Dropped, the wavetable restores its beginning and both of its ends.
    explore.selection.delete_take(0)
    window.open_dropped([tmp_path / "way.wav"])
    qtbot.waitUntil(lambda: len(explore.selection.takes.get()) == 2)
    qtbot.wait(50)
    assert np.array_equal(settled(), second) and explore.parameters.sliders.get()[0] == 2.0


def test_a_kind_is_made_and_explored(tiny_kinds: str, opener: Opener, qtbot: QtBot) -> None:
    window, _ = opener()
    window.generate.choose_model(tiny_kinds)
    for label in (0, 1):
        window.generate.parameters.set_label(label)
        generate(window, qtbot, 16, 1)
        pictures = np.stack([cell.picture for cell in window.generate.batch.cells.get() if cell.picture is not None])
        assert (pictures[:, 2:].mean() > 127) == (label == 1)  # Dark, then Light
    window.generate.open_in_explore(0)
    assert window.explore.parameters.label.get() == 1
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    assert np.array_equal(window.explore.render.picture.get(), pictures[0])


def test_a_picture_goes_on_from_a_row_exactly_and_the_same_each_time(
    tiny_pixels: str, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window, _ = opener()
    state = window.generate
    rewind = window.generate.rewind
    state.choose_model(tiny_pixels)
    generate(window, qtbot, 2, 7)
    assert state.batch.rows == 8
    state.enlarge_cell(0)
    start = state.current_item()
    assert start is not None and rewind.marker.get() is not None

    def gone_on(count: int) -> np.ndarray:
        qtbot.waitUntil(lambda: not rewind.is_running and len(window.takes.takes.get()) == count, timeout=START)
        found = state.current_item()
        assert found is not None
        return found

    # Another seed below row 5: the rows above are those of the picture, and something below is new.
    state.rewind_actions.move_marker(5)
    state.rewind_actions.branch_here()
    first = gone_on(2)
    assert np.array_equal(first[:5], start[:5]) and not np.array_equal(first, start)

    # One pixel white with the picture's own seed: it stands, and nothing before it differs.
    state.enlarged.show_take(0)
    state.rewind_actions.move_marker(5)
    state.rewind_actions.set_pixel(6, 3, (250,))
    state.rewind_actions.branch_here()
    second = gone_on(3)
    assert second[6, 3, 0] == 255  # the highest of 16 levels
    before = np.arange(64).reshape(8, 8) < 6 * 8 + 3
    assert np.array_equal(second[before], start[before])

    # The file alone makes it again, in another window on another engine.
    save_to(window, tmp_path / "on.png", state.save_picture)
    qtbot.waitUntil((tmp_path / "on.png").exists)
    other, _ = opener()
    qtbot.waitUntil(lambda: len(other.takes.takes.get()) == 3)
    other.generate.selection.delete_take(2)
    other.open_dropped([tmp_path / "on.png"])
    qtbot.waitUntil(lambda: len(other.takes.takes.get()) == 3)
    work = other.takes.takes.get()[2].work
    drawn: list[np.ndarray] = []
    other.generate.rewind.finished.connect(lambda made, base: drawn.append(made.array))
    other.generate.rewind.draw_rest(work)
    qtbot.waitUntil(lambda: len(drawn) == 1, timeout=START)
    assert np.array_equal(drawn[0], second)

    # In Explore it begins from its latent, and comes back.
    assert other.explore.restore_work(Artwork(second, work))
    qtbot.waitUntil(lambda: other.explore.badge.get().kind == "exact", timeout=START)
    qtbot.waitUntil(lambda: other.engine_status.get() == "Ready", timeout=START)
    assert np.array_equal(other.explore.render.picture.get(), second)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing can be killed this way here")
def test_an_engine_killed_in_the_middle_loses_nothing_that_was_finished(opener: Opener, qtbot: QtBot) -> None:
    window, engine = opener()
    window.generate.parameters.set_number(2048)
    window.generate.parameters.set_seed(1)
    window.generate.start_batch()
    qtbot.waitUntil(lambda: any(cell.finished for cell in window.generate.batch.cells.get()), timeout=START)
    os.kill(engine.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not window.generate.batch.running.get())
    cells = window.generate.batch.cells.get()
    done = sum(cell.finished for cell in cells)
    said = window.messages.current.get()
    assert 0 < done < 2048 and said is not None
    assert '"2,048 pictures"' in said.text and f"{done:,}" in said.text
    assert [label for label, _ in said.buttons] == [f"Make the other {2048 - done:,}"]
    window.messages.press_button(0)
    qtbot.waitUntil(lambda: sum(cell.finished for cell in window.generate.batch.cells.get()) > done, timeout=START)
    assert all(
        now is before for now, before in zip(window.generate.batch.cells.get(), cells, strict=True) if before.finished
    )
    window.generate.batch.stop_run()
    qtbot.waitUntil(lambda: not window.generate.batch.running.get(), timeout=START)


def test_a_sound_is_heard_changed_kept_and_gone_on_from(
    tiny_recordings: str, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window, _ = opener()
    sound = window.sound
    player = window.sound.player
    assert sound.model.get() is not None and sound.model.get().card.name == tiny_recordings
    sound.parameters.set_seed(5)
    sound.play()
    speaker = sound.player.card._output
    assert isinstance(speaker, FakeSpeaker)
    qtbot.waitUntil(lambda: player.made_seconds > 0.7, timeout=START)
    speaker.play_seconds(0.2)
    before = player.samples.copy()
    sound.parameters.set_temperature(0.0)
    at = round(sound.live_settings.temperature_curve.get()[-1][0] * player.rate)
    assert at < len(before)
    qtbot.waitUntil(lambda: player.made_seconds > at / player.rate + 0.2, timeout=START)
    sound.player.stop()
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    after = player.samples.copy()
    both = min(len(before), len(after))
    assert np.array_equal(after[:at], before[:at]) and not np.array_equal(after[at:both], before[at:both])
    assert np.isfinite(player.bits).all() and len(player.bits) == len(after)

    # The file carries the curve, and brings it and every sample back in another window.
    save_to(window, tmp_path / "a.wav", sound.save_sound)
    qtbot.waitUntil((tmp_path / "a.wav").exists)
    curve = sound.live_settings.temperature_curve.get()
    sound.keep_take()
    other, _ = opener()
    qtbot.waitUntil(lambda: len(other.sound.player.samples) == len(after))
    assert (
        np.array_equal(other.sound.player.samples, after) and other.sound.live_settings.temperature_curve.get() == curve
    )
    other.sound.parameters.new_seed()
    assert not len(other.sound.player.samples)
    other.open_dropped([tmp_path / "a.wav"])
    qtbot.waitUntil(lambda: len(other.sound.player.samples) == len(after))
    assert (
        other.panel.get() == "sound"
        and other.sound.parameters.seed.get() == 5
        and other.sound.live_settings.temperature_curve.get() == curve
    )
    assert len(other.takes.takes.get()) == 1

    # From its middle on it goes another way.
    middle = round(0.2 * player.rate)
    other.sound.branch_at(0.2)
    other.sound.play()
    qtbot.waitUntil(lambda: len(other.sound.player.samples) > len(after), timeout=START)
    new = other.sound.player.samples
    assert np.array_equal(new[:middle], after[:middle]) and not np.array_equal(new[: len(after)], after)
    other.sound.keep_take()
    takes = other.takes.takes.get()
    assert [take.work.continued_samples for take in takes] == [0, middle] and takes[1].work.ancestors == (takes[0].key,)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing can be killed this way here")
def test_of_a_sound_whose_engine_is_killed_all_that_was_made_is_heard(
    tiny_recordings: str, opener: Opener, qtbot: QtBot
) -> None:
    window, engine = opener()
    sound = window.sound
    player = window.sound.player
    speaker = player.card._output
    assert isinstance(speaker, FakeSpeaker) and sound.model.get().card.name == tiny_recordings
    player.set_level(1.0)
    sound.play()
    qtbot.waitUntil(lambda: player.made_seconds > 0.5, timeout=START)
    first = speaker.play_seconds(0.2)
    os.kill(engine.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not player.making.get(), timeout=START)
    made = player.samples.copy()
    said = window.messages.current.get()
    assert said is not None and timecode(player.made_seconds) in said.text
    heard = np.concatenate((first, speaker.play_seconds(player.made_seconds + 1)))
    wanted = limit_level(soxr.resample(made.astype(np.float32) / 32_768, player.rate, speaker.rate))
    steepest = np.abs(np.diff(wanted)).max() + np.abs(wanted).max() / (RAMP * speaker.rate)
    assert player.position == player.made_seconds and not heard[-speaker.rate // 2 :].any()
    assert np.abs(np.diff(heard)).max() < 1.01 * steepest
    sound.play()
    qtbot.waitUntil(lambda: len(player.samples) > len(made), timeout=START)
    assert np.array_equal(player.samples[: len(made)], made)


def test_what_is_seen_of_a_recording_is_priced_and_nothing_else(
    tiny_recordings: str, opener: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, 600 * 8000).astype(np.int16)
    soundfile.write(tmp_path / "talk.wav", noise, 8000, subtype="PCM_16")
    window, _ = opener()
    sound = window.sound
    player = window.sound.player
    window.open_file(tmp_path / "talk.wav")
    qtbot.waitUntil(lambda: len(player.samples) == len(noise), timeout=START)
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    assert np.isnan(player.bits).all(), "nobody looks at them"

    sound.recording_bits.set_visible((60.0, 62.0))
    begin, end = 60 * 8000, 62 * 8000
    qtbot.waitUntil(lambda: bool(np.isfinite(player.bits[begin:end]).all()), timeout=START)
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    known = np.flatnonzero(np.isfinite(player.bits))
    assert begin - 1700 < known[0] < known[-1] < end + 1700, "a margin on either side"
    assert sound.recording_bits.status_text.get() in ("taken for High", "taken for Low")
    assert 4 < player.bits[begin:end].mean() < 14, "noise costs more than the eight bits of a sample that nobody knows"

    # Long work is listed in the queue, and ends if the user leaves the panel.
    sound.recording_bits.set_visible((0.0, 600.0))
    qtbot.waitUntil(lambda: bool(window.jobs.jobs.get()), timeout=START)
    sound.recording_bits.set_visible(None)
    qtbot.waitUntil(lambda: window.engine_status.get() == "Ready", timeout=START)
    assert not window.jobs.jobs.get() and np.isnan(player.bits).any()
