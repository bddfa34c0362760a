"""Tests Train with a fake engine: from a folder to a model, with every interruption."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.wire.messages import DecodeLatent, Failed, PrepareTraining, ScanFolder, SteerTraining, Train
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.panels.train.bench import TrainBench


@pytest.fixture
def bench(window: AppState, engine: FakeEngine) -> TrainBench:
    engine.status_changed.emit("Ready")
    return TrainBench(window, engine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "summer days"
    source.mkdir()
    return source


def test_a_dropped_folder_is_announced_and_examined(bench: TrainBench, folder: Path) -> None:
    assert bench.window.drop_text([folder]) == "Train on this folder"
    bench.window.open_dropped([folder])
    assert bench.window.panel.get() == "train"
    assert bench.newest(ScanFolder).source == str(folder)
    assert bench.state.folder.busy.get()
    bench.examine()
    report = bench.state.folder.report.get()
    assert report is not None and report.used == 20 and not bench.state.folder.busy.get()
    assert len(bench.state.folder.thumbnails) == 20


def test_a_folder_is_learned_with_one_more_click(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    assert bench.state.main_action.get() == "start"
    bench.state.press_main()
    train = bench.newest(Train)
    assert train.source == str(folder)
    assert (train.config["title"], train.config["name"]) == ("Summer days", "summer-days")
    assert train.run_folder.endswith("summer-days") and train.sample_seeds
    assert bench.state.run.phase.get() == "starting"
    bench.learn(1, 8.0)
    assert bench.state.run.phase.get() == "running" and bench.state.main_action.get() == "pause"


def test_start_waits_until_the_engine_has_prepared_the_training(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.press_main()
    assert bench.state.main_action.get() == "wait" and not bench.count(Train)
    bench.prepare()
    assert bench.count(Train) == 1


def test_a_training_that_waits_can_be_taken_back(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.press_main()
    bench.state.press_main()
    bench.prepare()
    assert not bench.count(Train) and bench.state.main_action.get() == "start"


def test_a_second_model_of_a_folder_has_a_number(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    write_model(studio_home / "models", make_card("summer-days", (3, 32, 32)))
    train = bench.start(folder)
    assert (train.config["name"], train.config["title"]) == ("summer-days-2", "Summer days 2")


def test_a_model_is_played_with_in_the_panel_that_suits_it(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.settings.choose_family("pixelcnn_pp")
    bench.prepare()
    bench.state.press_main()
    assert bench.state.run.shown.get().play_panel == "complete"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("medium", "family", "shape"),
    [("pictures", "glow", (3, 32, 32)), ("recordings", "wavenet", (32_000,)), ("cycles", "maf", (256,))],
)
def test_the_family_follows_what_the_folder_holds(
    bench: TrainBench, folder: Path, medium: str, family: str, shape: tuple[int, ...]
) -> None:
    bench.open_folder(folder, medium=medium)
    asked = bench.newest(PrepareTraining)
    assert (asked.family, asked.shape) == (family, shape)


def test_a_folder_that_cannot_be_learned_is_not_prepared(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder, stop=True)
    assert not bench.count(PrepareTraining)


def test_every_setting_is_asked_about_and_can_be_undone(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    settings = bench.state.settings
    settings.choose_family("pixelcnn_pp")
    settings.choose_preset("small")
    settings.choose_size(64)
    settings.choose_grey(True)
    settings.set_stops_early(False)
    settings.set_recipe("depth", 3)
    settings.set_plan("steps", 500)
    bench.prepare()
    wanted = bench.newest(PrepareTraining)
    assert (wanted.family, wanted.preset, wanted.shape) == ("pixelcnn_pp", "small", (1, 64, 64))
    assert wanted.recipe == {"depth": 3} and wanted.plan == {"steps": 500, "patience": 0}
    for _ in range(7):
        bench.state.history.undo()
    bench.prepare()
    back = bench.newest(PrepareTraining)
    assert (back.family, back.preset, back.shape, back.recipe, back.plan) == ("glow", "tiny", (3, 32, 32), {}, {})


def test_the_costs_are_those_of_all_steps(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare(seconds=0.25)
    assert bench.state.settings.seconds == 500


def test_a_file_that_is_left_out_is_not_learned(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.exclude_file(4)
    assert bench.state.folder.left_out_count == 1
    bench.state.history.undo()
    assert bench.state.folder.left_out_count == 0
    bench.state.exclude_file(4)
    bench.prepare()
    bench.state.press_main()
    assert bench.newest(Train).config["preparation"]["excluded"] == [f"{4:032x}"]
    assert bench.count(ScanFolder) == 1, "the folder is not examined again for it"


def test_a_training_can_start_from_a_model(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    write_model(studio_home / "models", make_card("flowers", (3, 16, 16), family=("glow", "Glow")))
    write_model(studio_home / "models", make_card("digits", (1, 8, 8), classes=("0", "1")))
    write_model(studio_home / "models", make_card("hum", (8000,), family=("wavenet", "WaveNet"), rate=8000))
    bench.window.models.refresh_models()
    bench.open_folder(folder)
    names = [trained.card.name for trained in bench.state.settings.start_models()]
    assert "flowers" in names and "hum" not in names and "digits" not in names
    bench.state.choose_model("flowers")
    bench.prepare()
    assert bench.newest(PrepareTraining).start_model == "flowers"
    bench.state.press_main()
    assert bench.newest(Train).start_model == "flowers"


def test_progress_draws_the_curve_and_lists_the_job(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    bench.learn(50, 7.0, 7.5)
    run = bench.state.run
    assert run.curve.steps.tolist() == [1, 50] and run.curve.best == (50, 7.5)
    (entry,) = bench.window.jobs.jobs.get()
    assert entry.title == "Summer days learns"
    assert entry.progress_text == "Step 50 of 2,000 · about 2 min left"
    bench.window.jobs.stop_job(entry.job)
    assert bench.engine.stopped == [bench.newest(Train).job]


def test_samples_can_be_looked_through(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    for step in (1, 40, 90):
        bench.draw(step)
    assert [one.step for one in bench.state.run.samples] == [1, 40, 90]
    bench.state.scrub(1)
    assert bench.state.scrubbed.get() == 1
    bench.draw(140)
    assert bench.state.scrubbed.get() == 1, "what the user looks at stays"
    bench.state.scrub(3)
    assert bench.state.scrubbed.get() is None, "the newest is followed"


def test_samples_can_be_asked_for(bench: TrainBench, folder: Path) -> None:
    train = bench.start(folder)
    bench.state.run.sample_now()
    bench.state.run.sample_now()
    steer = bench.newest(SteerTraining)
    assert (steer.running_job, steer.action) == (train.job, "sample")
    assert bench.count(SteerTraining) == 1 and bench.state.run.sampling.get()
    bench.draw(60)
    assert not bench.state.run.sampling.get()


def test_pause_saves_and_resume_continues_the_same_run(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    train = bench.start(folder)
    bench.learn(50, 7.0, 7.5)
    bench.state.press_main()
    assert bench.engine.stopped == [train.job] and bench.state.run.phase.get() == "pausing"
    bench.stop()
    assert bench.state.run.phase.get() == "paused" and bench.state.main_action.get() == "resume"
    assert not bench.window.jobs.jobs.get()
    assert bench.state.run.curve.steps.tolist() == [1, 50], "the curve stays in view"
    config = Path(train.run_folder) / "study.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"name": "summer-days", "plan": {"steps": 2000}}')
    bench.state.press_main()
    again = bench.newest(Train)
    assert (again.run_folder, again.source) == (train.run_folder, train.source)
    assert again.config == {"name": "summer-days", "plan": {"steps": 2000}}


def test_a_training_that_is_stopped_before_its_first_step_leaves_nothing(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.press_main()
    bench.state.run.pause()
    bench.stop()
    assert bench.state.run.shown.get() is None and bench.state.main_action.get() == "start"


def test_stop_and_keep_ends_with_a_notice_that_leads_to_the_model(
    bench: TrainBench, folder: Path, studio_home: Path
) -> None:
    bench.start(folder)
    bench.learn(50, 7.0, 7.5)
    bench.state.stop_and_keep()
    assert bench.newest(SteerTraining).action == "finish" and bench.state.run.phase.get() == "finishing"
    write_model(studio_home / "models", make_card("summer-days", (3, 32, 32)))
    bench.write_model(is_final=True)
    bench.finish()
    assert bench.state.run.phase.get() == "finished"
    said = bench.window.messages.current.get()
    assert said is not None and said.text.startswith('"Summer days" is ready after')
    assert [name for name, _ in said.buttons] == ["Play with it"]
    bench.window.messages.press_button(0)
    assert bench.window.panel.get() == "explore"
    assert bench.window.explore.model.get().card.name == "summer-days"
    assert bench.newest(DecodeLatent).model == "summer-days", "a picture is there at once"


def test_a_paused_run_can_be_kept_too(bench: TrainBench, folder: Path) -> None:
    train = bench.start(folder)
    bench.state.press_main()
    bench.stop()
    config = Path(train.run_folder) / "study.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}")
    bench.state.stop_and_keep()
    assert bench.count(Train) == 2 and not bench.count(SteerTraining)
    bench.learn(2, 7.9)
    assert bench.newest(SteerTraining).action == "finish" and bench.state.run.phase.get() == "finishing"


def test_the_newest_weights_can_be_played_with_meanwhile(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    bench.start(folder)
    bench.state.play("generate")
    assert bench.newest(SteerTraining).action == "publish"
    write_model(studio_home / "models", make_card("summer-days", (3, 32, 32)))
    bench.write_model(is_final=False)
    assert bench.window.panel.get() == "generate"
    assert bench.window.generate.model.get().card.name == "summer-days"
    assert bench.state.run.phase.get() == "running"


def test_a_failed_training_says_why_and_can_be_resumed(bench: TrainBench, folder: Path) -> None:
    train = bench.start(folder)
    bench.engine.emit_events(Failed(job=train.job, reason="The disk is full.", hint="Free 9 MB."))
    assert bench.state.run.phase.get() == "failed" and bench.state.main_action.get() == "resume"
    said = bench.window.messages.current.get()
    assert said is not None and said.text == "The disk is full. Free 9 MB." and said.buttons[0][0] == "Resume"


def test_a_dead_engine_loses_no_run(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    bench.learn(50, 7.0)
    bench.engine.die()
    assert bench.state.run.phase.get() == "failed"
    assert "until its last save is kept" in bench.state.run.fault.get()
    assert bench.state.main_action.get() == "resume"


def test_a_second_folder_waits_while_a_training_is_at_work(bench: TrainBench, folder: Path, tmp_path: Path) -> None:
    bench.start(folder)
    other = tmp_path / "other"
    other.mkdir()
    bench.window.open_dropped([other])
    assert bench.state.folder.source.get() == str(folder) and bench.count(ScanFolder) == 1
    said = bench.window.messages.current.get()
    assert said is not None and "is learning" in said.text


def test_a_folder_of_the_last_time_is_examined_when_the_panel_opens(bench: TrainBench, folder: Path) -> None:
    bench.window.train.restore({"folder": [str(folder), []]})
    assert not bench.count(ScanFolder), "no engine starts for a panel that nobody opened"
    bench.state.folder.wake()
    assert bench.newest(ScanFolder).source == str(folder)


def test_runs_of_the_disk_are_listed_and_shown(bench: TrainBench, finished_run: Path, qtbot: QtBot) -> None:
    bench.state.past.refresh()
    qtbot.waitUntil(lambda: len(bench.state.past.runs.get()) == 1)
    bench.state.show_run(finished_run.name)
    qtbot.waitUntil(lambda: bench.state.run.shown.get() is not None)
    run = bench.state.run
    assert run.phase.get() == "paused" and run.step.get() == 30
    assert run.curve.best == (20, 6.5) and [one.step for one in run.samples] == [10]
    bench.state.leave_run()
    assert run.shown.get() is None
