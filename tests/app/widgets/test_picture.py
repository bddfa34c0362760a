"""A picture is crisp in whole device pixels, or smooth, and captions know its rectangle."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from studio.app.core.text import group_digits
from studio.app.files.crop_view import centred_crop
from studio.app.generation.run import Cell
from studio.app.generation.thumbnail_grid_view import arrange_grid
from studio.app.panels.generate.grid_view import GridView, cell_description
from studio.app.widgets.picture import PictureView, enlarge_smoothly, enlarged_pixmap
from studio.app.widgets.theme import Theme
from tests.app.window_fixtures import picture, settle, shown

ROOT = Path(__file__).parents[3]


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


@pytest.mark.parametrize(
    ("count", "width", "height", "columns", "scale"),
    [
        (24, 1044, 692, 6, 5),
        (16, 688, 528, 4, 3),
        (1, 1044, 692, 1, 21),
        (16, 1044, 692, 4, 5),
        (4096, 1044, 692, 13, 2),
        (3, 100, 100, 1, 2),
    ],
)
def test_a_grid_takes_the_largest_whole_multiple(count: int, width: int, height: int, columns: int, scale: int) -> None:
    assert arrange_grid(count, width, height, (32, 32), 12, 64) == (columns, scale)


@pytest.mark.parametrize(
    ("count", "width", "height"), [(24, 1044, 692), (16, 688, 520), (16, 1044, 692), (7, 500, 400)]
)
def test_the_grid_shows_its_pictures_in_order(qtbot: QtBot, count: int, width: int, height: int) -> None:
    grid = GridView(Theme())
    qtbot.addWidget(grid)
    shown(grid, Theme(), width, height)
    grid.show_cells(tuple(Cell(n, picture(90, (32, 32, 3)), 1, 1) for n in range(count)))
    settle()
    columns, scale = arrange_grid(count, width, height, (32, 32), 12, 64)
    places = [grid.visualRect(grid.model().index(row, 0)) for row in range(count)]
    assert len({place.x() for place in places}) == columns
    assert grid.cell_size().width() == 32 * scale
    room = grid.viewport().rect()
    assert all(room.contains(place.center()) for place in places)


def test_a_picture_is_described() -> None:
    made = Cell(4114, picture(), 1, 1, -5559.0)
    assert cell_description(made, 2, 24) == f"Picture 3 of 24, finished, seed {group_digits(4114)}, 8,020 bits"
    assert cell_description(Cell(5), 0, 1) == "Picture 1 of 1, waiting, seed 5"
    assert cell_description(Cell(5, picture(), 3, 9), 0, 1) == "Picture 1 of 1, step 3 of 9, seed 5"


def test_the_crop_frame_begins_in_the_middle() -> None:
    assert centred_crop(200, 100, 1.0) == pytest.approx((0.25, 0.0, 0.75, 1.0))
    assert centred_crop(100, 200, 1.0) == pytest.approx((0.0, 0.25, 1.0, 0.75))


def test_pixels_stay_squares_on_a_screen_of_one_and_a_half() -> None:
    """Check this in another process, because a screen's ratio is chosen once."""
    program = """
import numpy as np
from PySide6.QtGui import QPixmap, QPainter
from PySide6.QtWidgets import QApplication, QWidget
from studio.app.generation.run import Cell
from studio.app.panels.generate.grid_view import GridView
from studio.app.widgets.theme import Theme
application = QApplication([])
grid = GridView(Theme())
grid.resize(401, 301)
grid.show()
array = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
grid.show_cells((Cell(0, array, 1, 1), Cell(1, array, 1, 1)))
for _ in range(5):
    application.processEvents()
shot = grid.viewport().grab().toImage()
scale, found = grid.scale, 0
seen = np.array(shot.constBits()).reshape(shot.height(), shot.bytesPerLine() // 4, 4)[:, : shot.width(), 2::-1]
wanted = array.repeat(scale, 0).repeat(scale, 1)
for y in range(seen.shape[0] - wanted.shape[0]):
    for x in range(seen.shape[1] - wanted.shape[1]):
        if (seen[y, x] == wanted[0, 0]).all() and (seen[y : y + len(wanted), x : x + len(wanted)] == wanted).all():
            found += 1
print(shot.devicePixelRatio(), found)
"""
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "1.5 2", done.stderr
