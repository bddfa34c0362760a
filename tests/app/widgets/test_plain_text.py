"""Names of files are plain text. No label reads markup."""

import ast
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from studio.app.widgets.controls import ElidedLabel, Label, set_tooltip
from tests.app.window_fixtures import OpenedWindow

APP = Path(__file__).parents[3] / "studio" / "app"
RICH = {
    "QMessageBox",
    "QTextEdit",
    "QTextBrowser",
    "QToolTip",
    "setHtml",
    "setMarkdown",
    "setStatusTip",
    "setWhatsThis",
}
EVIL = '<img src="x"><b>rose</b>.png'


def test_only_one_place_makes_labels_and_tooltips() -> None:
    faults = []
    for path in sorted(APP.rglob("*.py")):
        banned = RICH if path.name == "controls.py" else {*RICH, "QLabel", "setToolTip"}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = ""
            if isinstance(node, ast.Attribute):
                name = node.attr
            elif isinstance(node, ast.Name):
                name = node.id
            if name in banned:
                faults.append(f"{path.name} uses {name}")
    assert faults == []


def test_every_label_of_the_window_shows_plain_text(studio: OpenedWindow) -> None:
    labels = studio.window.findChildren(QLabel)
    assert len(labels) > 40
    assert [label.text() for label in labels if label.textFormat() != Qt.TextFormat.PlainText] == []


def test_markup_in_a_name_is_shown_as_text(qtbot: QtBot) -> None:
    label = Label(EVIL)
    cut = ElidedLabel(EVIL)
    widget = QWidget()
    for part in (label, cut, widget):
        qtbot.addWidget(part)
    assert label.textFormat() == Qt.TextFormat.PlainText
    set_tooltip(widget, EVIL)
    assert "<img" not in widget.toolTip()
    assert "&lt;img" in widget.toolTip()
    cut.resize(20, 20)
    cut.show()
    assert cut.is_cut
    assert "<img" not in cut.toolTip()
