"""An uncaught exception is logged and shown once, and the window continues."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt, QTimer, qInstallMessageHandler, qWarning
from PySide6.QtGui import QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from studio.app import fault_log
from studio.app.app_state import FAULT_TEXT, window_log_path
from studio.app.core import guard
from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.fault_log import FaultLog
from studio.library.work import Work
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, settle

LEFT = Qt.MouseButton.LeftButton
PANELS = ("generate", "explore", "complete", "sound", "train")


class Faulty:
    """Holds a window whose faults are logged, and what would have been printed."""

    def __init__(self, studio: OpenedWindow, uncaught: list[Any]) -> None:
        self.studio = studio
        self.uncaught = uncaught
        self.messages: list[str] = []
        studio.state.messages.current.changed.connect(self._note_message)

    def _note_message(self, message: Any) -> None:
        if message is not None and message.text == FAULT_TEXT:
            self.messages.append(message.text)

    @property
    def log(self) -> str:
        return window_log_path().read_text("utf-8") if window_log_path().exists() else ""


@pytest.fixture
def faulty(
    window_opener: WindowOpener, two_models: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Faulty]:
    """Open a window whose faults are logged.

    pytest-qt fails a test for an exception in Qt's loop, unless the test captures it; the log passes it on.
    """
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    write_model(two_models, make_card("hum", (16_000,), family=("wavenet", "WaveNet"), rate=16_000))
    studio = window_opener()
    studio.start_engine()
    monkeypatch.setattr(guard, "_last_reports", {})
    with qtbot.capture_exceptions() as uncaught:
        faults = FaultLog()
        faults.install_hooks()
        faults.fault_logged.connect(studio.state.show_fault, Qt.ConnectionType.QueuedConnection)
        yield Faulty(studio, uncaught)
        faults.remove_hooks()


def burst(*_: object) -> None:
    raise ValueError("a fault that a test planted")


def press_main(studio: OpenedWindow, panel: str) -> None:
    """Return the button that a user presses first in a panel."""
    state = studio.state
    frame = studio.window
    if panel == "complete" and state.complete.canvas.picture.get() is None:
        state.complete.canvas.open_work(Artwork(picture(200), Work(model="rows", model_hash="", seed=4)))
        state.complete.canvas.brush.start_stroke((1.5, 1.5))
        state.complete.canvas.brush.end_stroke()
    state.show_panel(panel)
    settle()
    part: Any = frame.panels[panel]
    button = {
        "generate": lambda: part.foot.main_button, "complete": lambda: part.foot.main_button,
        "explore": lambda: part.inspector.parameters.seed.dice, "sound": lambda: part.stage.begin,
    }[panel]()  # fmt: skip
    QTest.mouseClick(button, LEFT)
    settle()


@pytest.mark.parametrize("panel", PANELS[:4])  # the first button of Train opens a dialog and asks the engine nothing
def test_a_button_that_raises_is_logged_and_reported_once(
    faulty: Faulty, panel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = faulty.studio
    monkeypatch.setattr(studio.engine, "send", burst)
    press_main(studio, panel)
    assert len(faulty.uncaught) == 1
    assert "ValueError: a fault that a test planted" in faulty.log
    assert faulty.messages == [FAULT_TEXT]
    assert studio.window.message.isVisible()
    assert studio.window.message.buttons[0].text() == "Show the log"
    press_main(studio, panel)
    assert faulty.messages == [FAULT_TEXT], "the same fault is not reported again"
    monkeypatch.undo()
    for other in PANELS:
        studio.state.show_panel(other)
        settle()
        assert studio.window.panels[other].stage.isVisible()


class Surface(QWidget):
    """Raises an exception whenever it is painted."""

    @guard.guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        burst()


class Dying:
    """Raises an exception when it is garbage-collected."""

    def __del__(self) -> None:
        burst()


def paint(studio: OpenedWindow) -> None:
    surface = Surface(studio.window)
    surface.resize(50, 50)
    surface.show()


def fail_beside(studio: OpenedWindow) -> None:
    def then(outcome: object) -> None:
        assert isinstance(outcome, ValueError)
        raise outcome

    BackgroundTask(studio.window).run(burst, then)


DOORS: dict[str, Callable[[OpenedWindow], object]] = {
    "a timer": lambda studio: QTimer.singleShot(0, studio.window, burst),
    "a painter": paint,
    "work beside the window": fail_beside,
    "a value that changed": lambda studio: (
        studio.state.smoothing.smooth.changed.connect(burst) and studio.state.smoothing.smooth.set(True)
    ),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("panel", PANELS)
def test_every_uncaught_exception_is_logged_and_reported(faulty: Faulty, panel: str, door: str, qtbot: QtBot) -> None:
    faulty.studio.state.show_panel(panel)
    DOORS[door](faulty.studio)
    qtbot.waitUntil(lambda: bool(faulty.messages))
    assert faulty.messages == [FAULT_TEXT]
    assert faulty.log.count("ValueError: a fault that a test planted") == 1
    assert faulty.uncaught


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_of_a_thread_is_reported_in_the_window(
    faulty: Faulty, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = threading.Thread(target=burst, name="reader")
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: faulty.messages == [FAULT_TEXT])
    assert "Uncaught exception in reader" in faulty.log


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_that_nobody_can_catch_is_reported_in_the_window(faulty: Faulty, qtbot: QtBot) -> None:
    dying = Dying()
    del dying
    qtbot.waitUntil(lambda: faulty.messages == [FAULT_TEXT])
    assert "Dying.__del__" in faulty.log


def test_a_repeated_fault_is_counted_and_does_not_fill_the_log(faulty: Faulty, qtbot: QtBot) -> None:
    timer = QTimer(faulty.studio.window)
    timer.timeout.connect(burst)
    timer.start(0)
    qtbot.waitUntil(lambda: "10 times so far" in faulty.log)
    timer.stop()
    assert faulty.log.count("Traceback") == 1
    assert faulty.messages == [FAULT_TEXT]


def test_a_qt_warning_is_logged_and_not_reported(faulty: Faulty, qtlog: Any) -> None:
    with qtlog.disabled():
        messages: list[str] = []
        before = qInstallMessageHandler(lambda level, context, text: messages.append(text))
        faults = FaultLog()
        faults.install_hooks()
        qWarning("QSlider: 3 is out of range")
        qWarning("QSlider: 4 is out of range")
        faults.remove_hooks()
        qInstallMessageHandler(before)
    settle()
    assert messages == ["QSlider: 3 is out of range", "QSlider: 4 is out of range"]
    assert faulty.log.count("Qt warning: QSlider") == 1
    assert faulty.messages == []


def test_the_log_is_bounded_and_the_one_before_is_kept(faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_log, "MAX_SIZE", 4000)
    for number in range(40):
        try:
            exec(compile("\n" * number + f"raise ValueError({number})", "planted", "exec"))
        except ValueError as fault:
            sys.excepthook(type(fault), fault, fault.__traceback__)
    folder = window_log_path().parent
    assert sorted(path.name for path in folder.iterdir()) == ["window.log", "window.old.log"]
    assert all(path.stat().st_size <= 4000 for path in folder.iterdir())
    assert "ValueError: 39" in faulty.log


def test_doctor_shows_where_the_log_is(faulty: Faulty) -> None:
    frame = faulty.studio.window
    revealed = []
    faulty.studio.state.messages.reveal_requested.disconnect(frame.dialogs.show_in_folder)
    faulty.studio.state.messages.reveal_requested.connect(revealed.append)
    frame.toggle_page("engine")
    assert frame.engine.log.text() == str(window_log_path())
    QTest.mouseClick(frame.engine.show_log, LEFT)
    assert revealed == [window_log_path()]
