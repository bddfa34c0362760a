"""Provide a sound card, every command of the terminal, and a process that runs commands in forks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.cli.forks import Forks
from tests.library.run_folders import write_run
from tests.media.sounds.conftest import recording, sound_card

__all__ = ["recording", "sound_card"]

COMMANDS = (
    "models",
    "sample",
    "invert",
    "complete",
    "grow",
    "continue",
    "score",
    "blend",
    "train",
    "runs",
    "evaluate",
    "nearest",
    "bench",
    "doctor",
)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Return a process that runs commands in forks, which have streams of their own."""
    process = Forks()
    yield process
    process.close()


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, rings: np.ndarray, tmp_path: Path) -> list[str]:
    """Return each command of the terminal, with arguments that it carries out in a moment."""
    picture = tmp_path / "é.png"
    mask = tmp_path / "mask.png"
    beep = tmp_path / "ö.wav"
    pack = tmp_path / "rings.npz"
    out = str(tmp_path / "out")
    Image.fromarray(rings[0]).save(picture)
    Image.fromarray(np.repeat(np.array([0, 255], np.uint8), 32).reshape(8, 8)).save(mask)
    soundfile.write(beep, np.sin(np.arange(1024) * 2 * np.pi / 1024), 8000)
    np.savez(pack, train_x=rings[:120], test_x=rings[120:])
    name = str(request.param)
    if name == "runs":
        write_run(request.getfixturevalue("studio_home"), "garden")
    needs = {"complete": "tiny_pixels", "grow": "tiny_materials", "continue": "tiny_recordings", "blend": "tiny_waves"}
    model = str(request.getfixturevalue(needs.get(name, "tiny")))
    arguments = {
        "models": (),
        "sample": (model, "-n", "2", "--sheet", "--out", out),
        "invert": (model, picture, "--out", out),
        "complete": (model, picture, "--mask", mask, "-n", "1", "--out", out),
        "grow": (model, picture, "--size", "9x8", "--out", out),
        "continue": (model, beep, "--seconds", "0.1", "--out", f"{out}.wav"),
        "score": (model, picture, "--map", out),
        "blend": (model, beep, "2", "--out", f"{out}.wav"),
        "train": (pack, "--name", "roses", "--family", "nice", "--size", "8", "--steps", "2"),
        "runs": (),
        "evaluate": (model, pack, "-n", "4", "--draws", "1"),
        "nearest": (model, pack, "-n", "2"),
        "bench": (model,),
        "doctor": (),
    }
    return [name, *map(str, arguments[name])]
