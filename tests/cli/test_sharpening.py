"""The terminal draws with guidance and top-p, and the recipe of a picture makes it again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import cli
from studio.library.work import Work, density_note, recipe_of_png


def drawn(path: Path) -> tuple[np.ndarray, Work]:
    work = recipe_of_png(path.read_bytes())
    assert work is not None
    return np.asarray(Image.open(path)), work


def test_a_recipe_with_guidance_and_top_p_makes_its_picture_again(
    tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sample(folder: str, *options: str) -> tuple[np.ndarray, Work]:
        argv = ["sample", tiny_materials, "--seed", "5", "--label", "light", *options]
        assert cli.main([*argv, "--out", str(tmp_path / folder), "--json"]) == 0
        captured = capsys.readouterr()
        assert (density_note(2.5, 0.6) in captured.err) is bool(options)
        return drawn(Path(json.loads(captured.out)["file"]))

    plain, _ = sample("plain")
    picture, work = sample("first", "--guidance", "2.5", "--top-p", "0.6")
    assert (work.guidance, work.top_p) == (2.5, 0.6)
    assert "guidance 2.5 and top-p 0.6" in work.summary()
    assert not np.array_equal(picture, plain)
    again, _ = sample("again", "--guidance", str(work.guidance), "--top-p", str(work.top_p))
    assert np.array_equal(again, picture)


def test_complete_draws_the_hole_with_guidance(
    tiny_materials: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = np.full((16, 16), 85, np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[6:] = 255
    Image.fromarray(own).save(tmp_path / "own.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    argv = ["complete", tiny_materials, str(tmp_path / "own.png"), "--mask", str(tmp_path / "mask.png"), "-n", "1"]
    found = []
    for guidance in ("0", "3"):
        out = tmp_path / guidance
        options = ["--seed", "5", "--label", "dark", "--guidance", guidance, "--out", str(out), "--json"]
        assert cli.main([*argv, *options]) == 0
        found.append(drawn(Path(json.loads(capsys.readouterr().out)["file"]))[0])
    assert not np.array_equal(*found)
    assert all(np.array_equal(each[:6], own[:6]) for each in found)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("tiny_pixels", ("--guidance", "1"), '"Pixels" never learned without a class. Leave --guidance out.'),
        ("tiny_materials", ("--guidance", "3.5"), "3.5 is not from 0 to 3"),
        ("tiny_materials", ("--top-p", "1.5"), "1.5 is not from 0 to 1"),
        ("tiny_materials", ("--guidance", "1", "--mix", "tiny-pixels"), "A mixture of two models has no guidance."),
        ("tiny", ("--top-p", "0.9"), "draws at once, so it has no top-p. Leave --top-p out."),
        ("tiny_recordings", ("--top-p", "0.9"), "makes sound sample by sample, so it has no top-p."),
    ],
)
def test_models_without_guidance_or_top_p_are_refused(
    model: str,
    options: tuple[str, ...],
    words: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = str(request.getfixturevalue(model))
    assert cli.main(["sample", name, *options, "--out", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err
