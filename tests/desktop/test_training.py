"""Trains models on two dropped folders by a real pointer, one after the other, and plays with the first meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.desktop.screen import Screen
from tests.desktop.window import COMPILES, DesktopWindow

pytestmark = pytest.mark.timeout(1800)
LEARNS = 2 * COMPILES
"""Seconds to wait for a second engine that loads, examines a folder and tries a few steps on a busy machine."""


@pytest.fixture
def window(screen: Screen, tmp_path: Path) -> Iterator[DesktopWindow]:
    """Open a window with nothing in its folders."""
    window = DesktopWindow(screen, tmp_path / "home", (1440, 900))
    window.ask("report")  # leave the start of the window out of the measurement
    yield window
    assert window.close() == 0


def _pictures(folder: Path) -> Path:
    """Make a folder of pictures of one colour each, with a brighter spot."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(24):
        picture = np.broadcast_to(generator.integers(0, 200, 3), (40, 40, 3)).astype(np.uint8).copy()
        picture[8:24, 8:24] += 50
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def _press(window: DesktopWindow, name: str) -> None:
    """Click a button, and not something else whose name begins with the same word."""
    window.click(window.find(name, among="Button"))


def _wait(window: DesktopWindow, phase: str) -> None:
    window.until(lambda: window.value("train.run.phase") == phase, f"The phase {phase}", LEARNS)


def test_two_folders_are_learned_one_after_the_other(window: DesktopWindow, tmp_path: Path) -> None:
    middle = (600, 400)
    window.screen.drop(_pictures(tmp_path / "spots"), middle)  # the first action
    window.until(lambda: window.value("panel") == "train", "The panel")
    window.settle()
    _press(window, "Start")  # the second: from a folder to a training in fewer than three
    _wait(window, "running")
    window.until(lambda: window.value("train.run.samples"), "The first samples", LEARNS)

    window.screen.drop(_pictures(tmp_path / "more"), middle)
    window.until(lambda: window.value("train.folder.source").endswith("more"), "The other folder")
    window.settle()
    window.until(lambda: window.sees("Add to queue", among="Button"), "The button")
    _press(window, "Add to queue")
    window.until(lambda: len(window.value("train.queue.waiting")) == 1, "The queue", LEARNS)
    window.until(lambda: window.sees("Next: More"), "The queue below the inspector")
    window.click("Show it")

    _press(window, "Pause")
    _wait(window, "paused")
    assert len(window.value("train.queue.waiting")) == 1, "a pause also holds the queue"
    _press(window, "Resume")
    _wait(window, "running")
    _press(window, "Open in Explore")
    window.until(lambda: window.value("explore.model.card.title") == "Spots", "The newest weights", LEARNS)
    window.wait_for_drawing()
    assert window.value("explore.render.picture") is not None
    window.open_panel("Train")
    _press(window, "Stop and keep")
    window.until(lambda: window.value("train.run.shown.title") == "More", "The next training", LEARNS)
    _wait(window, "running")
    assert not window.value("train.queue.waiting")
    _press(window, "Stop and keep")
    _wait(window, "finished")
    assert window.value("train.run.fault") == ""
    window.check("two trainings")
