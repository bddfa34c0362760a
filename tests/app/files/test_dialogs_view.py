"""The window survives its file dialogs."""

import gc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

RATE = 16_000


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_window_survives_file_dialogs_that_are_answered(studio: OpenedWindow, tmp_path: Path, theme: str) -> None:
    """Answer dialogs with the key Return.

    PySide ended the process when a dialog was deleted that its child referred to.
    """
    path = tmp_path / "one.png"
    Image.new("L", (8, 8)).save(path)
    answers: list[Path] = []
    for _ in range(3):
        studio.window.dialogs.ask_file("All files (*)", answers.append)
        settle()
        field = studio.window.findChild(QFileDialog).findChild(QLineEdit)
        field.setText(str(path))
        studio.state.theme.set(theme)
        settle()
        QTest.keyClick(field, Qt.Key.Key_Return)
        del field
        settle()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    assert answers == [path] * 3
    assert not studio.window.findChildren(QFileDialog)


@pytest.mark.parametrize("panel", ["generate", "explore"])
@pytest.mark.parametrize(("name", "opens_in"), [("rose.png", "explore"), ("rain.wav", "sound")])
def test_a_file_chosen_on_an_empty_stage_opens_in_the_panel_that_can_show_it(
    two_models: Path, window_opener: WindowOpener, qtbot: QtBot, tmp_path: Path, panel: str, name: str, opens_in: str
) -> None:
    write_model(two_models, make_card("hum", (RATE,), family=("wavenet", "WaveNet"), rate=RATE))
    Image.new("L", (20, 30)).save(tmp_path / "rose.png")
    noise = np.random.default_rng(0).integers(-9000, 9000, RATE)
    soundfile.write(tmp_path / "rain.wav", noise.astype(np.int16), RATE, subtype="PCM_16")
    studio = window_opener()
    studio.state.show_panel(panel)
    settle()
    stage = studio.window.panels[panel].stage
    button = next(
        one for one in stage.findChildren(QPushButton) if one.text().strip() == "Open a picture…" and one.isVisible()
    )
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle()
    dialog = studio.window.findChild(QFileDialog)
    dialog.findChild(QLineEdit).setText(str(tmp_path / name))
    QTest.keyClick(dialog.findChild(QLineEdit), Qt.Key.Key_Return)
    explore, sound = studio.state.explore, studio.state.sound
    opened = explore.importing.preview if opens_in == "explore" else sound.source.recording
    qtbot.waitUntil(lambda: opened.get() is not None)
    assert studio.state.panel.get() == opens_in
