"""`studio alphabet` draws one latent in every class."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.library.work import decode_sheet, recipe_of_png


def files(out: str) -> list[Path]:
    return [Path(json.loads(line)["file"]) for line in out.splitlines()]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))[..., None]


def test_a_seed_is_drawn_in_every_class_as_pictures_and_on_a_sheet(
    tiny_noise: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["alphabet", tiny_noise, "5", "--out", str(tmp_path), "--json"]
    assert cli.main(argv) == 0
    singles = files(capsys.readouterr().out)
    assert [path.name for path in singles] == ["tiny-noise-5-00-Dark.png", "tiny-noise-5-01-Light.png"]
    assert pixels(singles[1]).mean() > pixels(singles[0]).mean() + 60
    work = recipe_of_png(singles[1].read_bytes())
    assert work is not None
    assert (work.seed, work.label) == (5, 1)
    assert cli.main([*argv, "--sheet"]) == 0
    (sheet,) = files(capsys.readouterr().out)
    found = decode_sheet(sheet.read_bytes(), pixels(sheet))
    assert [made.label for _, made in found] == [0, 1]
    assert np.array_equal(found[1][0], pixels(singles[1]))


def test_a_picture_of_mine_is_the_picture_of_its_own_class(
    tiny_noise: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "mine.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 128, (8, 8), np.uint8)).save(own)
    argv = ["alphabet", tiny_noise, str(own), "--label", "dark", "--out", str(tmp_path / "all"), "--json"]
    assert cli.main(argv) == 0
    dark, light = files(capsys.readouterr().out)
    assert np.array_equal(pixels(dark), pixels(own))
    assert not np.array_equal(pixels(light), pixels(own))
    work = recipe_of_png(light.read_bytes())
    assert work is not None
    assert work.source == "mine.png"


def test_a_model_whose_classes_share_no_style_is_refused(
    tiny: str, tiny_noise: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["alphabet", tiny, "5", "--out", str(tmp_path)]) == 2
    assert "keeps no style from class to class" in capsys.readouterr().err
    assert cli.main(["alphabet", tiny_noise, "5", "--label", "dark", "--out", str(tmp_path)]) == 2
    assert "Leave --label out" in capsys.readouterr().err
