"""The format of a sound file is recognised."""

import io

import numpy as np
import pytest
import soundfile

from studio.media.containers.recognition import BEGINNING, recognise_format


@pytest.mark.parametrize(
    ("form", "name"), [("WAV", "WAV"), ("RF64", "WAV"), ("FLAC", "FLAC"), ("OGG", "Ogg"), ("MP3", "MP3"),
                       ("AIFF", "AIFF"), ("CAF", "CAF")],
)  # fmt: skip
def test_readable_formats_are_recognised_by_their_bytes_under_any_name(form: str, name: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(np.arange(8000) / 9), 8000, format=form)
    found = recognise_format(file.getvalue()[:BEGINNING], ".m4a")
    assert found is not None and (found.name, found.can_be_read) == (name, True)


@pytest.mark.parametrize(
    ("begins", "ending"),
    [
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ".jpg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", ".webp"),
        (b"\0\0\0 ftypheic\0\0\0\0", ".heic"),
        (b"\0\0\0 ftypavif\0\0\0\0", ".avif"),
        (b"hello", ".txt"),
        (b"", ""),
    ],
)
def test_a_file_that_is_not_a_sound_is_not_recognised(begins: bytes, ending: str) -> None:
    assert recognise_format(begins, ending) is None


def test_a_format_unknown_by_bytes_is_recognised_by_name() -> None:
    found = recognise_format(b"what is this", ".MP3")
    assert found is not None and (found.name, found.can_be_read, found.description) == ("MP3", True, "a sound (MP3)")
