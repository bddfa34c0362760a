"""Name the tests that start engines, compile loops, build models of the zoo or use a real screen or sound card."""

from pathlib import Path

TESTS = Path(__file__).parent
SLOW = (
    "app/engine",
    "cli",
    "density",
    "desktop",
    "engine",
    "kernels",
    "media/sounds/test_playback.py",
    "nets",
    "packaging/test_screenshots.py",
    "test_cli.py",
    "test_mutated.py",
    "test_shipped.py",
    "test_shipped_figures.py",
    "zoo",
)
"""Files and folders. A slow test in another file bears the mark itself."""

LONGEST = (
    "desktop/test_first_minutes.py",
    "test_shipped_figures.py",
    "test_shipped.py",
    "cli",
    "packaging/test_screenshots.py",
    "app/engine",
    "zoo",
    "engine",
    "test_cli.py",
    "test_mutated.py",
    "media",
)
"""Files and folders that the processes begin with, so that at the end none waits long for another."""


def is_slow(path: Path) -> bool:
    """Return whether the tests of a file are marked `slow`."""
    return any(path.is_relative_to(TESTS / name) for name in SLOW)


def place_in_run(path: Path) -> int:
    """Return the place of a file's tests in the run: small for those that take longest."""
    return next((place for place, name in enumerate(LONGEST) if path.is_relative_to(TESTS / name)), len(LONGEST))
