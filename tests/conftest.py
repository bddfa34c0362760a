"""What holds for every test: no screen, no folder of the person's, one application object."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports Qt. Whoever wants to watch sets QT_QPA_PLATFORM=xcb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("STUDIO_HOME", None)

# One thread for torch, here and in every engine a test starts: on a busy machine of two processors small
# tensors wait longest for the second.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
WINDOW_TESTS = ROOT / "tests" / "app"


@pytest.fixture(autouse=True)
def studio_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for all of the person's folders, here and in every process a test starts."""
    home = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def one_application(request: pytest.FixtureRequest) -> Iterator[None]:
    """A process has one application object for ever, and a QCoreApplication can't become a QApplication.

    So every test of the window, whichever comes first in random order, gets pytest-qt's QApplication.
    """
    if WINDOW_TESTS in request.path.parents:
        request.getfixturevalue("qapp")
    yield
