"""The window is on the screen before its engine starts, and closes in good order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.library import storage
from tests.app.fake_model import make_card, write_model
from tests.limits import LIMIT

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from PySide6.QtWidgets import QApplication
from studio.app.main import assemble
application = QApplication(["studio"])
studio = assemble(application, [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"])
painted = []
studio.window.painted.connect(lambda: painted.append(True))
started_early = bool(studio.engine.process_id)
studio.window.show()
while not painted:
    application.processEvents()
print(started_early, sorted({"torch", "pyqtgraph", "numba"} & set(sys.modules)))
studio.close_window()
"""


def test_the_window_is_shown_before_its_engine_and_without_torch(studio_home: Path) -> None:
    """Check what keeps the first second short.

    The seconds themselves are measured by tests/benchmarks/dragging.py.
    """
    write_model(studio_home / "models", make_card())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert done.stdout.split(maxsplit=1) == ["False", "[]\n"], done.stdout


SECOND = """
import sys
from PySide6.QtWidgets import QApplication
from studio.app.main import assemble
studio = assemble(QApplication(["studio"]), [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"])
said = studio.state.messages.current.get()
print(said.text.partition(".")[0] if said is not None else "")
studio.close_window()
"""


def test_the_second_window_says_that_there_is_another_and_writes_no_settings(studio_home: Path) -> None:
    write_model(studio_home / "models", make_card())
    first = storage.lock_file(studio_home / "data" / "window.lock")
    assert first is not None
    for held in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", SECOND], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True
        )
        assert done.stdout.strip() == ("Another window of Latent Studio is open" if held else "")
        assert (studio_home / "config" / "settings.json").exists() != held
        if held:
            os.close(first)


FAULTY = """
import sys
from PySide6.QtCore import QTimer
from studio.app import main
assemble = main.assemble
def planted():
    raise ValueError("planted")
def faulty(application, program=None):
    studio = assemble(application, [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"])
    def print_message(message):
        if message is not None:
            print(message.text.partition(".")[0])
            QTimer.singleShot(0, studio.window.close)
    studio.state.messages.current.changed.connect(print_message)
    studio.window.painted.connect(planted)
    return studio
main.assemble = faulty
sys.exit(main.main([]))
"""


def test_an_exception_is_logged_and_shown_and_the_window_continues(studio_home: Path) -> None:
    write_model(studio_home / "models", make_card())
    done = subprocess.run(
        [sys.executable, "-c", FAULTY], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert done.stdout.strip() == "Something went wrong inside the window"
    assert "ValueError: planted" in (studio_home / "log" / "window.log").read_text("utf-8")
    assert "ValueError: planted" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_closes_the_window_and_its_engine(studio_home: Path) -> None:
    write_model(studio_home / "models", make_card())
    window = subprocess.Popen([sys.executable, "-m", "studio"], cwd=ROOT, start_new_session=True)
    try:
        settings = studio_home / "config" / "settings.json"
        end = time.monotonic() + LIMIT
        while not settings.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert settings.exists()
        window.send_signal(signal.SIGTERM)
        assert window.wait(LIMIT) == 0
    finally:
        window.kill()
    with pytest.raises(ProcessLookupError):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:  # the engine's process ends with its group
            os.killpg(window.pid, 0)
            time.sleep(0.05)
