"""The panel Train on two real engines: the folder is here, and another computer learns from it."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.engine.client import EngineClient
from studio.library import models, runs
from studio.wire.frames import encode
from studio.wire.messages import AnyCommand, StoreFile, Train
from tests import fake_ssh
from tests.app.fake_speaker import FakeSpeaker
from tests.limits import LIMIT

LONG = round(10_000 * LIMIT)
"""Milliseconds: torch is loaded, and a model learns, on a busy machine."""


class Studio:
    """Holds a window's state with its engines, and notes what is sent to the other computer."""

    def __init__(self) -> None:
        self.engines = [EngineClient(), EngineClient(), EngineClient()]
        engine, trainer, self.remote = self.engines
        self.window = AppState(engine, SettingsFile(), FakeSpeaker(), trainer=trainer, remote_trainer=self.remote)
        self.sent: list[AnyCommand] = []
        self.remote.command_sent.connect(self.sent.append)
        self.window.start()
        self.train = self.window.train

    def close(self) -> None:
        self.window.close()
        for engine in reversed(self.engines):
            engine.close()

    def count(self, kind: type) -> int:
        return sum(isinstance(command, kind) for command in self.sent)


Opener = Callable[[], Studio]


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake ssh first in the path, and return the home of the studio on the other computer."""
    home = tmp_path / "garden"
    for name, value in fake_ssh.install(tmp_path / "bin", home).items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def opener(studio_home: Path, garden: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens the window with another computer in its settings; closes the one before."""
    monkeypatch.setattr(models, "shipped_folder", lambda: studio_home / "shipped")
    opened: list[Studio] = []

    def open_studio() -> Studio:
        while opened:
            opened.pop().close()
        studio = Studio()
        opened.append(studio)
        if not studio.window.computers.hosts.get():
            monkeypatch.setattr(studio.window.computers, "test", lambda host: None)
            assert studio.window.computers.add("garden") == ""
        return studio

    yield open_studio
    while opened:
        opened.pop().close()


def write_pictures(folder: Path, count: int = 24) -> Path:
    """Write pictures of discs in some colours."""
    folder.mkdir()
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:40, :40] - 19.5
    for number in range(count):
        ground, ink = generator.integers(0, 256, (2, 3))
        disc = (np.hypot(y, x) < generator.uniform(6, 18))[..., None]
        Image.fromarray(np.where(disc, ink, ground).astype(np.uint8)).save(folder / f"disc {number}.png")
    return folder


def begin(studio: Studio, folder: Path, steps: int, wait: Callable[[Callable[[], object]], None]) -> None:
    train = studio.train
    studio.window.open_dropped([folder])
    train.settings.choose_size(16)
    train.settings.choose_computer("garden")
    train.settings.set_plan("steps", steps)
    train.settings.set_plan("evaluate_every", 10)
    wait(lambda: train.settings.cost.get() is not None)
    train.press_main()
    wait(lambda: train.run.phase.get() == "running" or train.run.fault.get())


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], object]], None]:
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=LONG)


@pytest.mark.timeout(1800)
def test_another_computer_learns_from_a_folder_here_and_sends_the_model_back(
    opener: Opener, garden: Path, studio_home: Path, tmp_path: Path, wait: Callable[[Callable[[], object]], None]
) -> None:
    studio = opener()
    train = studio.train
    begin(studio, write_pictures(tmp_path / "discs"), 30, wait)
    cost = train.settings.cost.get()
    assert cost is not None and cost.step_seconds > 0
    wait(lambda: train.run.phase.get() in ("finished", "failed"))
    assert train.run.fault.get() == ""
    assert train.run.curve.held_out[:, 0].tolist() == [10, 20, 30]
    trained = studio.window.models.find_model("discs")
    assert trained is not None and trained.path.is_relative_to(studio_home) and trained.card.steps == 30
    assert not list((garden / "models").glob("*")), "the model of an artist is kept on the artist's own computer"

    (there,) = (garden / "runs").iterdir()
    assert (there / "checkpoints").is_dir() and there.name.startswith("discs-")
    assert not (studio_home / "runs" / "discs" / "checkpoints").exists()
    commands = [command for command in studio.sent if not isinstance(command, Train)]
    train_command = next(command for command in studio.sent if isinstance(command, Train))
    assert Path(train_command.source).is_relative_to(garden), "it needs no folder of this computer"
    assert not any(str(tmp_path / "discs").encode() in encode(command) for command in commands)

    train.past.refresh()
    wait(lambda: train.past.runs.get())
    (run,) = train.past.runs.get()
    assert run.place is not None and run.place.computer == "garden"
    assert run.outcome is not None and run.step == 30
    assert run.curve == tuple(train.run.curve.points)
    assert len(runs.read_samples(run.folder)) == len(train.run.samples) >= 1


@pytest.mark.timeout(1800)
def test_a_run_elsewhere_survives_a_lost_connection_and_the_window(
    opener: Opener, garden: Path, tmp_path: Path, wait: Callable[[Callable[[], object]], None]
) -> None:
    studio = opener()
    train = studio.train
    begin(studio, write_pictures(tmp_path / "discs"), 100_000, wait)
    wait(lambda: train.run.step.get() >= 3)
    assert studio.count(StoreFile) == 1
    os.kill(studio.remote.process_id, signal.SIGKILL)
    wait(lambda: train.run.phase.get() == "failed")
    assert train.run.fault.get().startswith('The connection to "garden" was lost.') and train.run.can_resume
    train.press_main()
    wait(lambda: train.run.phase.get() == "running")
    assert train.run.curve.steps[0] == 1 and studio.count(StoreFile) == 1, "the artworks are there already"
    studio.window.autosave.save()
    step = train.run.step.get()

    studio = opener()
    train = studio.train
    wait(lambda: train.run.phase.get() == "paused")
    assert train.run.step.get() >= step - 1 and train.run.is_remote
    wait(lambda: not any((there / "lock").exists() and _is_locked(there) for there in (garden / "runs").iterdir()))
    train.run.finish()
    wait(lambda: train.run.phase.get() in ("finished", "failed"))
    assert train.run.fault.get() == ""
    assert studio.window.models.find_model("discs") is not None


def _is_locked(run: Path) -> bool:
    from studio.library import storage

    lock = storage.lock_file(run / runs.LOCK_FILE)
    if lock is not None:
        os.close(lock)
    return lock is None
