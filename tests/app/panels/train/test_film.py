"""Tests that the samples of a run are saved as a film, and that those of sounds are heard."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.panels.train.shown_run import ShownRun
from studio.library.runs import ComparedSamples, RunSamples
from tests.app.fake_speaker import FakeSpeaker

RATE = 8000


def show_run(window: AppState, shape: tuple[int, ...], rate: int, artworks: list[np.ndarray]) -> None:
    """Show a run that drew these artworks, ten steps after one another."""
    run = window.train.run
    run.shown.set(ShownRun(Path("roses"), "Roses", "roses", "glow", shape, rate, 100, ""))
    run.samples = [RunSamples(10 * place, float(place), each) for place, each in enumerate(artworks)]
    run.samples_changed.emit()


def asked_path(window: AppState) -> tuple[str, Callable[[Path], object]]:
    """Press the button. Return the proposed name, and the function that receives the path."""
    asked: list[tuple[str, Callable[[Path], object]]] = []
    window.messages.file_requested.connect(lambda name, then: asked.append((name, then)))
    window.train.samples.save_film()
    (only,) = asked
    return only


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return (20_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def test_pictures_become_an_animated_gif(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    show_run(window, (3, 8, 8), 0, [np.full((3, 8, 8, 3), 80 * n, np.uint8) for n in range(3)])
    name, then = asked_path(window)
    assert name == "roses-learning.gif"
    then(tmp_path / "film")
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == 'Saved "film.gif".'
    with Image.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 1) == 3 and film.size[1] == 256


def test_recordings_become_one_wav(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    show_run(window, (2 * RATE,), RATE, [np.stack([tone(200 * n), tone(50)]) for n in (1, 2, 3)])
    name, then = asked_path(window)
    assert name == "roses-learning.wav"
    then(tmp_path / name)
    qtbot.waitUntil(lambda: (tmp_path / name).exists())
    sound, rate = soundfile.read(io.BytesIO((tmp_path / name).read_bytes()))
    assert rate == RATE and len(sound) == 3 * RATE // 2 + 2 * round(0.4 * RATE)
    pitches = [np.abs(np.fft.rfft(part)).argmax() * 2 for part in (sound[: RATE // 2], sound[-RATE // 2 :])]
    assert pitches == [200, 600], "from the oldest to the newest"


def test_a_film_that_cannot_be_saved_can_go_elsewhere(window: AppState, tmp_path: Path, qtbot: QtBot) -> None:
    show_run(window, (3, 8, 8), 0, [np.full((3, 8, 8, 3), 80, np.uint8)])
    _, then = asked_path(window)
    then(tmp_path / "gone" / "film.gif")
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.severity == "failed" and said.buttons[0][0] == "Save elsewhere…"
    asked: list[str] = []
    window.messages.file_requested.connect(lambda name, then: asked.append(name))
    window.messages.press_button(0)
    assert asked == ["film.gif"]


def test_single_waves_have_no_film(window: AppState) -> None:
    show_run(window, (256,), 0, [np.zeros((3, 256), np.int16)])
    assert not window.train.samples.has_film
    window.train.samples.save_film()


@pytest.fixture
def speaker(window: AppState, monkeypatch: pytest.MonkeyPatch) -> FakeSpeaker:
    speaker = FakeSpeaker()
    monkeypatch.setattr(window.sound_card, "_output", speaker)
    return speaker


def test_a_sample_is_heard_and_ends_by_itself(window: AppState, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    show_run(window, (2 * RATE,), RATE, [np.stack([tone(400), tone(600)])])
    window.train.samples.play_sample(0, 1)
    qtbot.waitUntil(lambda: speaker.source is not None)
    assert speaker.heard_pitch() == 600 and window.train.samples.player.playing.get() == (0, 1)
    qtbot.waitUntil(lambda: window.train.samples.player.playing.get() is None)


def test_a_second_click_stops_it(window: AppState, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    show_run(window, (2 * RATE,), RATE, [np.stack([tone(400, 60), tone(600, 60)])])
    window.train.samples.play_sample(0, 0)
    qtbot.waitUntil(lambda: speaker.source is not None)
    window.train.samples.play_sample(0, 0)
    speaker.play_seconds(0.1)  # it fades out
    assert speaker.heard_pitch() == 0 and window.train.samples.player.playing.get() is None


def test_a_single_wave_is_heard_as_a_note(window: AppState, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    cycle = (20_000 * np.sin(2 * np.pi * np.arange(256) / 256)).astype(np.int16)
    show_run(window, (256,), 0, [cycle[None]])
    window.train.samples.play_sample(0, 0)
    qtbot.waitUntil(lambda: speaker.source is not None)
    assert speaker.heard_pitch() == 110


def test_without_a_sound_card_it_says_so(window: AppState, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    speaker.refuses = "There is no sound output."
    show_run(window, (2 * RATE,), RATE, [tone(400)[None]])
    window.train.samples.play_sample(0, 0)
    qtbot.waitUntil(lambda: window.messages.current.get() is not None)
    said = window.messages.current.get()
    assert said is not None and said.text == speaker.refuses and window.train.samples.player.playing.get() is None


def test_a_picture_makes_no_sound(window: AppState, speaker: FakeSpeaker) -> None:
    show_run(window, (3, 8, 8), 0, [np.zeros((3, 8, 8, 3), np.uint8)])
    window.train.samples.play_sample(0, 0)
    assert window.train.samples.player.playing.get() is None and not speaker.opens


def test_both_sounds_of_a_pair_are_heard(window: AppState, speaker: FakeSpeaker, qtbot: QtBot) -> None:
    show_run(window, (2 * RATE,), RATE, [tone(400)[None]])
    samples, nearest = (np.stack([tone(hertz, 30), tone(hertz + 100, 30)]) for hertz in (300, 700))
    window.train.run.compared.set(ComparedSamples(20, samples, nearest, (0.9, 0.2)))
    for side, hertz in ((0, 400), (1, 800)):
        window.train.samples.play_pair(0, side)
        qtbot.waitUntil(lambda: window.sound_card.source is speaker.source is not None)
        assert speaker.heard_pitch() == hertz, "the nearest pair is the first"
