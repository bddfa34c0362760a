"""The panel Train on the real engine, from a dropped folder to a picture or a sound of the new model."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.engine.client import EngineClient
from studio.library import models
from tests.app.fake_speaker import FakeSpeaker
from tests.limits import LIMIT

Opener = Callable[[], AppState]
LONG = round(10_000 * LIMIT)
"""Milliseconds: torch is loaded, and a model learns, on a busy machine."""


@pytest.fixture
def opener(studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens the window on two engines of its own, one of which trains; closes the one before."""
    monkeypatch.setattr(models, "shipped_folder", lambda: studio_home / "shipped")
    opened: list[tuple[AppState, EngineClient, EngineClient]] = []

    def close() -> None:
        for window, engine, trainer in opened:
            window.close()
            trainer.close()
            engine.close()
        opened.clear()

    def open_window() -> AppState:
        close()
        engine = EngineClient()
        trainer = EngineClient()  # not in the background: on a busy machine it would have no time at all
        window = AppState(engine, SettingsFile(), FakeSpeaker(), trainer=trainer)
        opened.append((window, engine, trainer))
        window.start()
        engine.start()
        return window

    yield open_window
    close()


def _pictures(folder: Path, count: int = 24) -> Path:
    """Write pictures of discs in some colours, one text, and one picture that is cut off."""
    folder.mkdir()
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:40, :40] - 19.5
    for number in range(count):
        ground, ink = generator.integers(0, 256, (2, 3))
        disc = (np.hypot(y, x) < generator.uniform(6, 18))[..., None]
        Image.fromarray(np.where(disc, ink, ground).astype(np.uint8)).save(folder / f"disc {number}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def _wait(qtbot: QtBot, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=LONG)


@pytest.mark.timeout(1200)
def test_a_folder_of_pictures_becomes_a_model_that_makes_one(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    window = opener()
    train = window.train
    window.open_dropped([_pictures(tmp_path / "discs")])
    train.settings.choose_size(16)
    train.settings.set_plan("steps", 40)
    train.settings.set_plan("evaluate_every", 10)
    _wait(qtbot, lambda: train.folder.report.get() is not None)
    report = train.folder.report.get()
    assert report is not None and (report.medium, report.used, report.skipped) == ("pictures", 24, 1)
    _wait(qtbot, lambda: train.settings.cost.get() is not None)
    cost = train.settings.cost.get()
    assert cost is not None and cost.step_seconds > 0 and cost.memory < cost.free_memory
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() == "running")
    train.play("generate")
    _wait(qtbot, lambda: train.run.phase.get() == "finished")
    assert train.run.fault.get() == ""
    assert train.run.curve.held_out[:, 0].tolist() == [10, 20, 30, 40]
    assert train.run.curve.held_out[-1, 1] < train.run.curve.training[0]
    assert len(train.run.samples) >= 2 and train.run.samples[0].artworks.shape == (3, 16, 16, 3)

    trained = window.models.find_model("discs")
    assert trained is not None and trained.card.title == "Discs" and trained.card.steps == 40
    train.play("generate")
    generate = window.generate
    assert window.panel.get() == "generate" and generate.model.get() == trained
    generate.parameters.set_number(1)
    generate.start_batch()
    _wait(qtbot, lambda: not generate.batch.running.get())
    (cell,) = generate.batch.cells.get()
    assert cell.finished and cell.picture is not None and cell.picture.shape == (16, 16, 3)
    assert len(np.unique(cell.picture)) > 1


@pytest.mark.timeout(1200)
def test_a_training_survives_the_window(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    window = opener()
    train = window.train
    window.open_dropped([_pictures(tmp_path / "discs")])
    train.settings.choose_size(16)
    train.settings.set_plan("steps", 100_000)
    _wait(qtbot, lambda: train.settings.prepared.get() is not None)
    train.press_main()
    _wait(qtbot, lambda: train.run.step.get() >= 5)
    window.autosave.save()
    stopped_at = train.run.step.get()

    train = opener().train
    _wait(qtbot, lambda: train.run.phase.get() == "paused")
    assert train.run.step.get() >= stopped_at, "the engine saved when the window closed"
    assert train.run.curve.steps[-1] <= train.run.step.get()
    step = train.run.step.get()
    train.press_main()
    _wait(qtbot, lambda: train.run.step.get() > step)
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() == "paused")


@pytest.mark.timeout(1800)
def test_a_folder_of_sounds_becomes_a_model_that_makes_one(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    folder = tmp_path / "beeps"
    folder.mkdir()
    for number in range(6):
        seconds = np.arange(8000 + 400 * number) / 16_000
        soundfile.write(folder / f"{number}.wav", 0.4 * np.sin(2 * np.pi * (220 + 60 * number) * seconds), 16_000)
    window = opener()
    train = window.train
    window.open_dropped([folder])
    train.settings.set_plan("steps", 6)
    train.settings.set_plan("evaluate_every", 3)
    train.settings.set_plan("cut_samples", 512)
    _wait(qtbot, lambda: train.settings.prepared.get() is not None)
    assert train.settings.family.get() == "wavenet"
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() == "finished")
    trained = window.models.find_model("beeps")
    assert trained is not None and trained.card.sample_rate == 16_000
    train.play("sound")
    assert window.panel.get() == "sound" and window.sound.model.get() == trained
    window.sound.play()
    _wait(qtbot, lambda: len(window.sound.player.samples) > 1000)
    window.sound.player.stop()


@pytest.mark.timeout(1200)
def test_the_next_training_begins_after_one_whose_engine_was_killed(
    opener: Opener, tmp_path: Path, qtbot: QtBot
) -> None:
    window = opener()
    train = window.train
    for name in ("discs", "more"):
        window.open_dropped([_pictures(tmp_path / name)])
        train.settings.choose_size(16)
        train.settings.set_plan("steps", 100_000)
        train.press_main()
        _wait(qtbot, lambda: train.run.step.get() >= 2 and not train.waits.get())
    assert train.run.shown.get().title == "Discs"  # type: ignore[union-attr]
    assert [training.title for training in train.queue.waiting.get()] == ["More"]
    assert window._trainer is not None
    os.kill(window._trainer.process_id, signal.SIGKILL)
    _wait(qtbot, lambda: train.run.shown.get().title == "More" and train.run.step.get() >= 2)  # type: ignore[union-attr]
    assert not train.queue.waiting.get()
    _wait(qtbot, lambda: len(train.past.runs.get()) == 1)
    train.run.pause()
    _wait(qtbot, lambda: train.run.phase.get() == "paused")
    train.past.refresh()
    _wait(qtbot, lambda: {run.config.title for run in train.past.runs.get()} == {"Discs", "More"})
    train.show_run("discs")
    _wait(qtbot, lambda: train.run.shown.get().title == "Discs")  # type: ignore[union-attr]
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() == "running")
