"""The panel trains on another computer: what it asks of which engine, what it keeps and what it says."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.engine.computers import Computers
from studio.app.panels.train import wording
from studio.app.panels.train.inspector_view import ModelSection
from studio.app.widgets.theme import Theme
from studio.library import models, runs, storage
from studio.library.runs import RunPlace, RunProgress
from studio.wire.messages import (
    ArtworksPacked,
    FileFound,
    FindFile,
    Finished,
    MeasureTraining,
    ModelPiece,
    ModelWritten,
    PackArtworks,
    PrepareTraining,
    StoreFile,
    Train,
    TrainingCost,
)
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.panels.train.bench import TrainBench
from tests.app.window_fixtures import settle, shown


class RemoteEngine(FakeEngine):
    """Replaces the engine on another computer."""

    def rest(self) -> None:
        self.status_changed.emit("Stopped")


class Elsewhere:
    """Holds a panel with an engine here and another one there."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.remote = RemoteEngine()
        self.remote.now = "Stopped"
        self.window = AppState(self.engine, SettingsFile(), FakeSpeaker(), remote_trainer=self.remote)  # type: ignore[arg-type]
        self.window.start()
        self.engine.status_changed.emit("Ready")
        self.here = TrainBench(self.window, self.engine)
        self.there = TrainBench(self.window, self.remote)
        self.state = self.window.train

    def prepare(self, folder: Path) -> None:
        """Prepare a training on the computer `garden`."""
        self.window.computers.add("garden")
        self.here.open_folder(folder)
        self.here.prepare()
        self.state.settings.choose_computer("garden")
        self.here.end_cancelled("prepare")
        self.here.prepare()

    def pack(self, tmp_path: Path, data: bytes = b"artworks") -> None:
        """Answer that the artworks are packed."""
        path = tmp_path / "packed.safetensors"
        path.write_bytes(data)
        asked = self.here.newest(PackArtworks)
        self.engine.emit_events(
            ArtworksPacked(job=asked.job, path=str(path), file_hash=storage.hash_bytes(data), size=len(data)),
            Finished(job=asked.job),
        )

    def find(self, path: str = "") -> None:
        """Answer whether the artworks are there already."""
        asked = self.there.newest(FindFile)
        found = (FileFound(job=asked.job, path=path),) if path else ()
        self.remote.emit_events(*found, Finished(job=asked.job))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setattr(Computers, "test", lambda self, host: None)
    opened = Elsewhere()
    yield opened
    opened.window.close()


def test_the_cost_is_measured_where_the_training_will_run(elsewhere: Elsewhere, folder: Path) -> None:
    elsewhere.prepare(folder)
    assert not elsewhere.here.newest(PrepareTraining).measures
    assert elsewhere.remote.hosts == ["garden"] and elsewhere.remote.starts
    asked = elsewhere.there.newest(MeasureTraining)
    assert asked.config == elsewhere.state.settings.prepared.get().config  # type: ignore[union-attr]
    cost = TrainingCost(job=asked.job, step_seconds=9.0, memory=1, disk=1, parameters=1, free_memory=2)
    elsewhere.remote.emit_events(cost, Finished(job=asked.job))
    assert elsewhere.state.settings.cost.get() == cost
    elsewhere.window.computers.remove("garden")
    assert elsewhere.state.settings.computer.get() == ""
    assert elsewhere.here.newest(PrepareTraining).measures


def test_artworks_are_sent_in_pieces_that_wait_for_each_other(
    elsewhere: Elsewhere, folder: Path, tmp_path: Path
) -> None:
    elsewhere.prepare(folder)
    elsewhere.state.press_main()
    assert elsewhere.here.newest(PackArtworks).source == str(folder)
    assert not elsewhere.here.count(Train) and not elsewhere.there.count(Train)
    data = np.random.default_rng(0).bytes(6 * 2**20 + 5)
    elsewhere.pack(tmp_path, data)
    elsewhere.find()
    sent = b""
    for number in range(7):
        pieces = [command for command in elsewhere.remote.sent if isinstance(command, StoreFile)]
        assert len(pieces) <= number + 4, "no more are under way"
        sent += pieces[number].data.tobytes()
        found = (FileFound(job=pieces[number].job, path="/there/artworks"),) if number == 6 else ()
        assert "were sent to garden" in wording.head_text(elsewhere.state.run, "", "pictures") or not number
        elsewhere.remote.emit_events(*found, Finished(job=pieces[number].job))
    assert sent == data
    train = elsewhere.there.newest(Train)
    assert (train.source, train.is_remote) == ("/there/artworks", True)
    assert train.run_folder.startswith(f"{train.config['name']}-") and "/" not in train.run_folder


