"""One changed byte of a sound is noticed if its format has checksums. Otherwise nothing can notice it."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media.containers.streams import BROKEN, TORN
from studio.media.pictures.image import FileRefused
from studio.media.sounds.audio_file import open_recording

RATE = 16_000
TIME = np.arange(RATE) / RATE
WAVE = 0.4 * np.sin(2 * np.pi * (220 + 300 * TIME) * TIME) + 0.05 * np.random.default_rng(0).standard_normal(RATE)
FORMATS = {
    "FLAC": ("FLAC", "PCM_16", True),
    "Ogg Vorbis": ("OGG", "VORBIS", True),
    "Ogg Opus": ("OGG", "OPUS", True),
    "WAV": ("WAV", "PCM_16", False),
    "A-law": ("WAV", "ALAW", False),
    "AIFF": ("AIFF", "PCM_24", False),
    "CAF with ALAC": ("CAF", "ALAC_16", False),
    "AU": ("AU", "PCM_16", False),
    "MP3": ("MP3", "MPEG_LAYER_III", False),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_byte_is_noticed_if_and_only_if_the_format_has_checksums(name: str, tmp_path: Path) -> None:
    form, codec, has_checksums = FORMATS[name]
    file = io.BytesIO()
    soundfile.write(file, WAVE, RATE, format=form, subtype=codec)
    data = file.getvalue()
    path = tmp_path / "changed"
    path.write_bytes(data)
    whole = open_recording(path)
    dice = np.random.default_rng(1)
    unnoticed = 0
    for _ in range(40):
        changed = bytearray(data)
        changed[dice.integers(len(data) // 2, len(data))] ^= dice.integers(1, 256)
        path.write_bytes(changed)
        try:
            found = open_recording(path)
        except FileRefused:
            continue
        unnoticed += not np.array_equal(found.samples, whole.samples) and not {BROKEN, TORN} & {*found.notes}
    assert (unnoticed == 0) == has_checksums
