"""Tests the grid of Generate and Complete: its pictures are crisp, in order and described."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from studio.app.core.messages import Messages
from studio.app.core.text import group_digits
from studio.app.generation.run import Cell
from studio.app.generation.thumbnail_grid_view import Place, ThumbnailGrid, arrange_grid
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.panels.generate.grid_view import cell_description
from studio.app.widgets.theme import Theme
from tests.app.fake_engine import FakeEngine
from tests.app.window_fixtures import picture, settle, shown

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=[False, True], ids=["centred", "captioned"])
def grid(qtbot: QtBot, request: pytest.FixtureRequest) -> ThumbnailGrid:
    """Create a grid as in Generate, and one as in Complete."""
    maps = SurprisalMaps(FakeEngine(), Messages()), UncertaintyMaps()
    grid = ThumbnailGrid(Theme(), "Pictures", *maps, captioned=request.param)
    qtbot.addWidget(grid)
    return grid


def show(grid: ThumbnailGrid, count: int, width: int, height: int) -> None:
    """Show finished pictures of 32 × 32 pixels."""
    shown(grid, Theme(), width, height)
    cells = [Cell(n, picture(90, (32, 32, 3)), 1, 1) for n in range(count)]
    grid.show_places([Place(n, cell, (f"{n + 1}", "800 bits")) for n, cell in enumerate(cells)], str, 0, None)
    settle()


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
def test_the_grid_shows_its_pictures_in_order(grid: ThumbnailGrid, count: int, width: int, height: int) -> None:
    show(grid, count, width, height)
    places = [grid.visualRect(grid.model().index(row, 0)) for row in range(count)]
    assert places == sorted(places, key=lambda place: (place.y(), place.x()))
    columns, scale = arrange_grid(count, width, height, (32, 32), 12, 64, 22 if grid.captioned else 0)
    columns = width // places[0].width() if grid.captioned else columns
    assert len({place.x() for place in places}) == columns
    assert grid.cell_size().width() == 32 * scale
    room = grid.viewport().rect()
    assert all(room.contains(grid.picture_rect(place)) for place in places)


def test_a_picture_is_found_under_the_pointer_and_nothing_between_two(grid: ThumbnailGrid) -> None:
    show(grid, 7, 500, 400)
    for row in (0, 3, 6):
        place = grid.picture_rect(grid.visualRect(grid.model().index(row, 0)))
        for x, y in ((0, 0), (31, 0), (5, 31)):
            at = QPointF(place.topLeft()) + QPointF(x + 0.5, y + 0.5) * grid.scale
            assert grid.pixel_at(at) == (row, y, x)
        assert grid.pixel_at(QPointF(place.topLeft()) - QPointF(2, 2)) is None


def test_a_picture_is_described() -> None:
    made = Cell(4114, picture(), 1, 1, -5559.0)
    assert cell_description(made, 2, 24) == f"Picture 3 of 24, finished, seed {group_digits(4114)}, 8,020 bits"
    assert cell_description(Cell(5), 0, 1) == "Picture 1 of 1, waiting, seed 5"
    assert cell_description(Cell(5, picture(), 3, 9), 0, 1) == "Picture 1 of 1, step 3 of 9, seed 5"


def test_pixels_stay_squares_on_a_screen_of_one_and_a_half() -> None:
    """Check this in another process, because a screen's ratio is chosen once."""
    program = """
import numpy as np
from PySide6.QtGui import QPixmap, QPainter
from PySide6.QtWidgets import QApplication, QWidget
from studio.app.core.messages import Messages
from studio.app.generation.run import Cell
from studio.app.generation.thumbnail_grid_view import Place, ThumbnailGrid
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.widgets.theme import Theme
from tests.app.fake_engine import FakeEngine
application = QApplication([])
grid = ThumbnailGrid(Theme(), "Pictures", SurprisalMaps(FakeEngine(), Messages()), UncertaintyMaps())
grid.resize(401, 301)
grid.show()
array = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
grid.show_places([Place(number, Cell(number, array, 1, 1)) for number in range(2)], str, 0, None)
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
