"""Tests that an animated GIF shows every frame, large enough, and the last one longest."""

import io

import numpy as np
import pytest
from PIL import Image

from studio.media.pictures.animation import encode_gif_bytes


def frames_of(data: bytes) -> list[tuple[np.ndarray, int]]:
    """Return the pixels of each frame, and for how many milliseconds it is shown."""
    found = []
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info["loop"] == 0, "it plays again and again"
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            found.append((np.asarray(opened.convert("RGB")), int(opened.info["duration"])))
    return found


def test_each_frame_shows_its_pictures_side_by_side() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    frames = [np.broadcast_to(np.array(colour, np.uint8), (2, 32, 32, 3)) for colour in colours]
    found = frames_of(encode_gif_bytes(frames, 0.25))
    assert [time for _, time in found] == [250, 250, 2000]
    for (pixels, _), colour in zip(found, colours, strict=True):
        assert pixels.shape == (256, 8 * (32 + 4 + 32), 3)
        assert pixels[128, 10].tolist() == list(colour) == pixels[128, -10].tolist()
        assert pixels[128, 8 * 34].tolist() == [255, 255, 255], "between them is a gap"


def test_frames_that_are_equal_are_kept() -> None:
    same = np.full((1, 8, 8, 1), 90, np.uint8)
    found = frames_of(encode_gif_bytes([same, same, np.full((1, 8, 8, 1), 120, np.uint8)], 0.5))
    assert sum(time for _, time in found) == 500 + 500 + 2000


def test_a_film_has_a_frame() -> None:
    with pytest.raises(ValueError, match="one frame"):
        encode_gif_bytes([], 0.25)
