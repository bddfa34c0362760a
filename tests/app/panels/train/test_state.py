"""Tests Train with a fake engine: from a folder to a model, with every interruption."""

from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from studio.app.panels.train import wording
from studio.wire.messages import (
    DatasetLoaded,
    DecodeLatent,
    ExaminedFile,
    Failed,
    FilesExamined,
    PrepareTraining,
    Ready,
    ScanFolder,
    SteerTraining,
    Stopped,
    Train,
)
from tests.app.fake_model import make_card, write_model
from tests.app.panels.train.bench import NONE, TrainBench
from tests.media.shard_files import picture, write_shard


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


def test_a_dropped_shard_is_examined_and_named_without_its_ending(bench: TrainBench, tmp_path: Path) -> None:
    shards = [write_shard(tmp_path / f"{name}.tar", [("1.png", picture(1))]) for name in ("cats", "dogs")]
    assert bench.window.drop_text(shards) == "Train on these shards"
    bench.window.open_dropped(shards)
    said = bench.window.messages.current.get()
    assert said is not None and said.text == 'Only "cats.tar" was opened. Drop the folder of all shards instead.'
    assert bench.newest(ScanFolder).source == str(shards[0])
    bench.examine()
    bench.prepare()
    bench.state.press_main()
    assert bench.newest(Train).config["name"] == "cats"


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
    assert entry.progress_text == "Step 50 · about 2 min left"
    bench.window.jobs.stop_job(entry.job)
    assert bench.engine.stopped == [bench.newest(Train).job]


