"""Every button, menu entry, slider, list row and lane is dragged, pressed with the right button and clicked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.desktop.scenes import Scenes
from tests.desktop.screen import Screen
from tests.desktop.touching import Touching
from tests.desktop.window import DesktopWindow

SIZES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "1024 x 700": ((1024, 700), {}),
    "1440 x 900": ((1440, 900), {}),
    "200 %": ((1440, 900), {"layout": {"text": 200}}),
}
"""Of the window; and with text of twice the size, where the inspector is a drawer over the stage."""
LEAST = 150
"""Parts that are there at any size: fewer would mean that they were not found."""
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def window(size: str, screen: Screen, tmp_path: Path) -> Iterator[DesktopWindow]:
    window = DesktopWindow(screen, tmp_path / "home", *SIZES[size])
    yield window
    window.kill()


def test_each_control_does_what_a_hand_asks_of_it(size: str, window: DesktopWindow, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)).save(photo)
    scenes, touching = Scenes(window, photo), Touching(window)
    for scene in scenes.all:
        touching.scene(scene)
        if size == "200 %":
            touching.scene(scenes.shut(scene))
    assert not touching.problems, "\n".join(touching.problems)
    assert len(touching.touched) > LEAST, touching.touched
