"""The pictures of ../shared/cases open with their colours and with true notes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.media.pictures.image import OpenedPicture, open_picture

CORNERS = [(220, 40, 40), (40, 200, 60), (50, 60, 210), (230, 220, 60)]
REDS = [(red, red, red) for red, _, _ in CORNERS]
"""The corners of the scene of ../shared/cases, in colour and as the greys of files with one channel."""
LEFT_OUT = "could not be read and was left out"


@pytest.mark.parametrize(
    ("name", "corners", "told", "untold"),
    [
        ("rgb16_planar.tif", CORNERS, "16 bits a colour were rounded to 8", ""),
        ("rgb8_planar.tif", CORNERS, "", ""),
        ("rgb16.tif", CORNERS, "16 bits a colour were rounded to 8", ""),
        ("rgb16_be.tif", CORNERS, "16 bits a colour were rounded to 8", ""),
        ("rgba16.tif", CORNERS, "16 bits a colour were rounded to 8", "transparency"),
        ("grey16_inverted.tif", REDS, "16 bits", ""),
        ("grey8_inverted.tif", REDS, "", ""),
        ("grey_u32.tif", REDS, "32 bits a colour were rounded to 8", "spread"),
        ("rgb_f32.tif", CORNERS, "32 bits", ""),
        ("grey_f16.tif", REDS, "16 bits", ""),
        ("grey_f32.tif", REDS, "32 bits", ""),
        ("grey_f64.tif", REDS, "64 bits", ""),
        ("grey_alpha16.tif", REDS, "16 bits", "transparency"),
        ("grey16s.tif", [(242,) * 3, (0,) * 3, (13,) * 3, (255,) * 3], "from -1,000 to 18,000 were spread", ""),
        ("grey16_12bit_microscope.tif", [(14,) * 3, (2,) * 3, (3,) * 3, (14,) * 3], "only 1 % to 6 % of its range", ""),
        ("five_channels.tif", CORNERS, "extra channels were left out", "transparency"),
        ("gamma_linear.png", [(188, 188, 188)] * 4, "its gamma was converted to sRGB", ""),
        ("gamma_srgb.png", [(128, 128, 128)] * 4, "", "gamma"),
        ("icc_grey_la.png", REDS, "its colour profile was converted to sRGB", LEFT_OUT),
        ("icc_grey.png", REDS, "its colour profile was converted to sRGB", LEFT_OUT),
        ("icc_grey_on_rgb.png", CORNERS, "its colour profile is for other colours and was left out", ""),
        ("icc_bomb.png", CORNERS, LEFT_OUT, ""),
        ("cicp_pq.png", CORNERS, "its HDR colours were taken as sRGB", ""),
        ("bad_crc_text.png", CORNERS, "", "damaged"),
        ("text_bomb.png", CORNERS, "", ""),
        ("bad_crc_idat.png", CORNERS, "a checksum in it is wrong, but its pixels are whole", ""),
        ("phone.mpo", CORNERS, "only the first of its pictures is used", ""),
    ],
)
def test_rows_of_the_cases_open_with_their_colours_and_true_notes(
    cases: Path, name: str, corners: list[tuple[int, int, int]], told: str, untold: str
) -> None:
    picture = open_picture(cases / "pictures" / name)
    height, width = picture.array.shape[:2]
    for (y, x), colour in zip(((0, 0), (0, -1), (-1, 0), (-1, -1)), corners, strict=True):
        np.testing.assert_allclose(picture.array[y, x].astype(int), colour, atol=1, err_msg=f"{y}, {x}")
    assert (height, width) == (48, 64)
    notes = "; ".join(picture.notes)
    assert told in notes
    assert not untold or untold not in notes
    assert bool(notes) == bool(told)


def opened(folder: Path, values: np.ndarray) -> OpenedPicture:
    """Open values that Pillow keeps as a TIFF."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    (folder / "cell.tif").write_bytes(buffer.getvalue())
    return open_picture(folder / "cell.tif")


def test_a_picture_that_uses_little_of_its_range_can_be_stretched(cases: Path, tmp_path: Path) -> None:
    picture = open_picture(cases / "pictures" / "grey16_12bit_microscope.tif")
    assert picture.stretched is not None
    np.testing.assert_array_equal(picture.stretched[[0, 0, -1, -1], [0, -1, 0, -1], 0], [242, 0, 13, 255])
    for narrow in (
        np.array([[0, 100, 200]], np.uint16),
        np.array([[30000, 31000, 32000]], np.uint16),
        np.array([[0.1, 0.2, 0.3]], np.float32),
    ):
        found = opened(tmp_path, narrow)
        assert found.stretched is not None
        np.testing.assert_allclose(found.stretched[0, :, 1].astype(int), [0, 128, 255], atol=1)
        assert any("of its range" in note for note in found.notes)
    for whole in (np.array([[0, 40000]], np.uint16), np.array([[7, 7]], np.uint16), np.array([[5, 9]], np.uint8)):
        found = opened(tmp_path, whole)
        assert found.stretched is None
        assert not any("of its range" in note for note in found.notes)
