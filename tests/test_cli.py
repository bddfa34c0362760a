"""The commands of the terminal make the right files, messages and exit statuses."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy
import soundfile
from PIL import Image

from studio import cli
from studio.library import models
from studio.library.work import recipe_of_png, recipe_of_wav
from studio.media.pictures.image import fit_to_shape, open_picture
from tests.limits import LIMIT

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / ".." / "shared" / "data" / "user" / "images"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_models_lists_all_models(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    listed = {line["name"]: line for line in lines(capsys.readouterr().out)}
    assert listed[tiny]["family"] == "realnvp"
    assert listed[tiny]["shape"] == [3, 8, 8]
    assert listed[tiny]["exact"] is False
    assert cli.main(["models"]) == 0
    assert "bits per dimension, bound" in capsys.readouterr().out


def test_the_table_of_shipped_models_equals_the_output_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--markdown"]) == 0
    assert capsys.readouterr().out in (ROOT / "models" / "README.md").read_text(encoding="utf-8")


def test_sample_makes_files_with_their_recipe(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["sample", tiny, "-n", "3", "--seed", "5", "--temperature", "0.7", "--out", str(tmp_path / "o"), "--json"]
    assert cli.main([*argv, "--sheet"]) == 0
    *made, sheet = lines(capsys.readouterr().out)
    assert [line["seed"] for line in made] == [5, 6, 7]
    assert all(isinstance(line["log_prob"], float) for line in made)
    work = recipe_of_png(Path(str(made[1]["file"])).read_bytes())
    assert work is not None
    assert (work.model, work.seed, work.temperature) == (tiny, 6, (0.7,))
    assert work.model_hash == models.find_model(tiny).file_hash
    assert sheet["sheet"] is True
    first = np.asarray(Image.open(str(made[0]["file"])))
    assert (
        cli.main([*argv[:2], "--seed", "5", "--temperature", "0.7", "-n", "1", "--out", str(tmp_path / "alone")]) == 0
    )
    (alone,) = (tmp_path / "alone").iterdir()
    assert np.array_equal(np.asarray(Image.open(alone)), first)


def test_a_sheet_that_is_smaller_than_requested_reports_its_size(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.library.work.MAX_PIXELS", 10_000)
    argv = ["sample", tiny, "-n", "4", "--seed", "5", "--sheet", "--out", str(tmp_path)]
    assert cli.main([*argv, "--scale", "4"]) == 0
    assert "too large" not in capsys.readouterr().err
    assert cli.main([*argv, "--scale", "8"]) == 0
    assert "Each is 48 × 48 pixels. At 64 × 64 the sheet would be too large." in capsys.readouterr().err
    sheet = next(tmp_path.glob("*-sheet.png"))
    assert open_picture(sheet).array.shape[:2] == (2 * 50 + 2, 2 * 50 + 2)


@pytest.mark.parametrize(
    ("options", "side"), [(["--scale", "4"], 32), (["--scale", "16x", "--smooth"], 128), (["--scale", "100px"], 96)]
)
def test_enlarged_pictures_open_in_their_original_size(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], side: int
) -> None:
    argv = ["sample", tiny, "-n", "2", "--seed", "5", "--json", "--out"]
    assert cli.main([*argv, str(tmp_path / "small")]) == 0
    small = lines(capsys.readouterr().out)
    assert cli.main([*argv, str(tmp_path / "large"), *options, "--sheet"]) == 0
    *large, sheet = lines(capsys.readouterr().out)
    for before, after in zip(small, large, strict=True):
        data = Path(str(after["file"])).read_bytes()
        assert Image.open(io.BytesIO(data)).size == (side, side)
        work = recipe_of_png(data)
        assert work is not None
        assert work.seed == after["seed"]
        opened = fit_to_shape(open_picture(str(after["file"])).array, (3, 8, 8))
        assert np.array_equal(opened, np.asarray(Image.open(str(before["file"]))))
    assert open_picture(str(sheet["file"])).array.shape == (2 * side + 6, side + 4, 3)
    assert cli.main(["invert", tiny, str(large[0]["file"]), *options, "--out", str(tmp_path / "back")]) == 0
    assert "exact" in capsys.readouterr().out
    (back,) = (tmp_path / "back").iterdir()
    assert back.read_bytes() != Path(str(small[0]["file"])).read_bytes()
    assert np.array_equal(np.asarray(Image.open(back)), np.asarray(Image.open(str(large[0]["file"]))))


@pytest.mark.parametrize("size", ["0", "65", "big", "0px", "5000px", "-1", "1.5"])
def test_a_size_that_makes_no_sense_is_refused(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    assert cli.main(["sample", tiny, f"--scale={size}", "--out", str(tmp_path)]) == 2
    assert "give 1 to 64 times, or 1px to 4096px" in capsys.readouterr().err
    assert list(tmp_path.glob("*.png")) == []


def test_pictures_saved_before_a_fault_are_named(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{tiny}-7.png").mkdir()  # a folder that no file can replace
    assert cli.main(["sample", tiny, "-n", "4", "--seed", "5", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert [Path(line).name for line in said.out.splitlines()] == [f"{tiny}-5.png", f"{tiny}-6.png"]
    assert f'"{tiny}-7.png" was not saved' in said.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file() and path.suffix == ".png") == [
        f"{tiny}-5.png", f"{tiny}-6.png",
    ]  # fmt: skip


def test_recordings_are_made_continued_scored_and_inverted(
    tiny_recordings: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sample", tiny_recordings, "-n", "2", "--seed", "5", "--label", "Low", "--json", "--out", str(tmp_path)]
    assert cli.main([*argv, "--seconds", "0.25"]) == 0
    made = lines(capsys.readouterr().out)
    samples, rate = soundfile.read(str(made[1]["file"]), dtype="int16")
    assert (len(samples), rate) == (2000, 8000)
    work = recipe_of_wav(Path(str(made[1]["file"])).read_bytes())
    assert work is not None
    assert (work.model, work.seed, work.label, work.continued_samples) == (tiny_recordings, 6, 1, 0)

    out = tmp_path / "more.wav"
    argv = ["continue", tiny_recordings, str(made[1]["file"]), "--seconds", "0.1", "--seed", "3", "--out", str(out)]
    assert cli.main(argv) == 0
    whole, rate = soundfile.read(out, dtype="int16")
    assert (len(whole), rate) == (2800, 8000)
    assert np.array_equal(whole[:2000], samples)
    work = recipe_of_wav(out.read_bytes())
    assert work is not None
    assert (work.seed, work.continued_samples) == (3, 2000)
    capsys.readouterr()

    assert cli.main(["score", tiny_recordings, str(made[1]["file"]), "--label", "Low", "--json"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert line["bits_per_sample"] == pytest.approx(-float(str(made[1]["log_prob"])) / np.log(2) / 2000, rel=1e-4)
    assert cli.main(["invert", tiny_recordings, str(made[1]["file"]), "--out", str(tmp_path / "back")]) == 0
    (back,) = (tmp_path / "back").glob("*.wav")
    again, rate = soundfile.read(back, dtype="int16")
    assert rate == 8000
    assert np.array_equal(again, samples)

    assert cli.main(["sample", tiny, "--seconds", "1", "--out", str(tmp_path)]) == 2
    assert "makes no recordings" in capsys.readouterr().err


def test_five_milliseconds_of_sound_are_inverted(tiny_recordings: str, tmp_path: Path) -> None:
    """A training refuses so short a recording, but a model can encode it."""
    short = tmp_path / "short.wav"
    soundfile.write(short, np.sin(np.arange(40) / 3) * 0.5, 8000, subtype="PCM_16")
    assert cli.main(["invert", tiny_recordings, str(short), "--out", str(tmp_path / "back")]) == 0
    (back,) = (tmp_path / "back").glob("*.wav")
    assert len(soundfile.read(back)[0]) == 40


def test_two_models_are_mixed_and_the_file_names_both(
    tiny_pixels: str, tiny_others: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sample", tiny_pixels, "--seed", "5", "--json", "--out", str(tmp_path / "o")]
    assert cli.main([*argv, "--mix", tiny_others, "--share", "0.3"]) == 0
    (line,) = lines(capsys.readouterr().out)
    work = recipe_of_png(Path(str(line["file"])).read_bytes())
    assert work is not None
    assert work.mix is not None
    assert (work.mix.model, work.mix.model_hash, work.mix.share) == (
        tiny_others,
        models.find_model(tiny_others).file_hash,
        0.3,
    )
    assert "mixed with tiny-others, share 0.3" in work.summary()
    assert cli.main([*argv, "--mix", tiny]) == 1
    assert "does not draw pixel by pixel, so it cannot be mixed" in capsys.readouterr().err
    assert cli.main([*argv, "--mix", tiny_others, "--share", "1.5"]) == 2


def test_a_class_is_requested_by_name_or_number(
    tiny_kinds: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("light", "1"):
        argv = ["sample", tiny_kinds, "--seed", "5", "--label", label, "--out", str(tmp_path / label), "--json"]
        assert cli.main(argv) == 0
    one, other = (Path(str(line["file"])) for line in lines(capsys.readouterr().out))
    assert np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))
    work = recipe_of_png(one.read_bytes())
    assert work is not None
    assert work.label == 1
    for model, label, words in ((tiny_kinds, "grey", "It has: Dark, Light."), (tiny, "0", "It has no classes")):
        assert cli.main(["sample", model, "--label", label, "--out", str(tmp_path)]) == 2
        assert words in capsys.readouterr().err


def test_evaluate_prints_every_figure_of_the_papers(
    tiny: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rings.npz", train_x=rings[:128], test_x=rings[144:])
    assert cli.main(["evaluate", tiny, str(tmp_path / "rings.npz"), "--json"]) == 0
    figures = {str(line["metric"]): line for line in lines(capsys.readouterr().out)}
    assert figures["bits per dimension"]["value"] == pytest.approx(models.find_model(tiny).card.value, abs=2e-3)
    assert figures["bits per dimension"]["exact"] is False
    assert figures["nats in logit space"]["exact"] is True
    assert figures["nats in logit space"]["n"] == 16


def test_evaluate_adds_the_spread_of_bits_to_a_card_without_it(
    tiny: str, rings: np.ndarray, tmp_path: Path, studio_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rings.npz", train_x=rings[:128], test_x=rings[144:])
    file = studio_home / "models" / f"{tiny}.safetensors"
    trained = models.find_model(tiny)
    known = trained.card.bits_quantiles
    models.write_card(trained, msgspec.structs.replace(trained.card, bits_quantiles=()))
    before = safetensors.numpy.load(file.read_bytes())
    Image.fromarray(rings[150]).save(tmp_path / "one.png")
    assert cli.main(["score", tiny, str(tmp_path / "one.png"), "--json"]) == 0
    assert lines(capsys.readouterr().out)[0]["percentile"] is None
    assert cli.main(["evaluate", tiny, str(tmp_path / "rings.npz"), "--card", "--json"]) == 0
    (said,) = lines(capsys.readouterr().out)
    assert (said["n"], said["least"]) == (16, pytest.approx(known[0], abs=1e-3))
    after = safetensors.numpy.load(file.read_bytes())
    assert all(np.array_equal(after[name], tensor) for name, tensor in before.items())
    assert models.find_model(tiny).card.bits_quantiles == pytest.approx(known, abs=1e-3)
    assert cli.main(["score", tiny, str(tmp_path / "one.png")]) == 0
    assert re.search(r"more typical than \d+ of 100 held-out pictures", capsys.readouterr().out)


def test_the_path_between_two_sounds_is_saved_as_a_wavetable(
    tiny_waves: str, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.wav"
    argv = ["blend", tiny_waves, "1", "5", "--frames", "8", "--out", str(out)]
    assert cli.main(argv) == 0
    samples, rate = soundfile.read(out)
    assert (samples.shape, rate) == ((8 * 2048,), 44100)
    assert np.abs(samples).max() > 0.1
    assert cli.main(argv) == 0, "an older file of that name is kept"
    assert capsys.readouterr().out.split() == [str(out), str(tmp_path / "table-0001.wav")]
    assert cli.main(["sample", tiny_waves, "--seed", "1", "--out", str(tmp_path)]) == 0
    argv[2] = str(tmp_path / f"{tiny_waves}-1.wav")
    assert cli.main(argv) == 0
    again, _ = soundfile.read(tmp_path / "table-0002.wav")
    assert np.array_equal(again, samples), "a sound of ours carries its latent's seed"
    assert cli.main(["blend", tiny, "1", "5", "--out", str(out)]) == 2
    assert "makes pictures" in capsys.readouterr().err


def test_the_sheet_of_a_model_of_waves_shows_them_as_lines(
    tiny_waves: str, tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sample", tiny_waves, "-n", "4", "--seed", "1", "--sheet", "--json", "--out", str(tmp_path)]
    assert cli.main(argv) == 0
    *waves, sheet = lines(capsys.readouterr().out)
    assert [Path(str(wave["file"])).suffix for wave in waves] == [".wav"] * 4
    shown = np.asarray(Image.open(str(sheet["file"])))
    quarters = [part for half in np.array_split(shown, 2) for part in np.array_split(half, 2, axis=1)]
    assert all((part < 128).any() for part in quarters), "each of the four is drawn"
    argv[1] = tiny_recordings
    assert cli.main(argv) == 2
    assert "makes recordings, which have no sheet" in capsys.readouterr().err


def test_a_part_of_a_picture_is_completed_from_the_most_typical_to_the_strangest(
    tiny_pixels: str, tiny: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = rings[0, ..., 0] // 16 * 17
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    for name, array in (
        ("mine", picture),
        ("mask", mask),
        ("small", mask[:5]),
        ("none", 0 * mask),
        ("all", 0 * mask + 255),
    ):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    argv = ["complete", tiny_pixels, str(tmp_path / "mine.png"), "--mask", str(tmp_path / "mask.png"), "-n", "3"]
    assert cli.main([*argv, "--seed", "5", "--out", str(tmp_path / "out"), "--json"]) == 0
    told = lines(capsys.readouterr().out)
    assert sorted(int(str(line["seed"])) for line in told) == [5, 6, 7]
    prices = [float(str(line["log_prob"])) for line in told]
    assert prices == sorted(prices, reverse=True)
    made = [Path(str(line["file"])).read_bytes() for line in told]
    for data in made:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)))[:4], picture[:4])
        work = recipe_of_png(data)
        assert work is not None
        assert work.latent is not None
        assert work.latent.shape == (1, 8, 8)
    faults = {
        (tiny_pixels, "small"): (2, 'The mask "small.png" is 8 × 5 pixels, but the picture is 8 × 8.'),
        (tiny_pixels, "none"): (1, "Nothing is marked, so the picture stays unchanged"),
        (tiny_pixels, "all"): (1, "Everything is marked, so nothing of the picture is kept"),
        (tiny, "mask"): (2, "makes the whole picture at once and cannot keep part of it."),
    }
    kept = sorted((tmp_path / "out").iterdir())
    for (model, name), (status, words) in faults.items():
        argv[1] = model
        argv[4] = str(tmp_path / f"{name}.png")
        assert cli.main([*argv, "--out", str(tmp_path / "out")]) == status
        assert words in capsys.readouterr().err
    argv[1] = tiny_pixels
    argv[4] = str(tmp_path / "mask.png")
    assert cli.main([*argv, "--label", "3", "--out", str(tmp_path / "out")]) == 2
    assert 'has no class "3". It has no classes. Leave --label out.' in capsys.readouterr().err
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    argv[4] = str(tmp_path / "broken.png")
    assert cli.main([*argv, "--out", str(tmp_path / "out")]) == 1
    assert "broken.png" in capsys.readouterr().err
    assert sorted((tmp_path / "out").iterdir()) == kept, "nothing of all this was saved"


def test_a_colour_picture_is_converted_to_the_models_greys_with_a_note(
    tiny_pixels: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    Image.fromarray(rings[0]).save(tmp_path / "colours.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    argv = ["complete", tiny_pixels, str(tmp_path / "colours.png"), "--mask", str(tmp_path / "mask.png"), "-n", "1"]
    assert cli.main([*argv, "--seed", "5", "--out", str(tmp_path / "out")]) == 0
    assert '"colours.png" is in colour and "' in capsys.readouterr().err
    (made,) = (tmp_path / "out").iterdir()
    assert np.asarray(Image.open(made)).shape == (8, 8)


def test_a_grey_picture_in_three_channels_causes_no_note_about_colour(
    tiny_pixels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    Image.fromarray(mask).convert("RGB").save(tmp_path / "grey.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    argv = ["complete", tiny_pixels, str(tmp_path / "grey.png"), "--mask", str(tmp_path / "mask.png"), "-n", "1"]
    assert cli.main([*argv, "--out", str(tmp_path / "out")]) == 0
    assert "colour" not in capsys.readouterr().err


def test_a_model_that_is_damaged_is_not_called_missing(
    tiny: str, studio_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = studio_home / "models" / f"{tiny}.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    assert cli.main(["sample", tiny, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert f'"{tiny}.safetensors"' in said and "no model named" not in said


def test_two_models_complete_a_picture_together(
    tiny_pixels: str, tiny_others: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    for name, array in (("mine", rings[0, ..., 0] // 16 * 17), ("mask", mask)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")

    def made(model: str, *more: str) -> np.ndarray:
        files = (str(tmp_path / "mine.png"), "--mask", str(tmp_path / "mask.png"), "--out", str(tmp_path / "out"))
        assert cli.main(["complete", model, *files, "-n", "1", "--seed", "5", "--json", *more]) == 0
        (line,) = lines(capsys.readouterr().out)
        return np.asarray(Image.open(str(line["file"])))

    ours, theirs = made(tiny_pixels), made(tiny_others)
    assert not np.array_equal(ours, theirs)
    assert np.array_equal(made(tiny_pixels, "--mix", tiny_others, "--share", "0"), ours)
    assert np.array_equal(made(tiny_pixels, "--mix", tiny_others, "--share", "1"), theirs)


def test_the_best_of_many_completions_are_saved_and_the_others_are_counted(
    tiny_pixels: str, rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[3:5] = 255
    below = np.where(np.arange(8)[:, None] >= 3, 255, 0 * mask).astype(np.uint8)
    for name, array in (("mine", rings[0]), ("mask", mask), ("below", below)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    argv = ["complete", tiny_pixels, str(tmp_path / "mine.png"), "--mask", str(tmp_path / "mask.png"), "-n", "6"]
    argv += ["--seed", "5", "--rank", "following", "--best", "2", "--out", str(tmp_path / "out")]
    assert cli.main([*argv, "--json"]) == 0
    said = capsys.readouterr()
    *best, count = lines(said.out)
    assert "is in colour and" in said.err and "is brought to grey" in said.err
    assert count == {"made": 6, "saved": 2, "left_out": 4}
    assert len(list((tmp_path / "out").iterdir())) == 2
    following = [float(str(line["following"])) for line in best]
    assert following == sorted(following, reverse=True) and max(following) < 0
    assert cli.main(argv[:-6] + argv[-2:] + ["--json"]) == 0
    every = sorted((float(str(line["following"])) for line in lines(capsys.readouterr().out)), reverse=True)
    assert every[:2] == following and len(every) == 6
    assert cli.main(argv) == 0
    assert "Made 6, saved the 2 that fit what follows best; 4 left out." in capsys.readouterr().err
    argv[4] = str(tmp_path / "below.png")
    assert cli.main(argv) == 2
    assert "No kept pixel follows the first marked one" in capsys.readouterr().err
    assert cli.main([*argv[:-6], *argv[-2:], "--label", "7"]) == 2
    assert "It has no classes" in capsys.readouterr().err


def test_score_prints_bits_and_saves_their_map(
    tiny_pixels: str, tiny: str, tiny_waves: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm = np.full((8, 8), 17, np.uint8)
    odd = calm.copy()
    odd[4, 4] = 238
    for name, array in (("calm", calm), ("odd", odd)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    files = [str(tmp_path / name) for name in ("calm.png", "odd.png", "broken.png")]
    assert cli.main(["score", tiny_pixels, *files, "--map", str(tmp_path / "maps"), "--json"]) == 1
    said = capsys.readouterr()
    assert "broken.png" in said.err
    first, second = lines(said.out)
    assert first["exact"] is True
    assert float(str(first["bits_per_dimension"])) < float(str(second["bits_per_dimension"]))
    assert 50 < float(str(first["percentile"])) <= 100
    assert 0 <= float(str(second["percentile"])) < float(str(first["percentile"]))
    assert (first["low"], first["high"]) == (second["low"], second["high"]), "compared maps share their scale"
    assert second["unit"] == "bits a pixel, exact"
    plate = np.asarray(Image.open(str(second["map"]))).astype(int).sum(2)
    pixels = plate[12 + 20 : 332 : 40, 344 + 20 : 664 : 40]
    assert np.unravel_index(int(pixels.argmax()), (8, 8)) == (4, 4)
    assert cli.main(["score", tiny, files[0]]) == 0
    assert "bits per dimension, bound" in capsys.readouterr().out
    assert cli.main(["score", tiny_waves, files[0], "--map", str(tmp_path / "maps")]) == 2
    assert "Leave --map out" in capsys.readouterr().err


def test_invert_reports_for_each_file_whether_it_decodes_back(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(folder / "a.png")
    (folder / "broken.jpg").write_bytes(b"no picture at all")
    os.mkfifo(folder / "pipe.png")
    assert cli.main(["invert", tiny, str(folder), "--out", str(tmp_path / "back"), "--json"]) == 1
    said = capsys.readouterr()
    by_name = {Path(str(line["file"])).name: line for line in lines(said.out)}
    assert by_name["a.png"] == {**by_name["a.png"], "exact": True, "differing": 0, "reason": ""}
    assert by_name["broken.jpg"]["exact"] is False
    assert by_name["broken.jpg"]["reason"]
    assert by_name["pipe.png"]["reason"]
    assert "1 of 1 pictures came back byte for byte. 2 of 3 files could not be used." in said.err
    back = recipe_of_png((tmp_path / "back" / next(p.name for p in (tmp_path / "back").iterdir())).read_bytes())
    assert back is not None
    assert back.latent is not None
    assert back.source == "a.png"
    assert cli.main(["invert", tiny, str(folder / "a.png")]) == 0
    assert "exact" in capsys.readouterr().out


@pytest.mark.skipif(not PICTURES.is_dir(), reason="the pictures of ../shared/data/user are not here")
def test_conversions_of_a_file_are_reported(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dark = np.linspace(640, 3680, 64).astype(np.uint16).reshape(8, 8)  # 12 bits, kept in 16
    Image.fromarray(dark).save(tmp_path / "cell.tif")
    for command in ("invert", "score"):
        cli.main([command, tiny, str(tmp_path / "cell.tif")])
        told = capsys.readouterr().err
        assert '"cell.tif": 16 bits a colour were rounded to 8; it uses only 1 % to 6 % of its range.' in told


@pytest.mark.skipif(not PICTURES.is_dir(), reason="the pictures of ../shared/data/user are not here")
def test_every_file_of_a_messy_folder_gets_one_line(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["invert", tiny, str(PICTURES), "--json"]) == 1
    said = capsys.readouterr()
    found = lines(said.out)
    assert len(found) == 208
    assert sum(bool(line["exact"]) for line in found) == 201
    assert "201 of 201 pictures came back byte for byte. 7 of 208 files could not be used." in said.err


def test_bench_compares_every_model_with_its_naive_decoding(
    tiny: str, tiny_pixels: str, tiny_recordings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", tiny, tiny_pixels, tiny_recordings, "--json"]) == 0
    said = capsys.readouterr()
    found = {(line["name"], line["count"]): line for line in lines(said.out)}
    assert list(found) == [(tiny, 1), (tiny, 16), (tiny_pixels, 1), (tiny_pixels, 16), (tiny_recordings, 1)]
    assert "Measured now on" in said.err
    whole, drawn = found[tiny, 16], found[tiny_pixels, 16]
    assert (whole["naive_seconds"], whole["times"], whole["first_row_seconds"]) == (None, None, None)
    assert drawn["times"] == pytest.approx(float(str(drawn["naive_seconds"])) / float(str(drawn["seconds"])))
    assert 0 < float(str(drawn["first_row_seconds"])) < float(str(drawn["seconds"]))
    assert cli.main(["bench", tiny, tiny_pixels, tiny_recordings]) == 0
    words = capsys.readouterr().out.splitlines()
    assert "no naive way" in words[0]
    assert re.search(r"16 at once: .+, the first row after .+; the naive way about .+, .+ × as long$", words[3])
    assert "for a second of sound, " in words[4]
    assert cli.main(["bench", "no-such-model"]) == 1
    assert 'no model named "no-such-model"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["sample", "nothing", "--out", "x"], 1, "no model named"),
        (["sample", "MODEL", "--out", "x", "-n", "0"], 2, "not from 1 to 4096"),
        (["sample", "MODEL", "--out", "x", "--temperature", "9"], 2, "not from 0 to 4"),
        (["sample", "MODEL", "--out", "x", "--seed", "-1"], 2, "not from 0 to 9007199254740991"),
        (["blend", "WAVES", "9" * 17, "1", "--out", "x.wav"], 2, "not from 0 to 9007199254740991"),
        (["train", "x", "--name", "y", "--steps", "0"], 2, "not from 1 to"),
        (["sample", "MODEL", "--out", "x", "-n", "9", "--seed", str(2**53 - 3)], 2, "last seed"),
        (["sample", "MODEL", "--out", "x", "--label", "3"], 2, "has no classes"),
        (["sample", "MODEL", "--out", "x", "--device", "abacus"], 2, "no device"),
        (["sample", "MODEL"], 2, "--out"),
        (["invert", "MODEL", "there-is-no-such-file.png"], 1, "there-is-no-such-file.png"),
        (["invert", "model.pt", "a.png"], 1, "model.pt"),
        (["train", "x", "--preset", "huge", "--name", "a"], 2, "no preset"),
        (["train", "x"], 2, "needs a name"),
        (["train", "there-is-no-such-folder", "--name", "a"], 1, "there-is-no-such-folder"),
        (["train", "x", "--recipe", "no-such.json"], 1, "no-such.json"),
        (["dance"], 2, "dance"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_each_fault_gets_a_sentence_and_a_status(
    argv: list[str],
    status: int,
    words: str,
    tiny: str,
    tiny_waves: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    models = {"MODEL": tiny, "WAVES": tiny_waves}
    assert cli.main([models.get(word, word) for word in argv]) == status
    said = capsys.readouterr()
    assert words in said.err + said.out
    assert "Traceback" not in said.err


def test_training_is_resumed_only_on_request(
    rings: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "rings.npz"
    np.savez(pack, train_x=rings[:120], test_x=rings[120:])
    argv = ["train", str(pack), "--name", "roses", "--family", "nice", "--size", "8", "--steps", "2", "--json"]
    assert cli.main(argv) == 0
    assert lines(capsys.readouterr().out)[-1]["steps"] == 2
    assert cli.main(argv) == 2
    assert "Add --resume" in capsys.readouterr().err
    assert cli.main([*argv, "--steps", "3", "--resume"]) == 0
    assert lines(capsys.readouterr().out)[-1]["steps"] == 3


def studio(*argv: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "studio", *argv],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever starts the tests in the background has them, and so this, ignore Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_ctrl_c_keeps_finished_files_and_ends_with_130(tiny: str, tmp_path: Path) -> None:
    process = studio("sample", tiny, "-n", "4096", "--seed", "1", "--out", str(tmp_path / "out"))
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "What was finished is kept" in err
    assert recipe_of_png(Path(first).read_bytes()) is not None
    assert not [p for p in (tmp_path / "out").iterdir() if p.suffix != ".png"]


def test_the_reader_of_the_output_may_leave(tiny: str, tmp_path: Path) -> None:
    process = studio("sample", tiny, "-n", "600", "--seed", "1", "--out", str(tmp_path))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=LIMIT) == 1
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_listing_models_does_not_load_torch(tiny: str) -> None:
    code = "import sys; from studio import cli; cli.main(['models']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0
