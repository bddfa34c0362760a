"""`studio train --palette` on a folder, and every command with the model that it makes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.engine.events import result_of
from studio.library import models
from studio.media.dataset import load_dataset
from studio.media.pictures.palette import find_palette, indices_if_exact, snap_to_palette

TINY = ("--set", "width=8", "--set", "layers=2", "--set", "size=3", "--set", "head=8")


def scene(number: int) -> np.ndarray:
    """Draw a picture of many colours."""
    slopes = np.random.default_rng(number).uniform(0, 255, (3, 3))
    y, x = np.mgrid[:8, :8][..., None] / 8
    picture: np.ndarray = (slopes[0] * y + slopes[1] * x + slopes[2] * (1 - y) * (1 - x)).clip(0, 255).astype(np.uint8)
    return picture


def save(folder: Path, first: int, count: int) -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        Image.fromarray(scene(number)).save(folder / f"{number}.png")
    return folder


def test_a_folder_trains_a_model_in_a_palette_and_unseen_pictures_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = save(tmp_path / "own", 0, 24)
    train = ["train", str(own), "--palette", "6", "--family", "gated_pixelcnn", *TINY, "--size", "8", "--steps", "2"]
    assert cli.main([*train, "--name", "six"]) == 0
    palette = models.find_model("six").card.palette
    assert palette == result_of(find_palette(load_dataset(own, (3, 8, 8)).train, 6)) and len(palette) == 6
    unseen, out = save(tmp_path / "unseen", 100, 24), tmp_path / "out"
    capsys.readouterr()
    assert cli.main(["invert", "six", str(unseen), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "24 of 24 pictures came back byte for byte in the model's 6 colours." in said.out
    assert '"100.png": 6' in said.err and "of 64 pixels took the nearest of 6 colours." in said.err
    for number in range(100, 124):
        with Image.open(out / f"{number}-0001.png") as back:
            assert back.mode == "P"
            assert np.array_equal(np.asarray(back.convert("RGB")), snap_to_palette(scene(number), palette))
    assert cli.main(["score", "six", str(unseen / "100.png"), "--map", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bits_per_dimension"] > 0
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    complete = ["complete", "six", str(unseen / "100.png"), "--mask", str(tmp_path / "mask.png"), "-n", "1"]
    assert cli.main([*complete, "--out", str(tmp_path / "completed")]) == 0
    assert cli.main(["sample", "six", "-n", "4", "--sheet", "--out", str(tmp_path / "drawn")]) == 0
    made = [*(tmp_path / "completed").iterdir(), *(tmp_path / "drawn").iterdir()]
    assert len(made) == 6
    for path in made:
        with Image.open(path) as image:
            assert image.mode == "P"
            assert indices_if_exact(np.asarray(image.convert("RGB")), (*palette, (255, 255, 255))) is not None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--palette", "16"), "RealNVP needs brightness, and a palette has none"),
        (("--palette", "65"), "65 is not from 2 to 64"),
        (("--palette", "16", "--grey"), "not allowed with"),
        (("--palette", "16", "--family", "gated_pixelcnn", "--augment", "colour=0.1"), "cannot be varied"),
        (("--palette", "16", "--sound", "--family", "pixelcnn"), "Sounds have no colours"),
        (("--palette", "16", "--from", "any"), "A recipe or a model has colours of its own"),
    ],
)
def test_a_palette_that_cannot_be_is_refused_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = save(tmp_path / "own", 0, 6)
    try:
        status = cli.main(["train", str(own), "--name", "six", *words])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2 and sentence in " ".join(capsys.readouterr().err.split())