def test_what_is_reported_is_kept_here_and_the_model_is_saved(
    elsewhere: Elsewhere, folder: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    elsewhere.prepare(folder)
    elsewhere.state.press_main()
    elsewhere.pack(tmp_path)
    elsewhere.find("/there/artworks")
    elsewhere.there.learn(1, 8.0)
    elsewhere.there.learn(2, 7.0, 7.5)
    elsewhere.there.draw(2)
    train = elsewhere.there.newest(Train)
    name = str(train.config["name"])
    file = write_model(tmp_path / "made", make_card(name)).read_bytes()
    events = [
        ModelPiece(
            job=train.job,
            file_hash=storage.hash_bytes(file),
            first_byte=first,
            size=len(file),
            data=np.frombuffer(file[first : first + 500], np.uint8),
        )
        for first in range(0, len(file), 500)
    ]
    elsewhere.remote.emit_events(
        *events, ModelWritten(job=train.job, name=name, is_final=True), Finished(job=train.job)
    )
    run = elsewhere.state.run
    assert run.phase.get() != "finished", "the model is being saved"
    qtbot.waitUntil(lambda: run.phase.get() == "finished")
    assert models.find_model(name).path.read_bytes() == file
    assert elsewhere.window.models.find_model(name) is not None
    elsewhere.state.past.refresh()
    qtbot.waitUntil(lambda: bool(elsewhere.state.past.runs.get()))
    (kept,) = elsewhere.state.past.runs.get()
    assert kept.place == RunPlace("garden", train.run_folder) and kept.source == str(folder)
    assert kept.curve == ((1, 8.0, None), (2, 7.0, 7.5)) and kept.outcome is not None
    assert [samples.step for samples in runs.read_samples(kept.folder)] == [2]
    assert wording.run_row(kept).endswith("finished · on garden")


def test_a_damaged_model_is_not_saved(elsewhere: Elsewhere, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    elsewhere.prepare(folder)
    elsewhere.state.press_main()
    elsewhere.pack(tmp_path)
    elsewhere.find("/there/artworks")
    elsewhere.there.learn(1, 8.0)
    train = elsewhere.there.newest(Train)
    name = str(train.config["name"])
    piece = ModelPiece(job=train.job, file_hash="0" * 32, first_byte=0, size=4, data=np.zeros(4, np.uint8))
    elsewhere.remote.emit_events(piece, ModelWritten(job=train.job, name=name, is_final=True), Finished(job=train.job))
    run = elsewhere.state.run
    qtbot.waitUntil(lambda: run.phase.get() == "failed")
    assert run.fault.get() == f'"{name}" was damaged on its way. The run there is kept.'
    assert run.can_resume and elsewhere.window.models.find_model(name) is None


def test_a_paused_run_elsewhere_is_shown_again_and_resumed_there(
    elsewhere: Elsewhere, studio_home: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    config = {
        "name": "old", "title": "Old", "shape": [3, 8, 8], "recipe": {"family": "glow"}, "plan": {"steps": 90},
        "sample_rate": 0,
    }  # fmt: skip
    mirror = studio_home / "runs" / "old"
    runs.write_place(mirror, RunPlace("garden", "old-1234"), config, "/pictures")
    runs.write_progress(mirror, RunProgress(20, 5.0, ((10, 7.0, None), (20, 6.0, 6.5))))
    state = elsewhere.state
    state.past.refresh()
    qtbot.waitUntil(lambda: bool(state.past.runs.get()))
    state.show_run("old")
    qtbot.waitUntil(lambda: state.run.phase.get() == "paused")
    assert state.run.curve.held_out.tolist() == [[20, 6.5]] and state.run.is_remote
    state.press_main()
    assert elsewhere.here.newest(PackArtworks).source == "/pictures"
    elsewhere.pack(tmp_path)
    elsewhere.find("/there/artworks")
    assert elsewhere.there.newest(Train).run_folder == "old-1234"
    elsewhere.remote.die('The connection to "garden" was lost.')
    assert state.run.fault.get() == 'The connection to "garden" was lost. What it learned until its last save is kept.'
    assert state.run.can_resume


@pytest.mark.parametrize("when", ["packing", "sending"])
def test_a_training_can_be_paused_before_it_begins_there(
    elsewhere: Elsewhere, folder: Path, tmp_path: Path, when: str
) -> None:
    elsewhere.prepare(folder)
    elsewhere.state.press_main()
    if when == "sending":
        elsewhere.pack(tmp_path)
    elsewhere.state.run.pause()
    assert elsewhere.state.run.phase.get() == "none" and elsewhere.state.page.get() == "folder"
    if when == "sending":
        elsewhere.find("/there/artworks")
    assert not elsewhere.there.count(Train)


def test_where_is_asked_only_if_there_is_another_computer(elsewhere: Elsewhere, folder: Path, qtbot: QtBot) -> None:
    theme = Theme()
    section = ModelSection(theme, elsewhere.state)
    qtbot.addWidget(section)
    elsewhere.here.open_folder(folder)
    shown(section, theme, 320, 900)
    assert not section.computer.isVisible()
    elsewhere.window.computers.add("garden")
    settle()
    assert section.computer.isVisible()
    assert [section.computer.itemText(place) for place in range(2)] == ["This computer", "garden"]
    section.computer.setCurrentIndex(1)
    section.computer.activated.emit(1)
    elsewhere.here.end_cancelled("prepare")
    elsewhere.here.prepare()
    assert elsewhere.state.settings.computer.get() == "garden"
    assert section.measured.text() == "For 2,000 steps, as measured on garden · 22,604 weights"
    elsewhere.state.history.undo()
    assert section.computer.currentText() == "This computer"
