"""The terminal draws pictures of any size and continues a picture of the user."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.library.work import recipe_of_png


def results(capsys: pytest.CaptureFixture[str]) -> list[Path]:
    return [Path(json.loads(line)["file"]) for line in capsys.readouterr().out.splitlines()]


def test_sample_draws_pictures_of_the_requested_size(
    tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sample", tiny_materials, "-n", "2", "--seed", "5", "--size", "29x27", "--seamless", "--label", "light"]
    assert cli.main([*argv, "--out", str(tmp_path), "--json"]) == 0
    first, second = results(capsys)
    assert np.asarray(Image.open(first)).shape == (27, 29)
    assert first.read_bytes() != second.read_bytes()
    work = recipe_of_png(first.read_bytes())
    assert work is not None
    assert (work.canvas_size, work.seamless, work.label) == ((27, 29), True, 1)
    assert "29 × 27 seamless" in work.summary()


def test_grow_keeps_every_pixel_of_the_picture(
    tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = np.random.default_rng(0).integers(0, 256, (7, 10)).astype(np.uint8)
    Image.fromarray(own).save(tmp_path / "own.png")
    argv = ["grow", tiny_materials, str(tmp_path / "own.png"), "--size", "16x12", "--out", str(tmp_path / "out")]
    assert cli.main([*argv, "-n", "2", "--seed", "3", "--json"]) == 0
    for path, seed in zip(results(capsys), (3, 4), strict=True):
        grown = np.asarray(Image.open(path))
        assert grown.shape == (12, 16)
        assert np.array_equal(grown[:7, :10], own)
        work = recipe_of_png(path.read_bytes())
        assert work is not None
        assert (work.seed, work.canvas_size, work.grown_from, work.source) == (seed, (12, 16), (7, 10), "own.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "0x9"), "0x9 is no size: give width x height, as 256x128, each up to 1024"),
        (("--size", "1025x9"), "1025x9 is no size"),
        (("--size", "wide"), "wide is no size"),
        (("--seamless",), "A seamless picture needs a size. Add --size WxH"),
    ],
)
def test_a_size_that_makes_no_sense_is_refused(
    options: tuple[str, ...], words: str, tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", tiny_materials, *options, "--out", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_a_model_with_borders_and_a_picture_that_is_too_large_are_refused(
    tiny_pixels: str, tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "own.png")
    rest = ["--size", "10x10", "--out", str(tmp_path)]
    assert cli.main(["sample", tiny_pixels, *rest]) == 2
    assert '"Pixels" draws only 8 × 8 grey. Choose a model without borders' in capsys.readouterr().err
    assert cli.main(["grow", tiny_pixels, str(tmp_path / "own.png"), *rest]) == 2
    assert "draws only 8 × 8 grey" in capsys.readouterr().err
    assert cli.main(["grow", tiny_materials, str(tmp_path / "own.png"), *rest]) == 2
    assert '"own.png" is 10 × 10 pixels, so it cannot grow to 10 × 10' in capsys.readouterr().err
