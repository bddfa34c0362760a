"""A random walk with pointer and keys over everything in the window loses nothing."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.screen import LONG, Screen
from tests.desktop.window import DesktopWindow, Part, Spot

EVENTS = int(os.environ.get("STUDIO_WALK_EVENTS", "2000"))
SEEDS = [int(seed) for seed in os.environ.get("STUDIO_WALK_SEEDS", "1").split(",")]
"""Seeds of the walks: `STUDIO_WALK_SEEDS=1,2,3,4,5` makes five."""
KEYS = (
    "Tab", "Tab", "shift+Tab", "Return", "space", "Escape", "Left", "Right", "Up", "Down", "Home", "End", "Prior",
    "Next", "ctrl+z", "ctrl+shift+z", "ctrl+s", "ctrl+1", "ctrl+2", "ctrl+3", "ctrl+4", "ctrl+Return", "shift+Escape",
    "ctrl+t", "ctrl+i", "ctrl+j", "ctrl+k", "ctrl+l", "F1", "F6", "ctrl+plus", "ctrl+0", "ctrl+e", "ctrl+o",
    "ctrl+shift+x", "ctrl+shift+c", "Delete", "F2", *"abcdefghijklmnopqrstuvwxyz0123456789", "comma", "period", "minus",
)  # fmt: skip
pytestmark = LONG


@pytest.fixture
def window(screen: Screen, tmp_path: Path) -> Iterator[DesktopWindow]:
    window = DesktopWindow(screen, tmp_path / "home", (1440, 900))
    yield window
    window.kill()


class Walk:
    """Makes random events, most of them on the visible parts of the window."""

    def __init__(self, window: DesktopWindow, seed: int) -> None:
        self._window = window
        self._draw = random.Random(seed)
        self._parts: list[Part] = []
        self.events = 0
        self.done = list[str]()

    def step(self) -> None:
        """Make one to six events."""
        window = self._window
        draw = self._draw
        self._parts = [part for part in window.parts() if part["place"]]
        opened = window.ask("open")
        if "QFileDialog" in opened or (opened and draw.random() < 0.3):
            self._note("Escape")
            window.key("Escape")
            return
        draw.choices((self._click, self._drag, self._turn, self._strike), (45, 20, 10, 25))[0]()

    def _click(self) -> None:
        at = self._place()
        button = self._draw.choices((1, 3, 2), (80, 17, 3))[0]
        times = 2 if button == 1 and self._draw.random() < 0.1 else 1
        self._note(f"button {button} {times} times at {at}", 1 + times)
        self._window.click(at, button, times)

    def _drag(self) -> None:
        way = [self._place(), *(self._near() for _ in range(self._draw.randint(1, 3)))]
        self._note(f"drag {way}", 2 + len(way))
        self._window.drag(way[0], *way[1:])

    def _turn(self) -> None:
        at = self._place()
        turns = self._draw.choice((-3, -1, 1, 3))
        self._note(f"wheel {turns} at {at}", 1 + abs(turns))
        self._window.move(at)
        self._window.wheel(turns)

    def _strike(self) -> None:
        key = self._draw.choice(KEYS)
        self._note(key)
        self._window.key(key)

    def _place(self) -> Spot:
        """Return a random position on a visible part, or anywhere in the window."""
        if self._parts and self._draw.random() < 0.85:
            left, top, width, height = self._draw.choice(self._parts)["place"]
            return left + self._draw.randrange(max(1, width)), top + self._draw.randrange(max(1, height))
        return self._near()

    def _near(self) -> Spot:
        width, height = self._window.size
        return self._draw.randrange(4, width - 4), self._draw.randrange(40, height - 4)

    def _note(self, words: str, events: int = 1) -> None:
        self.events += events
        self.done.append(words)


def takes_of(window: DesktopWindow) -> set[str]:
    return {take["name"] for take in window.value("takes.takes")}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_walk_at_random_ends_without_a_fault_a_hang_or_a_lost_take(window: DesktopWindow, seed: int) -> None:
    window.open_panel("Explore")
    window.choose_model("Stickers")
    window.click("New start")
    window.wait_for_drawing()
    window.key("ctrl+s")
    kept = takes_of(window)
    assert kept
    window.ask("report")  # leave the first paint of the window out of the measurement
    walk = Walk(window, seed)
    try:
        while walk.events < EVENTS:
            walk.step()
            window.check("the last event")
            kept |= takes_of(window)
    except BaseException as fault:
        fault.add_note(f"{walk.events} events, the last of them {walk.done[-12:]}")
        raise
    window.rest()
    there = takes_of(window)
    assert window.close() == 0
    files = [file.name for file in window.home.rglob("*") if file.is_file()]
    lost = [name for name in kept if not any(file.endswith(name) for file in files)]
    assert not lost, "what was undone or pruned lies in the bin, all else on the shelf"
    window.start()
    window.until(lambda: takes_of(window) == there, "The takes of before")
