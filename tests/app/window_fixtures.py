"""Opens the real window on a fake engine, with two models in the user's folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.autosave import SettingsFile
from studio.app.widgets.style_sheet import make_style_sheet
from studio.app.widgets.theme import Theme
from studio.app.window.main_window import MainWindow
from studio.wire.messages import Array, Decoded, Encoded, Finished, PicturesPreview, Ready, Sample
from studio.wire.messages import DecodeLatent as Asked
from tests.app.fake_engine import FakeEngine
from tests.app.fake_speaker import FakeSpeaker


@dataclass
class OpenedWindow:
    """Holds a window, its state, and the fake engine."""

    engine: FakeEngine
    state: AppState
    theme: Theme
    window: MainWindow

    def start_engine(self) -> None:
        self.engine.status_changed.emit("Ready")
        self.engine.emit_events(Ready(device="Processor, 2 threads"))

    def draw_pictures(self, done: int = 1, total: int = 1, colour: int = 90) -> None:
        """Answer the newest batch. It is finished if done == total."""
        command = next(c for c in reversed(self.engine.sent) if isinstance(c, Sample))
        pictures = np.full((len(command.seeds), 8, 8, 3), colour, np.uint8)
        prices = tuple(-1000.0 for _ in command.seeds) if done == total else None
        self.engine.emit_events(
            PicturesPreview(job=command.job, first=0, pictures=pictures, done=done, total=total, log_prob=prices)
        )
        if done == total:
            self.engine.emit_events(Finished(job=command.job))

    def answer_explore(self, colour: int = 90) -> None:
        """Answer the newest question of Explore."""
        command = next(c for c in reversed(self.engine.sent) if isinstance(c, Asked))
        self.engine.emit_events(
            Decoded(job=command.job, picture=np.full((8, 8, 3), colour, np.uint8)), Finished(job=command.job)
        )

    def answer_encoding(self, differing: int = 0, farthest: float = 0.0) -> None:
        """Answer the newest encoding. `farthest`: how many deviations the latent lies away from the middle."""
        job = self.engine.sent[-1].job
        latent = np.zeros((3, 8, 8), np.float32)
        latent[0, 0, 0] = -farthest
        figures = {
            "differing": differing,
            "total": 192,
            "largest_difference": min(1, differing),
            "bits": 500.0,
            "is_bound": False,
        }
        self.engine.emit_events(Encoded(job=job, latent=latent, exact=not differing, **figures), Finished(job=job))


WindowOpener = Callable[..., OpenedWindow]


@pytest.fixture
def window_opener(qtbot: QtBot) -> Iterator[WindowOpener]:
    """Open the window as it was left, and close the one before."""
    opened: list[OpenedWindow] = []

    def close() -> None:
        for studio in opened:
            studio.window.close()
            studio.state.close()
            studio.window.deleteLater()
        opened.clear()

    def open_studio(resize: bool = True) -> OpenedWindow:
        close()
        engine = FakeEngine()
        state = AppState(engine, SettingsFile(), FakeSpeaker())
        state.start()
        look = Theme()
        frame = MainWindow(look, state)
        opened.append(OpenedWindow(engine, state, look, frame))
        if resize:
            frame.resize(1440, 900)
        frame.show()
        qtbot.waitExposed(frame)
        settle()
        return opened[-1]

    yield open_studio
    close()


@pytest.fixture
def studio(window_opener: WindowOpener) -> OpenedWindow:
    return window_opener()


def settle() -> None:
    """Handle all events that are due."""
    for _ in range(4):
        QApplication.processEvents()


def shown(widget: QWidget, theme: Theme, width: int, height: int) -> None:
    """Show a widget alone, styled as in the window."""
    widget.setStyleSheet(make_style_sheet(theme))
    widget.resize(width, height)
    widget.show()
    settle()


def double_click(widget: QWidget, place: QPoint | None = None) -> None:
    """Double-click like a real mouse. QTest's function leaves the button down."""
    where = widget.rect().center() if place is None else place
    QTest.mouseDClick(widget, Qt.MouseButton.LeftButton, pos=where)
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=where)


def drag(widget: QWidget, xs: list[float], shift: bool = False, release: bool = True) -> None:
    """Press at the first place, move through the others, and release.

    Each place is an x; y is the middle of the height.
    """
    modifiers = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    left = Qt.MouseButton.LeftButton
    none = Qt.MouseButton.NoButton
    kinds = QMouseEvent.Type
    for place, x in enumerate(xs):
        at = widget.rect().center().toPointF()
        at.setX(x)
        kind = kinds.MouseMove if place else kinds.MouseButtonPress
        event = QMouseEvent(kind, at, widget.mapToGlobal(at), none if place else left, left, modifiers)
        QApplication.sendEvent(widget, event)
    if release:
        QTest.mouseRelease(widget, left, modifiers)


def picture(colour: int = 90, shape: tuple[int, int, int] = (8, 8, 3)) -> Array:
    return np.full(shape, colour, np.uint8)


def right_click(view: QAbstractScrollArea, at: QPoint) -> QMenu | None:
    """Right-click in a list's viewport and return the menu; None if none opens."""
    viewport = view.viewport()
    window = view.window()
    # The tests' screen is smaller than the window, so Qt would move the menu to keep it visible.
    window.move(window.pos() + QPoint(200, 200) - viewport.mapToGlobal(at))
    pointer = viewport.mapToGlobal(at)
    QApplication.sendEvent(viewport, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, pointer))
    settle()
    menu = QApplication.activePopupWidget()
    assert menu is None or (isinstance(menu, QMenu) and menu.pos() == pointer)
    return menu
