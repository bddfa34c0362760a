"""A picture is crisp in whole device pixels, or smooth, and captions know its rectangle."""

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from studio.app.files.crop_view import centred_crop
from studio.app.widgets.picture import PictureView, enlarge_smoothly, enlarged_pixmap
from studio.app.widgets.theme import Theme
from tests.app.window_fixtures import picture, settle, shown


def test_every_pixel_is_a_square_of_whole_pixels(qtbot: QtBot) -> None:
    view = PictureView(Theme(), "Picture")
    qtbot.addWidget(view)
    shown(view, Theme(), 333, 217)
    array = np.random.default_rng(1).integers(0, 255, (8, 10, 3), dtype=np.uint8)
    view.show_picture(array)
    settle()
    place = view.shown_rect()
    scale = view.pixel_size()
    assert scale == 27
    assert (place.width(), place.height()) == (270, 216)
    seen = view.grab().toImage()
    for y, x in ((0, 0), (3, 7), (7, 9)):
        for dy, dx in ((0, 0), (26, 26)):
            colour = seen.pixelColor(place.x() + x * scale + dx, place.y() + y * scale + dy)
            assert (colour.red(), colour.green(), colour.blue()) == tuple(array[y, x])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("times", [1, 3, 11])
def test_every_pixel_of_a_grid_is_a_square_too(qtbot: QtBot, channels: int, times: int) -> None:
    array = np.random.default_rng(1).integers(0, 255, (7, 10, channels), dtype=np.uint8)
    seen = enlarged_pixmap(array, 7 * times, 10 * times).toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(seen.constBits(), np.uint8).reshape(7 * times, seen.bytesPerLine())[:, : 30 * times]
    expected = np.broadcast_to(array, (7, 10, 3)).repeat(times, 0).repeat(times, 1)
    assert np.array_equal(rows.reshape(expected.shape), expected)


def test_grey_pictures_are_grey(qtbot: QtBot) -> None:
    view = PictureView(Theme(), "Picture")
    qtbot.addWidget(view)
    shown(view, Theme(), 100, 100)
    view.show_picture(picture(77, (5, 5, 1)))
    centre = view.grab().toImage().pixelColor(50, 50)
    assert (centre.red(), centre.green(), centre.blue()) == (77, 77, 77)


def test_smooth_keeps_flat_colours_and_blends_between_two() -> None:
    flat = enlarge_smoothly(picture(120, (4, 4, 3)), 40, 40)
    assert flat.shape == (40, 40, 3)
    assert np.unique(flat).tolist() == [120]
    step = np.zeros((1, 4, 1), np.uint8)
    step[:, 2:] = 200
    row = enlarge_smoothly(step, 8, 32)[0, :, 0]
    assert row[15] < 100 < row[16]
    assert row[0] == 0
    assert row[-1] == 200


def test_zoom_changes_by_whole_multiples_and_resets(qtbot: QtBot) -> None:
    view = PictureView(Theme(), "Picture")
    qtbot.addWidget(view)
    shown(view, Theme(), 100, 100)
    view.show_picture(picture())
    assert view.pixel_size() == 12
    view.zoom(1)
    assert view.pixel_size() == 13
    view.zoom(-30)
    assert view.pixel_size() == 1
    view.zoom(0)
    assert view.pixel_size() == 12


def test_the_crop_frame_begins_in_the_middle() -> None:
    assert centred_crop(200, 100, 1.0) == pytest.approx((0.25, 0.0, 0.75, 1.0))
    assert centred_crop(100, 200, 1.0) == pytest.approx((0.0, 0.25, 1.0, 0.75))