def test_samples_can_be_looked_through(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    for step in (1, 40, 90):
        bench.draw(step)
    assert [one.step for one in bench.state.run.samples] == [1, 40, 90]
    bench.state.samples.scrub(1)
    assert bench.state.samples.scrubbed.get() == 1
    bench.draw(140)
    assert bench.state.samples.scrubbed.get() == 1, "what the user looks at stays"
    bench.state.samples.scrub(3)
    assert bench.state.samples.scrubbed.get() is None, "the newest is followed"


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
    saved = {**train.config, "subject": "Like last summer"}
    config.write_bytes(msgspec.json.encode(saved))
    bench.state.press_main()
    again = bench.newest(Train)
    assert (again.run_folder, again.source) == (train.run_folder, train.source)
    assert again.config == saved


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
    config.write_bytes(msgspec.json.encode(train.config))
    bench.state.stop_and_keep()
    kept = bench.newest(Train)
    assert bench.count(Train) == 2 and kept.only_export and not kept.force, "no further step is needed"
    bench.finish()
    assert bench.state.run.phase.get() == "finished"


def test_a_run_whose_files_have_changed_can_learn_from_them_or_be_kept(bench: TrainBench, folder: Path) -> None:
    train = bench.start(folder)
    bench.state.press_main()
    bench.stop()
    config = Path(train.run_folder) / "study.json"
    config.parent.mkdir(parents=True)
    config.write_bytes(msgspec.json.encode(train.config))
    for button, only_export in ((0, False), (1, True)):
        bench.state.run.resume()
        asked = bench.newest(Train)
        assert not asked.force
        reason = '"Summer days" was trained on other artworks. Nothing was changed.'
        bench.engine.emit_events(Failed(job=asked.job, reason=reason, can_force=True))
        said = bench.window.messages.current.get()
        assert said is not None and [name for name, _ in said.buttons] == ["Learn from these files", "Keep the best"]
        bench.window.messages.press_button(button)
        assert bench.newest(Train).force and bench.newest(Train).only_export is only_export
        bench.stop()
    bench.state.run.resume()
    assert not bench.newest(Train).force, "it is asked again each time"


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


def test_a_training_that_waits_is_called_off_if_it_cannot_begin(
    bench: TrainBench, folder: Path, tmp_path: Path
) -> None:
    bench.window.open_dropped([folder])
    bench.state.press_main()
    assert bench.state.main_action.get() == "wait"
    bench.examine(stop=True)
    assert bench.state.main_action.get() == "none", "there is nothing to wait for"
    other = tmp_path / "other"
    other.mkdir()
    bench.open_folder(other)
    bench.prepare()
    assert not bench.count(Train), "another folder is not learned unasked"
    assert bench.state.main_action.get() == "start"


def test_a_training_does_not_wait_for_a_question_that_failed(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.press_main()
    bench.engine.emit_events(Failed(job=bench.newest(PrepareTraining).job, reason="A setting is not usable.", hint=""))
    assert not bench.state.waits.get()
    bench.state.settings.choose_preset("small")
    bench.prepare()
    assert not bench.count(Train)


def test_the_same_folder_can_be_chosen_again(bench: TrainBench, folder: Path) -> None:
    bench.window.open_dropped([folder])
    bench.engine.die()
    assert 'Click "Look again"' in bench.state.folder.fault.get()
    bench.window.open_dropped([folder])
    assert bench.count(ScanFolder) == 2 and bench.state.folder.busy.get()


def test_a_folder_of_the_last_time_is_not_examined_if_another_is_dropped(
    bench: TrainBench, folder: Path, tmp_path: Path
) -> None:
    bench.window.train.restore({"folder": [str(tmp_path / "old"), []]})
    bench.window.open_dropped([folder])
    sources = [command.source for command in bench.engine.sent if isinstance(command, ScanFolder)]
    assert sources == [str(folder)]


def test_the_costs_are_found_after_a_training_that_began_before(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.settings.cost.set(None)  # the trial steps were not done yet
    bench.state.press_main()
    bench.learn(1, 8.0)
    bench.state.press_main()
    bench.stop()
    asked = bench.count(PrepareTraining)
    bench.state.leave_run()
    assert bench.count(PrepareTraining) == asked + 1


def test_undo_tries_no_steps_while_a_training_is_at_work(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.settings.choose_preset("small")
    bench.prepare()
    bench.state.press_main()
    bench.learn(1, 8.0)
    asked = bench.count(PrepareTraining)
    bench.state.history.undo()
    assert bench.state.settings.preset.get() == "tiny" and bench.count(PrepareTraining) == asked
    bench.state.press_main()
    bench.stop()
    bench.state.leave_run()
    assert bench.newest(PrepareTraining).preset == "tiny"


def test_files_that_a_training_reads_are_counted(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    train = bench.start(folder)
    bench.state.press_main()
    bench.stop()
    config = Path(train.run_folder) / "study.json"
    config.parent.mkdir(parents=True)
    config.write_bytes(msgspec.json.encode(train.config))
    bench.state.stop_and_keep()
    run = bench.state.run
    assert wording.head_text(run, "", "pictures") == "Each file is read once, then the best model is saved."
    files = tuple(ExaminedFile(name=f"{n}.png", outcome="used", key=f"{n:032x}") for n in range(48))
    job = bench.newest(Train).job
    bench.engine.emit_events(FilesExamined(job=job, files=files, thumbnails=NONE, done=1248, total=1248))
    assert wording.head_text(run, "", "pictures") == "1,248 files are read. Then the best model is saved."
    bench.engine.emit_events(DatasetLoaded(job=job, used=1248, skipped=0, duplicates=0))
    assert wording.head_text(run, "", "pictures") == "All files are read. The model is being prepared."


def test_start_examines_a_folder_again_if_that_was_stopped(bench: TrainBench, folder: Path) -> None:
    bench.window.open_dropped([folder])
    bench.engine.emit_events(Stopped(job=bench.newest(ScanFolder).job))
    bench.state.press_main()
    assert bench.count(ScanFolder) == 2 and bench.state.main_action.get() == "wait"
    bench.examine()
    bench.prepare()
    assert bench.count(Train) == 1


def test_a_run_that_is_resumed_does_not_wait_for_a_folder(
    bench: TrainBench, folder: Path, finished_run: Path, qtbot: QtBot
) -> None:
    bench.state.past.refresh()
    qtbot.waitUntil(lambda: len(bench.state.past.runs.get()) == 1)
    bench.window.open_dropped([folder])
    scan = bench.newest(ScanFolder).job
    bench.state.show_run(finished_run.name)
    qtbot.waitUntil(lambda: bench.state.run.shown.get() is not None)
    bench.state.press_main()
    assert bench.count(Train) == 1 and bench.engine.stopped == [scan]
    bench.learn(31, 5.0)
    bench.state.press_main()
    bench.stop()
    bench.engine.emit_events(Stopped(job=scan))
    bench.state.leave_run()
    assert bench.count(ScanFolder) == 2, "the folder is examined from the beginning"


def test_a_training_that_failed_before_its_first_step_leads_back_to_the_folder(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.press_main()
    job = bench.newest(Train).job
    bench.engine.emit_events(Failed(job=job, reason='"summer days" is not there any more.', hint="Connect it."))
    assert bench.state.run.phase.get() == "failed" and bench.state.main_action.get() == "new"
    said = bench.window.messages.current.get()
    assert said is not None and [name for name, _ in said.buttons] == ["New training"]
    bench.window.messages.press_button(0)
    assert bench.state.run.shown.get() is None and bench.state.main_action.get() == "start"


def test_samples_that_are_gone_are_not_looked_at(bench: TrainBench, folder: Path) -> None:
    bench.start(folder)
    for step in (10, 40, 70, 90):
        bench.draw(step)
    bench.state.samples.scrub(2)
    bench.draw(30)  # the run went back to an earlier save
    assert [one.step for one in bench.state.run.samples] == [10, 30]
    assert bench.state.samples.scrubbed.get() is None


def test_the_presets_of_the_family_are_offered(bench: TrainBench, folder: Path) -> None:
    settings = bench.state.settings
    bench.open_folder(folder)
    settings.choose_preset("large")
    families = {
        "glow": {"presets": {"tiny": {}, "large": {}}},
        "pixelcnn_pp": {"presets": {"small": {}, "paper": {}}},
    }
    bench.engine.emit_events(Ready(device="Processor", families=families))
    assert settings.presets.get() == ("tiny", "large") and settings.preset.get() == "large"
    settings.choose_family("pixelcnn_pp")
    assert settings.presets.get() == ("small", "paper") and settings.preset.get() == "small"
    bench.prepare()
    assert bench.newest(PrepareTraining).preset == "small"
