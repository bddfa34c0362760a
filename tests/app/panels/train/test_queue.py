"""Tests the queue of trainings: the next one begins by itself, and none is lost."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.window.job_list import progress_text
from studio.wire.messages import Failed, PrepareTraining, ScanFolder, Train
from tests.app.fake_engine import FakeEngine
from tests.app.fake_speaker import FakeSpeaker
from tests.app.panels.train.bench import TrainBench
from tests.app.window_fixtures import WindowOpener, settle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, "summer days")


def make_folder(parent: Path, name: str) -> Path:
    source = parent / name
    source.mkdir()
    return source


def add_to_queue(bench: TrainBench, source: Path) -> None:
    """Drop a folder while a training is at work, and add it to the queue."""
    bench.open_folder(source)
    bench.prepare()
    assert bench.state.main_action.get() == "queue"
    bench.state.press_main()


def waiting(bench: TrainBench) -> list[str]:
    return [training.title for training in bench.state.queue.waiting.get()]


def learning(bench: TrainBench) -> str:
    """Return the title of the newest training."""
    return str(bench.newest(Train).config["title"])


def test_a_second_folder_waits_in_the_queue_and_begins_by_itself(
    bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    garden = make_folder(tmp_path, "garden")
    bench.start(folder)
    bench.open_folder(garden)
    assert bench.newest(ScanFolder).source == str(garden) and bench.state.run.phase.get() == "running"
    assert bench.newest(PrepareTraining).source == str(garden), "its trial steps are taken beside the training"
    bench.prepare()
    bench.state.press_main()
    assert bench.count(Train) == 1 and waiting(bench) == ["Garden"]
    assert [entry.title for entry in bench.window.jobs.jobs.get()] == ["Summer days learns", "Garden"]
    bench.learn(50, 7.0, 7.5)
    assert len(bench.state.run.curve.steps) == 2, "the one at work is followed, although the folder is shown"
    bench.finish()
    qtbot.waitUntil(lambda: bench.count(Train) == 2)
    assert bench.newest(Train).source == str(garden) and learning(bench) == "Garden" and not waiting(bench)
    bench.learn(1, 8.0)
    assert [entry.title for entry in bench.window.jobs.jobs.get()] == ["Garden learns"]


def test_the_same_training_is_added_once(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    bench.state.leave_run()
    bench.state.press_main()
    assert bench.state.main_action.get() == "queued"
    bench.state.press_main()
    bench.state.start()
    assert waiting(bench) == ["Summer days 2"], "its name is not that of the one at work"
    bench.state.settings.set_plan("steps", 500)
    bench.prepare()
    assert bench.state.main_action.get() == "queue"


def test_the_order_can_be_changed_and_a_removal_undone(bench: TrainBench, folder: Path, tmp_path: Path) -> None:
    bench.start(folder)
    for name in ("a", "b", "c"):
        add_to_queue(bench, make_folder(tmp_path, name))
    jobs = bench.window.jobs
    third = jobs.jobs.get()[-1].job
    jobs.move_requested.emit(third, -1)
    assert waiting(bench) == ["A", "C", "B"]
    jobs.move_requested.emit(third, -5)
    assert waiting(bench) == ["C", "A", "B"]
    jobs.stop_job(third)
    assert waiting(bench) == ["A", "B"] and not bench.engine.stopped
    bench.window.messages.press_button(0)
    assert waiting(bench) == ["C", "A", "B"]


def test_a_failed_run_does_not_stop_the_queue(bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    bench.start(folder)
    for name in ("a", "b", "c"):
        add_to_queue(bench, make_folder(tmp_path, name))
    bench.engine.emit_events(Failed(job=bench.newest(Train).job, reason="The disk is full.", hint=""))
    qtbot.waitUntil(lambda: learning(bench) == "A")
    bench.engine.emit_events(Failed(job=bench.newest(Train).job, reason='"a" is not there any more.', hint=""))
    qtbot.waitUntil(lambda: learning(bench) == "B")
    bench.learn(1, 8.0)
    bench.engine.die()
    qtbot.waitUntil(lambda: learning(bench) == "C")
    texts = [message.text for message in bench.window.messages.history.get()]
    assert "The disk is full." in texts and '"a" is not there any more.' in texts


def test_an_engine_that_gave_up_uses_up_no_queue(bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    bench.start(folder)
    for name in ("a", "b"):
        add_to_queue(bench, make_folder(tmp_path, name))
    bench.finish()
    qtbot.waitUntil(lambda: learning(bench) == "A")
    bench.engine.die()
    bench.engine.status_changed.emit("Stopped")
    qtbot.waitUntil(bench.state.queue.is_held.get)
    assert waiting(bench) == ["A", "B"] and bench.count(Train) == 2
    bench.state.queue.begin_next()
    assert bench.engine.starts and learning(bench) == "A"


def test_a_pause_holds_the_queue(bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    bench.start(folder)
    add_to_queue(bench, make_folder(tmp_path, "garden"))
    bench.state.run.pause()
    bench.stop()
    qtbot.waitUntil(bench.state.queue.is_held.get)
    (entry,) = bench.window.jobs.jobs.get()
    assert entry.can_start and progress_text(entry) == "waits until you start it"
    bench.window.stop_job()
    assert waiting(bench) == ["Garden"], "Stop removes nothing from the queue"
    bench.window.jobs.start_requested.emit(entry.job)
    assert learning(bench) == "Garden" and not waiting(bench)


def test_a_training_that_is_stopped_before_its_first_step_goes_back(
    bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    bench.start(folder)
    add_to_queue(bench, make_folder(tmp_path, "garden"))
    bench.finish()
    qtbot.waitUntil(lambda: learning(bench) == "Garden")
    bench.state.run.pause()
    bench.stop()
    qtbot.waitUntil(lambda: waiting(bench) == ["Garden"])
    assert bench.count(Train) == 2


def test_a_restart_loses_nothing_and_starts_nothing(
    bench: TrainBench, folder: Path, tmp_path: Path, engine: FakeEngine, qtbot: QtBot
) -> None:
    bench.start(folder)
    for name in ("a", "b"):
        add_to_queue(bench, make_folder(tmp_path, name))
    bench.finish()
    qtbot.waitUntil(lambda: learning(bench) == "A")  # it has not taken a step, so it is not on the disk
    kept = bench.window.snapshot()
    again = FakeEngine()
    SettingsFile().write(kept)
    window = AppState(again, SettingsFile(), FakeSpeaker())
    window.start()
    try:
        opened = TrainBench(window, again)
        assert waiting(opened) == ["A", "B"] and not opened.count(Train)
        said = window.messages.current.get()
        assert said is not None and said.text == "2 trainings still wait in the queue. Start the first when you like."
        window.messages.press_button(0)
        train = opened.newest(Train)
        assert train.config == bench.newest(Train).config and train.source == bench.newest(Train).source
        opened.learn(1, 8.0)
        opened.finish()
        qtbot.waitUntil(lambda: learning(opened) == "B")
    finally:
        window.close()


def test_a_second_window_leaves_the_queue_to_the_first(bench: TrainBench, folder: Path, tmp_path: Path) -> None:
    bench.start(folder)
    add_to_queue(bench, make_folder(tmp_path, "a"))
    SettingsFile().write(bench.window.snapshot())
    window = AppState(FakeEngine(), SettingsFile(writable=False), FakeSpeaker(), is_first=False)
    window.start()
    assert not window.train.queue.waiting.get()
    window.close()


@pytest.mark.parametrize("record", [[1], [{}], [{"config": {"name": "a"}}], [None], ["x"]])
def test_a_damaged_record_is_left_out(bench: TrainBench, record: list[object]) -> None:
    bench.state.queue.restore_record(record)
    assert not waiting(bench)


def test_a_queue_is_seen_and_used_by_the_mouse(window_opener: WindowOpener, tmp_path: Path, qtbot: QtBot) -> None:
    studio = window_opener()
    bench = TrainBench(studio.state, studio.engine)
    studio.start_engine()
    bench.start(make_folder(tmp_path, "summer"))
    for name in ("garden", "sea"):
        add_to_queue(bench, make_folder(tmp_path, name))
    settle()
    panel = studio.window.panels["train"]
    box = studio.window.job_box
    assert box.first_job.title.text() == "Summer learns"
    assert box.next_text == "Next: Garden" and box.waiting_text == "2 waiting"
    assert panel.inspector.at_work.title.text() == "Summer"  # type: ignore[attr-defined]
    QTest.mouseClick(panel.inspector.at_work.show_run, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    assert bench.state.page.get() == "run"
    QTest.mouseClick(box, Qt.MouseButton.LeftButton)
    settle()
    page = studio.window.jobs_page
    assert not page.queue_rows[0].isVisible() and not page.queue_rows[1].up.isEnabled()
    QTest.mouseClick(page.queue_rows[2].up, Qt.MouseButton.LeftButton)
    assert waiting(bench) == ["Sea", "Garden"]
    QTest.mouseClick(page.jobs[1].stop, Qt.MouseButton.LeftButton)
    assert waiting(bench) == ["Garden"]
    settle()
    assert not page.queue_rows[1].isVisible(), "there is nothing to choose"
    bench.state.run.pause()
    bench.stop()
    qtbot.waitUntil(page.queue_rows[0].start.isVisible)
    QTest.mouseClick(page.queue_rows[0].start, Qt.MouseButton.LeftButton)
    assert learning(bench) == "Garden"
