"""Checks that the recipe of a saved artwork is built once, when the user asks to save it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core import text
from studio.app.core.artwork import Artwork
from studio.library import work
from studio.library.work import Work
from studio.media.pictures.image import open_picture
from studio.wire import messages as wire
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.panels.sound.stage import SoundBench
from tests.app.saving import save_to


class CountingClock:
    """Tells another second each time it is asked, in place of the module `datetime`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.datetime = SimpleNamespace(now=lambda: self)

    def astimezone(self) -> "CountingClock":
        return self

    def isoformat(self, timespec: str) -> str:
        self.told.append(f"2026-01-01T00:00:{len(self.told):02d}+00:00")
        return self.told[-1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> CountingClock:
    counting = CountingClock()
    monkeypatch.setattr(text, "datetime", counting)
    return counting


def pictures(count: int, size: int = 8) -> np.ndarray:
    return np.stack([np.full((size, size, 3), 9 + each, np.uint8) for each in range(count)])


def begin_generate(window: AppState, engine: FakeEngine) -> Callable[[], object]:
    window.generate.parameters.set_number(2)
    window.generate.start_batch()
    job = engine.sent[-1].job
    engine.emit_events(wire.PicturesPreview(job=job, first=0, pictures=pictures(2), done=1, total=1))
    engine.emit_events(wire.Finished(job=job))
    return lambda: window.generate.save_picture(1)


def begin_explore(window: AppState, engine: FakeEngine) -> Callable[[], object]:
    window.explore.parameters.new_start(7)
    job = engine.sent[-1].job
    engine.emit_events(wire.Decoded(job=job, picture=pictures(1)[0]), wire.Finished(job=job))
    return window.explore.save_picture


def begin_complete(window: AppState, engine: FakeEngine) -> Callable[[], object]:
    complete = window.complete
    complete.canvas.open_work(Artwork(pictures(1)[0], Work(model="rows", model_hash="", seed=4)))
    complete.canvas.brush.move_row(-2)
    complete.parameters.set_number(1)
    complete.start_batch()
    job = engine.sent[-1].job
    made = wire.PicturesPreview(job=job, first=0, pictures=pictures(1), done=1, total=1, log_prob=(-1.0,))
    engine.emit_events(made, wire.Finished(job=job))
    complete.choose_completions((0,))

    def save() -> None:
        complete.save_chosen()
        figures = {"differing": 0, "total": 192, "largest_difference": 0, "bits": 9.0, "is_bound": False}
        encoded = wire.Encoded(job=engine.sent[-1].job, latent=np.zeros((3, 8, 8), np.float32), exact=True, **figures)
        engine.emit_events(encoded, wire.Finished(job=encoded.job))

    return save


@pytest.mark.parametrize("begin", [begin_generate, begin_explore, begin_complete])
def test_a_saved_picture_has_one_date(
    window: AppState,
    engine: FakeEngine,
    two_models: Path,
    clock: CountingClock,
    qtbot: QtBot,
    tmp_path: Path,
    begin: Callable[[AppState, FakeEngine], Callable[[], object]],
) -> None:
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    window.models.refresh_models()
    engine.status_changed.emit("Ready")
    save = begin(window, engine)
    before = len(clock.told)
    path = tmp_path / "rose.png"
    assert len(save_to(window, path, save)) == 1
    qtbot.waitUntil(path.exists)
    made = work.recipe_of_png(path.read_bytes())
    assert made is not None
    assert clock.told[before:] == [made.created]


def test_a_saved_sound_has_one_date(stage: SoundBench, clock: CountingClock, qtbot: QtBot, tmp_path: Path) -> None:
    stage.sound.play()
    stage.send_samples(0.5)
    before = len(clock.told)
    path = tmp_path / "hum.wav"
    assert len(save_to(stage.window, path, stage.sound.save_sound)) == 1
    qtbot.waitUntil(path.exists)
    made = work.recipe_of_wav(path.read_bytes())
    assert made is not None
    assert clock.told[before:] == [made.created]


def test_what_is_saved_is_what_was_there_when_the_user_asked(
    window: AppState, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    begin_explore(window, engine)
    path = tmp_path / "rose.png"
    asked: list[Callable[[Path], object]] = []
    window.messages.file_requested.connect(lambda name, then: asked.append(then))
    window.explore.save_picture()
    window.explore.render.set_picture(pictures(3)[2], window.explore.render.shown_input)
    asked[0](path)
    qtbot.waitUntil(path.exists)
    assert (open_picture(path).array == 9).all()
