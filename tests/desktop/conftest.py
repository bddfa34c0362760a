"""Starts one screen for the tests of the real mouse, or skips them with the reason."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libraries
import pytest

from tests.desktop.screen import Screen
from tests.desktop.window import DesktopWindow


@pytest.fixture(scope="session")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """Start an X server of our own, with a window manager, a pointer and keys."""
    missing = [library.soname for library in libraries.missing_libraries(["screen", "mouse"])]
    if missing or not sys.platform.startswith("linux"):
        pytest.skip(f"There is no X server for the tests of the real mouse: {', '.join(missing)} is missing")
    screen = Screen(tmp_path_factory.mktemp("screen"))
    yield screen
    screen.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Report a screenshot and the end of the window's log if a test of the mouse fails."""
    report = yield
    screen = getattr(item, "funcargs", {}).get("screen")
    if report.failed and isinstance(screen, Screen):
        report.sections.append(("Screenshot", str(screen.screenshot(item.name) or "no program for it: imagemagick")))
        window = item.funcargs.get("window")  # type: ignore[attr-defined]
        if isinstance(window, DesktopWindow):
            report.sections.append(("Log of the window", tail(window.log)))
    return report


def tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
