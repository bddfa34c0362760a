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


def is_slow(path: Path) -> bool:
    """Return whether the tests of a file are marked `slow`."""
    return any(path.is_relative_to(TESTS / name) for name in SLOW)
