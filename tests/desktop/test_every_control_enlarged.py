"""Every button, menu entry, slider, list row and lane is dragged, right-clicked and clicked with text at 200 %."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.scenes import touch_everything
from tests.desktop.screen import LONG, Screen
from tests.desktop.window import DesktopWindow

pytestmark = LONG


@pytest.fixture
def window(screen: Screen, tmp_path: Path) -> Iterator[DesktopWindow]:
    window = DesktopWindow(screen, tmp_path / "home", (1440, 900), {"preferences": {"text_size": 200}})
    yield window
    window.kill()


def test_each_control_reacts_to_the_pointer(window: DesktopWindow) -> None:
    touch_everything(window, drawer=True)
