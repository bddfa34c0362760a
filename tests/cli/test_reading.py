"""If a file crashes its reader, a command or a training loses that file alone."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio import cli
from studio.library import models

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no limits for a process")
STEMS = ["kills", "aborts", "hangs", "opens", "raises", *(["grows"] if sys.platform == "linux" else [])]
RAW = ("Traceback", "Errno", "KeyError", "0x", "SIG")


def photos(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for seed, name in enumerate(names):
        picture = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


@pytest.mark.usefixtures("planted_readers")
def test_a_folder_is_scored_without_files_that_crash_their_reader(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path / "photos", ["a", *STEMS, "z"])
    assert cli.main(["score", tiny, str(folder), "--json"]) == 1
    said = capsys.readouterr()
    scored = [Path(json.loads(line)["file"]).name for line in said.out.splitlines()]
    assert scored == ["a.png", "z.png"]
    for stem in STEMS:
        assert f'"{stem}.png" ' in said.err
    assert not any(word in said.err for word in RAW)


@pytest.mark.usefixtures("planted_readers")
def test_a_training_loses_only_files_that_crash_their_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path / "photos", [*(str(seed) for seed in range(20)), *STEMS])
    argv = ["train", str(folder), "--name", "roses", "--family", "nice", "--size", "8", "--steps", "2"]
    assert cli.main(argv) == 0
    said = capsys.readouterr()
    assert "20 pictures are used." in said.err
    assert f"{len(STEMS)} files were skipped" in said.err
    assert not any(word in said.err for word in RAW)
    assert models.find_model("roses").card.steps == 2


@pytest.mark.usefixtures("planted_readers")
@pytest.mark.parametrize("options", [["--sound"], ["--family", "wavenet", "--rate", "8000"]])
def test_a_training_of_sounds_loses_only_files_that_crash_their_reader(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "waves"
    folder.mkdir()
    for number, name in enumerate([*(str(seed) for seed in range(12)), "kills", "raises"], 1):
        cycle = np.sin(np.arange(600) / 600 * 2 * np.pi) + np.sin(np.arange(600) / 600 * 4 * np.pi) / number
        soundfile.write(folder / f"{name}.wav", cycle / 3, 8000)
    family = [] if "wavenet" in options else ["--family", "nice"]
    assert cli.main(["train", str(folder), "--name", "hum", "--steps", "1", *options, *family]) == 0
    said = capsys.readouterr().err
    assert "12 sounds are used. 2 files were skipped" in said and "crashed the program that reads files" in said
    assert not any(word in said for word in RAW)


@pytest.mark.parametrize("spelling", ["", "/", "/."])
def test_a_folder_that_is_named_by_a_link_is_used(
    spelling: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path / "photos", ["a", "b", "c", "d"])
    (tmp_path / "link").symlink_to(folder)
    assert cli.main(["score", tiny, f"{tmp_path / 'link'}{spelling}", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    argv = ["train", f"{tmp_path / 'link'}{spelling}", "--name", "r", "--family", "nice", "--size", "8", "--steps", "1"]
    assert cli.main(argv) == 0
    assert "4 pictures are used." in capsys.readouterr().err


def test_an_archive_must_be_unpacked_first(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    folder = photos(tmp_path / "photos", ["a", "b", "c"])
    named = [Path(shutil.make_archive(str(tmp_path / kind), kind, folder)) for kind in ("zip", "tar", "gztar", "xztar")]
    named.append(named[0].rename(tmp_path / "pack.npz"))
    named[0] = Path(shutil.copy(named[-1], tmp_path / "photos.zip"))
    for path in named:
        train = ["train", str(path), "--name", "r", "--size", "8", "--steps", "1"]
        for words in ([] if path.suffix == ".tar" else train, ["score", tiny, str(path)]):
            if not words:  # it is learned from as a shard
                continue
            assert cli.main(words) == 1
            said = capsys.readouterr().err
            assert f'"{path.name}" is an archive and was not opened. Unpack it first, then name the folder.' in said
