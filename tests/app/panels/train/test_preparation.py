"""Tests the options of preparation, variation and classes with a fake engine."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.panels.train.preparation import CLIP_SECONDS, FITTINGS, PEAKS, VARIATIONS
from studio.app.panels.train.preview import ORIGINAL, SEEN
from studio.app.panels.train.settings import FAMILY_USES
from studio.engine.training.augmentation import Augmentation
from studio.media.preparation import Preparation
from studio.wire.messages import (
    Failed,
    PrepareTraining,
    PreviewExamples,
    ScanFolder,
    Train,
)
from studio.zoo import FAMILIES
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.panels.train.bench import TrainBench
from tests.limits import LIMIT


def test_every_choice_is_one_that_the_engine_accepts() -> None:
    for variation in VARIATIONS:
        strengths = [strength for strength, _ in variation.strengths]
        assert strengths[0] == 0 and len(set(strengths)) == len(strengths)
        for strength in strengths:
            if variation.key != "mirror":
                value = bool(strength) if variation.key == "quarter_turns" else strength
                found = msgspec.convert({variation.key: value}, Augmentation)
                assert getattr(found, variation.key) == value
    for fitting in FITTINGS:
        assert msgspec.convert({"fitting": fitting}, Preparation).fitting == fitting
    for seconds, peak in zip(CLIP_SECONDS, PEAKS * len(CLIP_SECONDS), strict=False):
        found_clip = msgspec.convert({"clip_seconds": seconds, "peak": peak}, Preparation)
        assert (found_clip.clip_seconds, found_clip.peak) == (seconds, peak)


def test_every_offered_family_can_learn_classes() -> None:
    assert all(hasattr(FAMILIES[each.family].recipe, "classes") for each in FAMILY_USES)


def test_the_folder_is_examined_as_it_will_be_learned(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    first = bench.newest(ScanFolder)
    assert (first.shape, first.sample_rate) == ((3, 32, 32), 16_000), "the engine chooses by what the files are"
    state = bench.state
    state.settings.choose_size(64)
    state.settings.choose_grey(True)
    state.preparation.choose_fitting("pad")
    state.preparation.choose_ground((0, 0, 0))
    state.preparation.choose_rate(8000)
    state.preparation.set_trims_silence(True)
    state.preparation.choose_clip_seconds(5.0)
    state.preparation.choose_peak(0.9)
    bench.examine()
    asked = bench.newest(ScanFolder)
    assert (asked.shape, asked.sample_rate) == ((1, 64, 64), 8000)
    wanted = Preparation(fitting="pad", ground=(0, 0, 0), trim_silence=True, clip_seconds=5.0, peak=0.9)
    assert msgspec.convert(asked.preparation, Preparation) == wanted
    bench.prepare()
    state.press_main()
    config = bench.newest(Train).config
    assert msgspec.convert(config["preparation"], Preparation) == wanted, "and so it is learned"
    for _ in range(8):
        state.history.undo()
    assert state.settings.scan_options().shape == (3, 32, 32)
    assert msgspec.convert(state.preparation.as_record(), Preparation) == Preparation()


def test_the_earlier_report_stays_until_the_new_one_is_complete(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    state = bench.state
    report, files = state.folder.report.get(), state.folder.files
    state.preparation.choose_fitting("fit")
    assert state.folder.busy.get() and state.folder.report.get() is report and state.folder.files is files
    bench.prepare()
    assert state.main_action.get() == "start", "a training need not wait for it"
    bench.examine(used=19)
    assert len(state.folder.files) == 20 and not state.folder.busy.get()
    assert bench.count(PrepareTraining) == 2, "its cost is not measured twice"


def test_a_folder_that_did_not_change_can_be_examined_again(bench: TrainBench, folder: Path) -> None:
    """Two equal reports are compared, although thumbnails are arrays, which cannot be compared."""
    bench.open_folder(folder)
    first = bench.state.folder.thumbnails[3]
    bench.state.preparation.choose_rate(8000)
    bench.examine()
    assert not bench.state.folder.busy.get() and bench.state.folder.thumbnails[3] is not first


def test_a_scan_that_a_training_interrupted_is_repeated_after_it(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.settings.choose_size(64)
    bench.prepare()
    bench.state.press_main()
    assert not bench.state.folder.busy.get()
    bench.state.run.pause()
    bench.stop()
    bench.end_cancelled("scan")
    bench.state.leave_run()
    assert bench.state.folder.busy.get() and bench.newest(ScanFolder).shape == (3, 64, 64)


def test_a_model_to_start_from_decides_the_size(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    write_model(studio_home / "models", make_card("flowers", (1, 16, 16), family=("glow", "Glow")))
    bench.window.models.refresh_models()
    bench.open_folder(folder)
    bench.state.settings.choose_start("flowers")
    bench.end_cancelled("scan")
    assert bench.newest(ScanFolder).shape == (1, 16, 16)


def test_variations_follow_the_medium(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    preparation = bench.state.preparation
    preparation.choose_strength("mirror", 1)
    preparation.choose_strength("shift", 2)
    preparation.choose_strength("quarter_turns", 1)
    preparation.choose_strength("gain", 6)
    preparation.choose_strength("shift", 4)
    bench.prepare()
    asked = bench.newest(PrepareTraining)
    assert asked.augmentation == {"shift": 4, "quarter_turns": True} and asked.plan == {"mirror": True}
    assert [each.key for each in bench.state.settings.variations()] == ["mirror", "shift", "quarter_turns"]
    preparation.choose_strength("mirror", 0)
    bench.prepare()
    assert bench.newest(PrepareTraining).plan == {}
    bench.state.folder.examine_again()
    bench.examine(medium="recordings")
    bench.prepare()
    assert bench.newest(PrepareTraining).augmentation == {"gain": 6}


def test_sounds_can_be_single_cycles(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder, medium="recordings")
    bench.state.preparation.set_cycles(True)
    bench.examine(medium="cycles")
    bench.prepare()
    asked = bench.newest(ScanFolder)
    assert (asked.shape, asked.sample_rate) == ((256,), 0)
    assert (bench.newest(PrepareTraining).family, bench.newest(PrepareTraining).shape) == ("maf", (256,))


def test_options_are_kept_over_a_restart(bench: TrainBench, folder: Path, opener: Opener) -> None:
    bench.open_folder(folder)
    preparation = bench.state.preparation
    preparation.choose_ground((12, 34, 56))
    preparation.choose_fitting("fit")
    preparation.choose_strength("shift", 4)
    bench.state.settings.choose_classes(True)
    bench.window.autosave.save()
    again = opener(FakeEngine()).train.preparation
    assert again.ground.get() == (12, 34, 56) and again.fitting.get() == "fit"
    assert again.strengths.get() == {"shift": 4} and again.has_classes.get()


@pytest.mark.parametrize(
    "stored",
    [{"ground": [1, 2]}, {"ground": [0, 0, 300]}, {"strengths": {"shift": 99}}, {"strengths": {"other": 1}}],
)
def test_stored_options_that_make_no_sense_are_ignored(bench: TrainBench, stored: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no sense"):
        bench.state.restore(stored)
    assert bench.state.preparation.ground.get() == (255, 255, 255) and bench.state.preparation.strengths.get() == {}


# ── classes ──────────────────────────────────────────────────────────────────────────────────────


def test_sub_folders_become_classes_and_the_family_stays(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder, classes=("roses", "tulips"))
    settings = bench.state.settings
    settings.choose_family("realnvp")
    settings.choose_classes(True)
    assert settings.family.get() == "realnvp"
    bench.examine(classes=("roses", "tulips"))
    bench.prepare()
    assert bench.newest(ScanFolder).preparation["folders_as_classes"]
    assert bench.state.folder.class_counts == {"roses": 10, "tulips": 10}
    assert bench.newest(PrepareTraining).preparation["folders_as_classes"]
    bench.state.history.undo()
    assert settings.family.get() == "realnvp" and not bench.state.preparation.has_classes.get()


def test_another_folder_begins_without_classes(bench: TrainBench, folder: Path, tmp_path: Path) -> None:
    bench.open_folder(folder, classes=("roses", "tulips"))
    bench.state.settings.choose_classes(True)
    other = tmp_path / "other"
    other.mkdir()
    bench.open_folder(other)
    assert not bench.state.preparation.has_classes.get()


def test_no_model_without_classes_can_be_started_from(bench: TrainBench, folder: Path, studio_home: Path) -> None:
    write_model(studio_home / "models", make_card("flowers", (3, 16, 16), family=("glow", "Glow")))
    bench.window.models.refresh_models()
    bench.open_folder(folder, classes=("roses", "tulips"))
    settings = bench.state.settings
    assert "flowers" in [trained.card.name for trained in settings.start_models()]
    settings.choose_start("flowers")
    settings.choose_classes(True)
    assert settings.start_model.get() is None and not settings.start_models()


def test_a_class_of_which_nothing_is_left_is_reported_before_a_training(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder, classes=("ivy", "moss"))
    bench.state.settings.choose_classes(True)
    bench.examine(used=8, classes=("ivy", "moss"))
    for number in (0, 2, 4, 6):
        bench.state.exclude_file(number)
    assert bench.state.folder.shortage == 'Nothing is left of class "ivy". Take back a file of it.'
    assert bench.state.main_action.get() == "none"
    bench.state.exclude_file(0)
    assert bench.state.folder.shortage == "" and bench.state.main_action.get() == "start"


# ── files that the user leaves out ───────────────────────────────────────────────────────────────


def test_too_few_remaining_files_are_reported_before_a_training(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder, used=5)
    bench.prepare()
    bench.state.exclude_file(0)
    assert bench.state.main_action.get() == "start"
    bench.state.exclude_file(1)
    assert bench.state.folder.shortage == "Only 3 pictures are left. Take back some: 4 are needed."
    assert bench.state.main_action.get() == "none"
    bench.state.history.undo()
    assert bench.state.main_action.get() == "start"


def test_one_of_each_that_look_alike_can_be_kept(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.exclude_look_alikes()
    assert bench.state.folder.excluded.get() == {f"{2:032x}"}
    bench.state.history.undo()
    assert not bench.state.folder.excluded.get()


def test_the_outcome_of_each_file_can_be_saved(bench: TrainBench, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    bench.open_folder(folder, used=3)
    bench.state.exclude_file(1)
    requests: list[tuple[str, object]] = []
    bench.window.messages.file_requested.connect(lambda name, on_path: requests.append((name, on_path)))
    bench.state.file_report.ask_path()
    ((name, on_path),) = requests
    assert name == "garden files.csv"
    precious = tmp_path / "rose.png"
    precious.write_bytes(b"precious")
    on_path(precious)  # type: ignore[operator]
    table = tmp_path / "rose.png.csv"
    qtbot.waitUntil(table.exists, timeout=round(1000 * LIMIT))
    assert precious.read_bytes() == b"precious"
    assert table.read_text("utf-8-sig").splitlines() == [
        '"file","outcome","reason"',
        '"0.png","used",""',
        '"1.png","left out","is left out by you"',
        '"2.png","used",""',
        '"notes.txt","skipped","is not a picture"',
    ]
    qtbot.waitUntil(lambda: bool(bench.window.messages.history.get()), timeout=round(1000 * LIMIT))
    assert bench.window.messages.history.get()[-1].text == 'Saved "rose.png.csv".'


def test_a_folder_that_vanishes_is_reported_and_can_be_examined_again(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.state.exclude_file(2)
    bench.state.preparation.choose_fitting("pad")
    bench.end_cancelled("scan")
    scan = bench.newest(ScanFolder)
    bench.engine.emit_events(Failed(job=scan.job, reason='"garden" is not there any more.', hint="Connect it."))
    assert bench.state.folder.fault.get() == '"garden" is not there any more. Connect it.'
    assert bench.state.main_action.get() == "none"
    bench.state.folder.examine_again()
    bench.examine()
    assert bench.state.main_action.get() == "start" and bench.state.folder.left_out_count == 1, "nothing was lost"


# ── the preview ──────────────────────────────────────────────────────────────────────────────────


def test_examples_are_asked_for_as_they_will_be_learned(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    preview = bench.state.preview
    preview.toggle()
    assert not preview.shown.get(), "the engine has no config yet"
    bench.prepare()
    preview.toggle()
    asked = bench.show_examples()
    assert asked.originals and not asked.variations
    assert [each.name for each in preview.examples.get()] == ["a.png", "b.png"]
    assert preview.examples.get()[1].original is not None
    bench.state.settings.choose_size(16)
    bench.state.preparation.choose_strength("shift", 2)
    bench.state.exclude_file(3)
    assert preview.examples.get()[0].seen.shape == (32, 32, 3), "earlier ones stay until newer ones arrive"
    bench.prepare()
    asked = bench.show_examples()
    assert not asked.originals, "the files are read once"
    assert asked.config["shape"] == [3, 16, 16] and asked.config["augmentation"] == {"shift": 2}
    assert asked.config["preparation"]["excluded"] == [f"{3:032x}"]
    example = preview.examples.get()[0]
    assert example.seen.shape == (16, 16, 3) and len(example.variations) == asked.variations > 0
    assert example.original is not None and example.original.shape == (32, 32, 3)


def test_originals_are_read_again_if_other_files_are_used(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.preview.toggle()
    bench.show_examples()
    bench.state.preparation.choose_fitting("pad")
    bench.prepare()
    bench.show_examples(("a.png", "c.png"))
    asked = bench.show_examples(("a.png", "c.png"))
    assert asked.originals and [each.name for each in bench.state.preview.examples.get()] == ["a.png", "c.png"]


def test_other_files_can_be_shown(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.preview.toggle()
    first = bench.show_examples().seed
    bench.state.preview.choose(1)
    bench.state.preview.show_others()
    asked = bench.show_examples(("c.png", "d.png"))
    assert asked.seed != first and asked.originals and bench.state.preview.chosen.get() == 0


def test_the_preview_closes_with_a_training_and_with_another_folder(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.preview.toggle()
    bench.state.press_main()
    assert not bench.state.preview.shown.get()
    bench.state.run.pause()
    bench.stop()
    bench.state.leave_run()
    bench.prepare()
    bench.state.preview.toggle()
    bench.open_folder(folder)
    assert not bench.state.preview.shown.get()


def test_a_preview_that_fails_says_why(bench: TrainBench, folder: Path) -> None:
    bench.open_folder(folder)
    bench.prepare()
    bench.state.preview.toggle()
    asked = bench.newest(PreviewExamples)
    bench.engine.emit_events(Failed(job=asked.job, reason="The folder is gone.", hint="Connect it."))
    assert bench.state.preview.fault.get() == "The folder is gone. Connect it."
    bench.state.preparation.choose_fitting("pad")
    bench.prepare()
    bench.show_examples()
    assert bench.state.preview.fault.get() == "" and bench.state.preview.examples.get()


def test_the_file_and_what_the_model_gets_are_heard(bench: TrainBench, folder: Path, qtbot: QtBot) -> None:
    bench.open_folder(folder, medium="recordings")
    bench.prepare()
    preview = bench.state.preview
    preview.toggle()
    bench.show_examples(("a.wav",), rate=8000)
    seen, original = (preview.examples.get()[0].sound_of(part) for part in (SEEN, ORIGINAL))
    assert (len(seen[0]), seen[1], original[1]) == (16_000, 8000, 16_000)
    preview.play(0, SEEN)
    assert preview.player.playing.get() == (0, SEEN)
    preview.play(0, ORIGINAL)
    assert preview.player.playing.get() == (0, ORIGINAL)
    speaker = bench.window.sound_card._output
    assert isinstance(speaker, FakeSpeaker)
    qtbot.waitUntil(lambda: bool(np.abs(speaker.play_seconds()).max() > 0), timeout=round(1000 * LIMIT))
    preview.play(0, ORIGINAL)
    assert preview.player.playing.get() is None, "again stops it"
    preview.play(0, SEEN)
    preview.toggle()
    assert preview.player.playing.get() is None
