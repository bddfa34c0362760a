"""An enlarged picture has the chosen size, and its original is recovered."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.media import export
from studio.media.pictures.enlarging import MAX_SIDE, Enlargement, enlarge_smoothly, original_picture
from studio.media.pictures.image import fit_to_shape, open_picture

PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
ALL = [Enlargement(times, pixels, smooth) for smooth in (False, True)
       for times, pixels in ((1, 0), (4, 0), (8, 0), (16, 0), (1, 500), (1, 7))]  # fmt: skip


def saved(path: Path, picture: np.ndarray, enlargement: Enlargement) -> np.ndarray:
    """Return the pixels that other programs see in the file."""
    path.write_bytes(export.encode_png_bytes(enlargement.enlarge(picture), enlargement.png_texts(picture)))
    return np.array(Image.open(path))


@pytest.mark.parametrize(
    ("enlargement", "size"),
    [
        (Enlargement(), (24, 32)),
        (Enlargement(4), (96, 128)),
        (Enlargement(16, smooth=True), (384, 512)),
        (Enlargement(pixels=500), (360, 480)),  # squares of 15 × 15, all of one size
        (Enlargement(pixels=500, smooth=True), (375, 500)),
        (Enlargement(pixels=7), (24, 32)),
        (Enlargement(pixels=7, smooth=True), (24, 32)),
        (Enlargement(1000), (MAX_SIDE * 3 // 4, MAX_SIDE)),
    ],
)
def test_the_file_has_the_requested_size(enlargement: Enlargement, size: tuple[int, int]) -> None:
    assert enlargement.enlarged_size(24, 32) == size
    if max(size) < 1000:
        assert enlargement.enlarge(PICTURE).shape == (*size, 3)


def test_crisp_pixels_are_squares_and_smooth_ones_look_as_in_the_window(tmp_path: Path) -> None:
    crisp = saved(tmp_path / "crisp.png", PICTURE, Enlargement(4))
    np.testing.assert_array_equal(crisp, PICTURE.repeat(4, 0).repeat(4, 1))
    smooth = saved(tmp_path / "smooth.png", PICTURE, Enlargement(4, smooth=True))
    np.testing.assert_array_equal(smooth, enlarge_smoothly(PICTURE, 96, 128))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("enlargement", ALL, ids=str)
def test_every_enlarged_picture_is_recovered_byte_for_byte(
    tmp_path: Path, enlargement: Enlargement, channels: int
) -> None:
    picture = PICTURE[..., :channels]
    saved(tmp_path / "rose.png", picture, enlargement)
    opened = open_picture(tmp_path / "rose.png").array
    np.testing.assert_array_equal(fit_to_shape(opened, (channels, 24, 32)), picture)


def test_an_edited_smooth_picture_is_not_reduced_to_its_original(tmp_path: Path) -> None:
    enlargement = Enlargement(8, smooth=True)
    seen = enlargement.enlarge(PICTURE).copy()
    seen[10:20, 10:20] = (255, 0, 0)
    (tmp_path / "painted.png").write_bytes(export.encode_png_bytes(seen, enlargement.png_texts(PICTURE)))
    np.testing.assert_array_equal(open_picture(tmp_path / "painted.png").array, seen)


@pytest.mark.parametrize("text", ["", "!", "AAAA", "iVBORw0KGgo="])
def test_a_damaged_text_leaves_the_picture_as_it_is_seen(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.png").write_bytes(export.encode_png_bytes(PICTURE, {"studio_pixels": text}))
    np.testing.assert_array_equal(open_picture(tmp_path / "odd.png").array, PICTURE)


def test_a_larger_picture_inside_is_not_trusted() -> None:
    texts = Enlargement(2, smooth=True).png_texts(PICTURE)
    small = PICTURE[:8, :8]
    assert original_picture(export.encode_png_bytes(small, texts), small) is None
    with Image.open(io.BytesIO(export.encode_png_bytes(small, texts))) as image:
        assert image.size == (8, 8)
