"""The window survives its file dialogs."""

import gc
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit

from tests.app.window_fixtures import OpenedWindow, settle


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
