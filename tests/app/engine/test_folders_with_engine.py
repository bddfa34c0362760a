"""The panel Train on the real engine: every strange folder, sub-folders as classes, and the user's own folders."""

import csv
import os
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pytestqt.qtbot import QtBot

from studio.app.panels.train.state import TrainState
from tests.app.engine.test_training_with_engine import Opener, _wait, opener

__all__ = ["opener"]

USER = Path(__file__).parents[3] / "../shared/data/user"
needs_user = pytest.mark.skipif(not USER.is_dir(), reason="the folders of messy sample files are not here")
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such links nor such names")


def _save(path: Path, seed: int, size: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).save(path, "PNG")


def _pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        _save(folder / f"{seed}.png", seed)
    return folder


def _same(folder: Path) -> Path:
    for number in range(6):
        _save(folder / f"{number}.png", 0)
    return folder


def _black(folder: Path) -> Path:
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (20 + number, 20 + number)).save(folder / f"{number}.png")
    return folder


def _silence(folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", np.zeros(8000 + number), 8000)
    return folder


def _zip(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for each in _pictures(folder, 8).iterdir():
            file.write(each, each.name)
    return path


def _circle(folder: Path) -> Path:
    _pictures(folder, 8)
    (folder / "again").symlink_to(folder)
    (folder / "self.png").symlink_to("self.png")
    return folder


def _system_files(folder: Path) -> Path:
    _pictures(folder, 8)
    for name in (".DS_Store", "Thumbs.db", "._0.png"):
        (folder / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    return folder


def _strange_names(folder: Path) -> Path:
    folder.mkdir()
    for seed, name in enumerate(("new\nline.png", "😀 🎨.png", unicodedata.normalize("NFD", "é.png"), "<b>.png")):
        _save(folder / name, seed)
    return folder


def _forbidden(folder: Path) -> Path:
    _pictures(folder, 8).chmod(0)
    return folder


FOLDERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "0 files": (lambda folder: _pictures(folder, 0), "The folder is empty."),
    "1 picture": (lambda folder: _pictures(folder, 1), "1 picture is too few. At least 4 are needed."),
    "3 pictures": (lambda folder: _pictures(folder, 3), "3 pictures are too few. At least 4 are needed."),
    "all the same": (_same, "All pictures are the same."),
    "all black": (_black, "All pictures are the same."),
    "silence": (_silence, 'None of 3 files can be used. The first: "0.wav" is silent.'),
    "a zip": (_zip, "is an archive"),
    "a file": (lambda folder: _pictures(folder, 1) / "0.png", "is not a pack of pictures"),
    "nothing": (lambda folder: folder, "is not there"),
    "links in a circle": (_circle, ""),
    "files of the system": (_system_files, ""),
    "strange names": (_strange_names, ""),
    "within the models": (lambda folder: _pictures(folder.parent / "home" / "models" / "mine", 8), ""),
}
if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may open everything
    FOLDERS["no permission"] = (_forbidden, "may not be opened by you")


def _examine(train: TrainState, folder: Path, qtbot: QtBot) -> list[str]:
    """Open a folder and wait for the report. Return the sentences that stop a training."""
    train.open_folder(folder)
    _wait(qtbot, lambda: not train.folder.busy.get())
    report = train.folder.report.get()
    stops = [finding.sentence for finding in report.findings if finding.weight == "stop"] if report is not None else []
    return [*stops, train.folder.fault.get()]


@POSIX_ONLY
@pytest.mark.timeout(1200)
def test_a_strange_folder_is_refused_in_a_sentence_or_can_be_learned(
    opener: Opener, tmp_path: Path, qtbot: QtBot
) -> None:
    train = opener().train
    for name, (make, words) in FOLDERS.items():
        folder = make(tmp_path / name.replace(" ", "-"))
        told = " ".join(_examine(train, folder, qtbot))
        assert (words in told) if words else not told, f"{name}: {told}"
        assert train.main_action.get() == ("none" if words else "start"), name
        if not words:
            _wait(qtbot, lambda: train.settings.prepared.get() is not None)


@pytest.mark.timeout(1200)
def test_sub_folders_become_classes_with_names(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    for number in range(16):
        _save(tmp_path / "garden" / ("roses", "tulips")[number % 2] / f"{number}.png", number)
    window = opener()
    train = window.train
    window.open_dropped([tmp_path / "garden"])
    train.settings.choose_size(16)
    _wait(qtbot, lambda: train.folder.report.get() is not None)
    train.settings.choose_family("realnvp")
    train.settings.choose_classes(True)
    assert train.settings.family.get() == "realnvp"
    train.settings.set_plan("steps", 2)
    _wait(qtbot, lambda: train.folder.class_counts == {"roses": 8, "tulips": 8})
    train.preparation.choose_strength("mirror", 1)
    train.preparation.choose_strength("shift", 2)
    _wait(qtbot, lambda: train.settings.prepared.get() is not None)
    train.preview.toggle()
    _wait(qtbot, lambda: bool(train.preview.examples.get()))
    example = train.preview.examples.get()[0]
    assert example.seen.shape == (16, 16, 3) and example.original is not None and len(example.variations) > 1
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() == "finished")
    train.play("generate")
    trained = window.generate.model.get()
    assert trained is not None and trained.card.classes == ("roses", "tulips")
    window.generate.parameters.set_class(0, 1)
    assert window.generate.parameters.class_name == "tulips"
    window.generate.parameters.set_number(1)
    window.generate.start_batch()
    _wait(qtbot, lambda: not window.generate.batch.running.get())
    (cell,) = window.generate.batch.cells.get()
    assert cell.finished


@needs_user
@pytest.mark.timeout(3600)
def test_the_folder_of_messy_pictures_is_reported_and_learned(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    window = opener()
    train = window.train
    window.open_dropped([USER / "images"])
    train.settings.choose_size(16)
    train.settings.set_plan("steps", 4)
    _wait(qtbot, lambda: train.folder.report.get() is not None and not train.folder.busy.get())
    rows = _saved_table(train, tmp_path / "files.csv", qtbot)
    wanted = _expected("images_EXPECTED.csv")
    assert rows.keys() == wanted.keys()
    assert {name for name, outcome in rows.items() if outcome == "skipped"} == {
        name for name, expect in wanted.items() if expect == "skip"
    }
    _wait(qtbot, lambda: train.settings.prepared.get() is not None)
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() in ("finished", "failed"))
    assert train.run.fault.get() == ""
    train.play("generate")
    window.generate.parameters.set_number(1)
    window.generate.start_batch()
    _wait(qtbot, lambda: not window.generate.batch.running.get())
    (cell,) = window.generate.batch.cells.get()
    assert cell.finished and cell.picture is not None and cell.picture.shape == (16, 16, 3)


@needs_user
@pytest.mark.timeout(3600)
def test_the_folder_of_messy_sounds_is_reported_and_learned(opener: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    window = opener()
    train = window.train
    window.open_dropped([USER / "audio"])
    train.preparation.choose_clip_seconds(1.0)  # whole sounds at 16 kHz take minutes to be measured
    train.preparation.choose_rate(4000)
    train.settings.set_plan("steps", 2)
    train.settings.set_plan("cut_samples", 512)
    _wait(qtbot, lambda: train.folder.report.get() is not None and not train.folder.busy.get())
    rows = _saved_table(train, tmp_path / "files.csv", qtbot)
    wanted = _expected("audio_EXPECTED.csv")
    assert rows.keys() == wanted.keys()
    unsupported = {os.path.join("loops", "industrial.m4a")}  # the table says so
    assert {name for name, outcome in rows.items() if outcome == "skipped"} == unsupported | {
        name for name, expect in wanted.items() if expect == "skip"
    }
    _wait(qtbot, lambda: train.settings.prepared.get() is not None)
    train.press_main()
    _wait(qtbot, lambda: train.run.phase.get() in ("finished", "failed"))
    assert train.run.fault.get() == ""
    train.play("sound")
    window.sound.play()
    _wait(qtbot, lambda: len(window.sound.player.samples) > 1000)
    window.sound.player.stop()


def _saved_table(train: TrainState, path: Path, qtbot: QtBot) -> dict[str, str]:
    """Save the table of files, and return the outcome of each by its name."""
    train.file_report.save(path)
    _wait(qtbot, path.exists)
    _, *rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    return {name.lstrip("'"): outcome for name, outcome, _ in rows}


def _expected(table: str) -> dict[str, str]:
    with open(USER / table, encoding="utf-8", newline="") as file:
        return {row["file"].replace("/", os.sep): row["expect"] for row in csv.DictReader(file)}
