"""Opens a window's states on a fake engine, with two models in the user's folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.library import models
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.panels.sound.stage import RATE, SoundBench
from tests.app.window_fixtures import studio, window_opener

__all__ = ["studio", "window_opener"]

Opener = Callable[[FakeEngine], AppState]


@pytest.fixture(autouse=True)
def two_models(studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Add `tiny`, 8 × 8 in colour with three scales, and `tones`, 4 × 4.

    None of the shipped models is visible.
    """
    monkeypatch.setattr(models, "shipped_folder", lambda: studio_home / "shipped")
    folder = studio_home / "models"
    write_model(folder, make_card("tiny", scales=("Coarse", "Middle", "Fine")))
    write_model(folder, make_card("tones", (1, 4, 4)))
    return folder


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def opener() -> Iterator[Opener]:
    """Open a window on an engine, and close the one before, as a restart does."""
    opened: list[AppState] = []

    def open_window(engine: FakeEngine) -> AppState:
        for window in opened:
            window.close()
        opened[:] = [AppState(engine, SettingsFile(), FakeSpeaker())]
        opened[0].start()
        return opened[0]

    yield open_window
    for window in opened:
        window.close()


@pytest.fixture
def window(opener: Opener, engine: FakeEngine) -> AppState:
    return opener(engine)


@pytest.fixture
def stage(studio_home: Path, opener: Opener, engine: FakeEngine) -> SoundBench:
    """Open Sound with `hum`, a model of recordings, and an engine that is ready."""
    write_model(studio_home / "models", make_card("hum", (RATE,), family=("wavenet", "WaveNet"), rate=RATE))
    window = opener(engine)
    window.show_panel("sound")
    engine.status_changed.emit("Ready")
    return SoundBench(window, engine)
