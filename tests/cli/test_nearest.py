"""`studio nearest` finds planted copies among a model's samples, and writes its verdict into the card."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio import cli
from studio.library import models
from studio.media.export import SHEET_GAP


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Run a command; return its results."""
    capsys.readouterr()
    assert cli.main([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_mirrored_copy_among_the_training_pictures_is_found(
    tiny: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = printed(["sample", tiny, "--seed", "3", "--out", str(tmp_path)], capsys)
    copy = np.asarray(Image.open(str(made["file"])))[:, ::-1]
    np.savez(tmp_path / "rings.npz", train_x=np.concatenate((rings[:120], copy[None])), test_x=rings[120:])
    words = ["nearest", tiny, str(tmp_path / "rings.npz"), "-n", "6", "--sheet", str(tmp_path / "sheet.png"), "--card"]
    *pairs, verdict, sheet = printed(words, capsys)
    assert [pair["seed"] for pair in pairs if pair["distance"] < 0.01] == [3]
    assert pairs[0]["copied"] is True and pairs[0]["seed"] == 3
    assert sorted(pair["seed"] for pair in pairs) == [1, 2, 3, 4, 5, 6]
    assert verdict["samples"] == 6 and verdict["copied"] == sum(pair["copied"] for pair in pairs)
    check = models.find_model(tiny).card.copy_check
    assert check is not None and (check.samples, check.copied) == (6, verdict["copied"])
    picture = np.asarray(Image.open(str(sheet["file"])))
    row = slice(SHEET_GAP, SHEET_GAP + 32)
    first, nearest = picture[row, row], picture[row, SHEET_GAP + 32 : SHEET_GAP + 64]
    np.testing.assert_array_equal(nearest, first[:, ::-1])


def test_recordings_are_compared_and_have_no_sheet(
    tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["split,file,pitch"]
    for number in range(8):
        split = "train" if number < 6 else "test"
        path = tmp_path / "sounds" / split / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, 4000), 8000)
        rows.append(f"{split},{path.name},{('high', 'low')[number % 2]}")
    (tmp_path / "sounds" / "index.csv").write_text("\n".join(rows))
    source = str(tmp_path / "sounds")
    *pairs, verdict = printed(["nearest", tiny_recordings, source, "-n", "2"], capsys)
    assert len(pairs) == 2 and verdict["copied"] == 0
    assert cli.main(["nearest", tiny_recordings, source, "--sheet", str(tmp_path / "sheet.png")]) == 2
    assert "Leave --sheet out" in capsys.readouterr().err


def test_training_artworks_that_all_look_the_same_get_a_sentence(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = np.eye(24, 192, dtype=np.uint8).reshape(24, 8, 8, 3)
    np.savez(tmp_path / "same.npz", train_x=each[:20], test_x=each[20:])
    assert cli.main(["nearest", tiny, str(tmp_path / "same.npz"), "-n", "2"]) == 1
    assert "all its artworks look the same" in capsys.readouterr().err
