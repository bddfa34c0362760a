"""The terminal prints the same notes about a file as the window."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio import cli
from studio.cli import arguments
from studio.library import models
from studio.media.pictures.image import FileRefused
from tests.media.containers.writers import LITTLE, RATE, wav


def test_a_recording_that_is_cut_off_is_reported(
    tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = models.find_model(tiny_recordings).card
    (tmp_path / "cut.wav").write_bytes(wav()[: -len(LITTLE) // 2])
    samples = arguments.open_artwork(tmp_path / "cut.wav", card)
    assert len(samples) == RATE // 4 and samples.dtype == np.int16
    assert capsys.readouterr().err == '"cut.wav": cut off: what is there is used.\n'
    (tmp_path / "piped.wav").write_bytes(wav(2**32 - 1, 2**32 - 1))
    assert len(arguments.open_artwork(tmp_path / "piped.wav", card)) == RATE // 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["WAV", "FLAC", "AIFF"])
def test_a_cycle_in_anti_phase_is_reported(
    form: str, tiny_waves: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = models.find_model(tiny_waves).card
    cycle = 0.5 * np.sin(2 * np.pi * np.arange(600) / 600)
    path = tmp_path / f"cycle.{form.lower()}"
    soundfile.write(path, np.stack([cycle, -cycle], 1), 44_100, format=form)
    assert np.abs(arguments.open_artwork(path, card)).max() == 30_000
    said = capsys.readouterr().err
    assert said == f'"{path.name}": its channels cancel each other out, so the first one is used; ' + (
        "600 samples brought to 32.\n"
    )


@pytest.mark.parametrize("begins", [b"\0\0\0 ftypM4A \0\0\0\0", b"text"])
def test_a_sound_that_cannot_be_read_is_refused_in_words_about_sounds(
    begins: bytes, tiny_waves: str, tiny_recordings: str, tmp_path: Path
) -> None:
    path = tmp_path / "voice.mp3"
    path.write_bytes(begins + bytes(2000))
    for name in (tiny_waves, tiny_recordings):
        with pytest.raises(FileRefused, match=r"is M4A, .* Save it as WAV or FLAC|holds no MP3 sound that can be read"):
            arguments.open_artwork(path, models.find_model(name).card)


def test_a_picture_too_unlike_for_64_bit_numbers_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A grey square on white lies 10 to the 11 deviations from the training letters."""
    paper = np.full((32, 32), 255, np.uint8)
    generator = np.random.default_rng(101)
    row, column = generator.integers(0, 24, 2)
    side = generator.integers(4, 24)
    paper[row : row + side, column : column + side] = generator.integers(0, 220)
    Image.fromarray(paper).save(tmp_path / "square.png")
    assert cli.main(["invert", "maf-letters-32", str(tmp_path / "square.png")]) == 1
    assert (
        "(it is too unlike the training data: its latent exceeds the precision of the model)" in capsys.readouterr().out
    )
