"""The window ignores what the headers of dropped sounds claim."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.app.files import drops
from studio.app.files.opening import read_file
from studio.media.pictures.image import FileRefused
from studio.media.sounds.single_cycle import OpenedWave
from tests.media.containers.writers import wav

CYCLE = np.rint(9000 * np.sin(2 * np.pi * np.arange(600) / 600)).astype("<i2")
LONG = np.rint(9000 * np.sin(np.arange(30_001) / 9)).astype("<i2")


@pytest.mark.parametrize("length", [None, 0, 2**31 - 1, 2**32 - 1, 100])
def test_a_cycle_and_a_recording_are_distinguished_by_their_samples(length: int | None, tmp_path: Path) -> None:
    (tmp_path / "cycle.wav").write_bytes(wav(length, body=CYCLE.tobytes()))
    (tmp_path / "long.wav").write_bytes(wav(length, body=LONG.tobytes()))
    assert drops.file_kind([tmp_path / "cycle.wav"]) == "wave"
    assert drops.file_kind([tmp_path / "long.wav"]) == "recording"


@pytest.mark.parametrize("form", ["WAV", "RF64", "FLAC", "AIFF", "CAF", "AU", "W64"])
def test_a_cycle_is_opened_in_explore_from_any_file_format(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"cycle.{form.lower()}"
    soundfile.write(path, CYCLE, 44_100, format=form)
    assert drops.file_kind([path]) == "wave"
    opened = read_file(path, 256).picture
    assert isinstance(opened, OpenedWave) and opened.array.shape == (256,)
    soundfile.write(path, LONG, 44_100, format=form)
    assert drops.file_kind([path]) == "recording"


@pytest.mark.parametrize("name", ["voice.m4a", "broken.mp3"])
def test_the_message_about_an_unreadable_sound_is_about_sounds(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0 ftypM4A " + bytes(2000) if name == "voice.m4a" else bytes(2000))
    with pytest.raises(FileRefused) as refusal:
        read_file(tmp_path / name, 256)
    assert "picture" not in str(refusal.value) and "PNG" not in str(refusal.value)
    assert refusal.value.reason in ("is M4A, which cannot be read here", "holds no MP3 sound that can be read")
