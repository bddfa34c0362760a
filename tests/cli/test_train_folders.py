"""`studio train` on every strange folder: a sentence before anything starts, or a run that works."""

import os
import re
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio import cli
from studio.library import models
from studio.media import folder_scan
from studio.media.pictures import image

POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such links nor such names")
Make = Callable[[Path], Path]


def picture(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, "PNG")


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        save(folder / f"{seed}.png", picture(seed))
    return folder


def same_pictures(folder: Path) -> Path:
    for number in range(6):
        save(folder / f"{number}.png", picture(0))
    return folder


def black_pictures(folder: Path) -> Path:
    for number in range(6):
        save(folder / f"{number}.png", np.zeros((8 + number, 8 + number, 3), np.uint8))
    return folder


def archive(folder: Path) -> Path:
    pictures(folder, 8)
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for each in folder.iterdir():
            file.write(each, each.name)
    return path


def picture_file(folder: Path) -> Path:
    return pictures(folder, 8) / "0.png"


def linked_in_a_circle(folder: Path) -> Path:
    pictures(folder, 8)
    (folder / "again").symlink_to(folder)
    (folder / "up").symlink_to("..")
    (folder / "self.png").symlink_to("self.png")
    return folder


def system_files(folder: Path) -> Path:
    pictures(folder, 8)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png"):
        (folder / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    return folder


def strange_names(folder: Path) -> Path:
    folder.mkdir()
    decomposed = unicodedata.normalize("NFD", "é à ü.png")
    names = (
        "new\nline.png",
        "😀 🎨.png",
        decomposed,
        "-rf.png",
        "<img src=x>.png",
        "ends.png ",
        "日本語.png",
        "%s {0}.png",
    )
    for seed, name in enumerate(names):
        save(folder / name, picture(seed))
    return folder


def within_models(folder: Path) -> Path:
    return pictures(folder.parent / "home" / "models" / "mine", 8)


def its_own_models(folder: Path) -> Path:
    inner = folder.parent / "home" / "models"
    inner.mkdir(parents=True)
    for number in range(3):
        (inner / f"{number}.safetensors").write_bytes(bytes(100))
    return inner


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


FOLDERS: dict[str, tuple[Make, str]] = {
    "nothing": (lambda folder: folder, r'"odd" is not there'),
    "0 files": (empty, r'"odd" has too few pictures to learn from \(0 usable, 0 skipped\)'),
    "1 picture": (lambda folder: pictures(folder, 1), r"has too few pictures to learn from \(1 usable, 0 skipped\)"),
    "3 pictures": (lambda folder: pictures(folder, 3), r'"odd" has 2 to train on, besides those held out. At least 3'),
    "all the same": (same_pictures, r"too few pictures to learn from \(1 usable, 5 duplicates, 0 skipped\)"),
    "all black": (black_pictures, r"\(1 usable, 5 the same as another at this size, 0 skipped\)"),
    "a zip": (archive, r'"odd.zip" is an archive and was not opened. Unpack it first, then name the folder'),
    "a file": (picture_file, r'"0.png" is not a pack of pictures'),
    "models alone": (its_own_models, r'"0.safetensors" is not a picture that can be read here'),
    "4 pictures": (lambda folder: pictures(folder, 4), ""),
    "links in a circle": (linked_in_a_circle, ""),
    "files of the system": (system_files, ""),
    "strange names": (strange_names, ""),
    "within the models": (within_models, ""),
}


def train(source: Path, *more: str) -> int:
    argv = ["train", str(source), "--name", "mine", "--size", "8", "--steps", "2", *more]
    return cli.main(argv)


@POSIX_ONLY
@pytest.mark.parametrize(("make", "words"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_strange_folder_is_refused_in_a_sentence_or_trained_on(
    make: Make, words: str, tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = train(make(tmp_path / "odd"))
    said = capsys.readouterr().err
    assert "Traceback" not in said and "Error" not in said
    if not words:
        assert status == 0, said
        assert models.find_model("mine").card.steps == 2
        return
    assert status in (1, 2)
    assert re.search(words, said), said
    assert "step" not in said, "nothing has started"
    assert not (studio_home / "runs" / "mine").exists()


def test_silence_alone_is_refused(tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(8000), 8000)
    assert train(tmp_path, "--family", "wavenet", "--rate", "8000", "--list-skipped") == 1
    said = capsys.readouterr().err
    assert '"0.wav" is silent.' in said and "has no sounds to learn from (0 usable, 3 skipped)" in said
    assert not (studio_home / "runs" / "mine").exists()


def test_a_folder_that_may_not_be_opened_is_refused(
    tmp_path: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = os.scandir

    def forbidden(folder: Any) -> Any:
        if Path(folder).name == "odd":
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(folder_scan.os, "scandir", forbidden)
    assert train(pictures(tmp_path / "odd", 8)) == 1
    assert '"odd" may not be opened by you' in capsys.readouterr().err
    assert not (studio_home / "runs" / "mine").exists()


@POSIX_ONLY
def test_a_folder_that_vanishes_while_it_is_read_starts_nothing(
    tmp_path: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pictures(tmp_path / "odd", 12)
    read = folder_scan.FolderScan.steps

    def unplugged(self: folder_scan.FolderScan) -> Any:
        for report in read(self):
            if report is not None and source.exists():
                source.rename(tmp_path / "unplugged")
            yield report

    monkeypatch.setattr(folder_scan.FolderScan, "steps", unplugged)
    assert train(source) == 1
    said = capsys.readouterr().err
    assert '"odd" is not there any more' in said and "Connect or restore it, and start again." in said
    assert not (studio_home / "runs" / "mine").exists()


def test_options_for_files_are_stored_with_the_run(
    tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pictures(tmp_path / "odd", 8)
    options = ("--prepare", "fitting=pad", "--prepare", "ground=255,0,0", "--augment", "shift=1")
    excluded = image.hash_file(source / "0.png", 10_000)
    assert train(source, *options, "--augment", "quarter_turns", "--prepare", f"excluded={excluded}") == 0
    assert '"0.png" is excluded by you' in capsys.readouterr().err
    stored = (studio_home / "runs" / "mine" / "study.json").read_text()
    for words in ('"fitting": "pad"', '"shift": 1', '"quarter_turns": true'):
        assert words in stored
    assert re.search(r'"ground": \[\s*255,\s*0,\s*0\s*\]', stored)
    for wrong, words in (
        (("--prepare", "ground=white"), "An option is not usable: preparation.ground"),
        (("--prepare", "fitting=stretch"), "An option is not usable: preparation.fitting"),
        (("--augment", "rotate=3"), 'There is no option "rotate". There are: shift, quarter_turns, colour'),
    ):
        assert cli.main(["train", str(source), "--name", "other", *wrong]) == 2
        assert words in capsys.readouterr().err
