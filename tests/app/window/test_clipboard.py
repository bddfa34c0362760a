"""Tests that pictures are copied and pasted by keys and menus, and pasted ones opened like dropped ones."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from studio.app.core.artwork import Artwork
from studio.app.files.export_view import ExportSection
from studio.app.panels.complete.view import CompleteStage
from studio.app.panels.explore.view import ExploreStage
from studio.app.panels.generate.view import GenerateStage
from studio.app.widgets.picture import to_image
from studio.library.work import Work, recipe_of_png, recipe_of_wav
from studio.media import decoder, export
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, right_click, settle

DEADLY = (
    "import os\nfrom studio.media import decoder_process as child\n"
    "child.FILE_READERS = dict.fromkeys(child.FILE_READERS, lambda *_, **__: os.abort())\nchild.main()"
)
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def empty_clipboard(qtbot: QtBot) -> None:
    QGuiApplication.clipboard().clear()


@pytest.fixture
def drawn(studio: OpenedWindow) -> OpenedWindow:
    """Show four pictures in the grid and choose the third."""
    studio.start_engine()
    studio.state.generate.parameters.set_seed(40)
    studio.state.generate.parameters.set_number(4)
    studio.state.generate.start_batch()
    studio.draw_pictures(colour=70)
    studio.state.generate.choose_cell(2)
    settle()
    return studio


def stage(studio: OpenedWindow, panel: str) -> QWidget:
    return studio.window.panels[panel].stage


def on_clipboard(qtbot: QtBot) -> tuple[Work | None, tuple[int, int]]:
    """Return the recipe of the picture on the clipboard, and its size in other programs."""
    board = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: (board.mimeData() or QMimeData()).hasFormat("image/png"))
    seen = board.image()
    return recipe_of_png(bytes(board.mimeData().data("image/png").data())), (seen.width(), seen.height())


def press(menu: QMenu | None, words: str) -> None:
    assert menu is not None
    (action,) = (action for action in menu.actions() if action.text() == words)
    assert action.isEnabled()
    action.trigger()
    menu.close()


def menu_of(widget: QWidget) -> QMenu | None:
    at = QPoint(20, 20)
    QApplication.sendEvent(widget, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, widget.mapToGlobal(at)))
    settle()
    menu = QApplication.activePopupWidget()
    assert menu is None or isinstance(menu, QMenu)
    return menu


def test_ctrl_c_copies_the_chosen_picture_as_large_as_it_is_saved(drawn: OpenedWindow, qtbot: QtBot) -> None:
    drawn.window.activateWindow()
    drawn.state.export_settings.choose_times(4)
    generate = stage(drawn, "generate")
    assert isinstance(generate, GenerateStage)
    generate.grid.setFocus()
    QTest.keyClick(generate.grid, Qt.Key.Key_C, CTRL)
    work, size = on_clipboard(qtbot)
    assert work is not None
    assert (work.seed, size) == (42, (32, 32))
    assert drawn.state.messages.current.get().text == "Copied the picture, 32 × 32 pixels, with its recipe inside."


@pytest.mark.parametrize("smooth", [False, True])
def test_what_was_copied_is_pasted_as_the_work_it_is(drawn: OpenedWindow, qtbot: QtBot, smooth: bool) -> None:
    drawn.window.activateWindow()
    drawn.state.smoothing.smooth.set(smooth)
    drawn.state.generate.copy_picture(3)
    on_clipboard(qtbot)
    QTest.keyClick(drawn.window, Qt.Key.Key_V, CTRL)
    qtbot.waitUntil(lambda: drawn.state.explore.render.picture.get() is not None)
    assert drawn.state.explore.parameters.seed.get() == 43
    assert np.array_equal(drawn.state.explore.render.picture.get(), picture(70))
    assert drawn.state.panel.get() == "explore"


def test_every_menu_copies_and_pastes(drawn: OpenedWindow, qtbot: QtBot) -> None:
    generate = stage(drawn, "generate")
    board = QGuiApplication.clipboard()
    assert isinstance(generate, GenerateStage)
    at = generate.grid.visualRect(generate.grid.model().index(1, 0)).center()
    press(right_click(generate.grid, at), "Copy picture")
    work, _ = on_clipboard(qtbot)
    assert work is not None
    assert work.seed == 41
    generate.grid.cell_enlarged.emit(0)
    board.clear()
    press(menu_of(generate.page.view), "Copy picture")
    work, _ = on_clipboard(qtbot)
    assert work is not None
    assert work.seed == 40
    drawn.state.generate.keep_take(3)
    settle()
    takes = drawn.window.strip.list
    board.clear()
    press(right_click(takes, takes.visualRect(takes.model().index(0, 0)).center()), "Copy picture")
    work, _ = on_clipboard(qtbot)
    assert work is not None
    assert work.seed == 43
    press(menu_of(generate.page.view), "Paste")
    qtbot.waitUntil(lambda: drawn.state.explore.render.picture.get() is not None)
    explore = stage(drawn, "explore")
    assert isinstance(explore, ExploreStage)
    settle()
    board.clear()
    press(menu_of(explore.page.view), "Copy picture")
    work, _ = on_clipboard(qtbot)
    assert work is not None
    assert work.seed == 43


def test_a_large_picture_offers_what_it_offers_in_the_grid(drawn: OpenedWindow) -> None:
    generate = stage(drawn, "generate")
    assert isinstance(generate, GenerateStage)
    in_grid = right_click(generate.grid, generate.grid.visualRect(generate.grid.model().index(1, 0)).center())
    offered = {action.text() for action in in_grid.actions()}
    in_grid.close()
    generate.grid.cell_enlarged.emit(1)
    large = menu_of(generate.page.view)
    assert offered - {"Copy seed"} == {action.text() for action in large.actions()}
    press(large, "Open in Explore")
    assert drawn.state.panel.get() == "explore"


def test_a_picture_of_another_program_is_pasted_into_complete_and_copied_there(
    window_opener: WindowOpener, two_models: Path, qtbot: QtBot
) -> None:
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    studio = window_opener()
    studio.start_engine()
    studio.state.show_panel("complete")
    settle()
    QGuiApplication.clipboard().setImage(to_image(picture(33)))
    studio.window.activateWindow()
    QTest.keyClick(studio.window, Qt.Key.Key_V, CTRL)
    canvas = studio.state.complete.canvas
    qtbot.waitUntil(lambda: canvas.picture.get() is not None)
    assert np.array_equal(canvas.picture.get(), picture(33))
    assert canvas.source.get() == "Pasted picture.png"
    QGuiApplication.clipboard().clear()
    complete = stage(studio, "complete")
    assert isinstance(complete, CompleteStage)
    press(menu_of(complete.workspace.canvas), "Copy picture")
    work, size = on_clipboard(qtbot)
    assert work is None
    assert size == (64, 64)


@pytest.mark.parametrize("form", ["image/jpeg", "image/webp", "image/bmp"])
def test_a_picture_that_kills_its_reader_is_pasted_without_harm(
    form: str, studio: OpenedWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child process decodes its bytes; this process would not survive them."""
    deadly = decoder.FileDecoder([sys.executable, "-c", DEADLY])
    monkeypatch.setattr(decoder, "shared_decoder", deadly)
    data = QMimeData()
    data.setData(form, b"\xff\xd8\xff\xe0 a picture that only the child looks at")
    QGuiApplication.clipboard().setMimeData(data)
    studio.window.activateWindow()
    QTest.keyClick(studio.window, Qt.Key.Key_V, CTRL)
    qtbot.waitUntil(lambda: studio.state.messages.current.get() is not None)
    assert studio.state.messages.current.get().text.startswith('"Pasted picture.')
    assert "crashed the program that reads files and was not opened." in studio.state.messages.current.get().text
    deadly.close()


def test_a_copied_file_is_pasted_as_if_it_had_been_dropped(studio: OpenedWindow, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "mine.png").write_bytes(export.encode_png_bytes(picture(50, (20, 30, 3))))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "mine.png"))])
    QGuiApplication.clipboard().setMimeData(data)
    studio.window.activateWindow()
    QTest.keyClick(studio.window, Qt.Key.Key_V, CTRL)
    qtbot.waitUntil(lambda: studio.state.explore.importing.preview.get() is not None)
    assert studio.state.explore.importing.preview.get().picture.name == "mine.png"


def test_a_sound_is_copied_as_a_file_and_as_bytes_and_pasted_as_the_work_it_is(
    studio: OpenedWindow, two_models: Path, qtbot: QtBot
) -> None:
    write_model(two_models, make_card("whistle", (2,), rate=8000))
    studio.state.models.refresh_models()
    studio.start_engine()
    studio.state.show_panel("sound")
    sound = studio.state.sound
    sound.choose_model("whistle")
    studio.window.activateWindow()
    QTest.keyClick(studio.window, Qt.Key.Key_C, CTRL)
    assert studio.state.messages.current.get().text.startswith("There is no sound")
    model = studio.state.models.find_model("whistle")
    work = Work(medium="sound", sample_rate=8000, model="whistle", model_hash=model.file_hash, seed=7)
    wave = (3000 * np.sin(np.arange(8000) / 9)).astype(np.int16)
    sound.change("keep take", takes={studio.state.takes.add_take(Artwork(wave, work)): True})
    sound.show_take(0)
    settle()
    QTest.keyClick(studio.window, Qt.Key.Key_C, CTRL)
    board = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: (board.mimeData() or QMimeData()).hasFormat("audio/wav"))
    (url,) = board.mimeData().urls()
    wav = bytes(board.mimeData().data("audio/wav").data())
    path = Path(url.toLocalFile())
    assert path.name == "whistle-7.wav"
    assert path.read_bytes() == wav
    copied = recipe_of_wav(wav)
    assert copied is not None
    assert copied.seed == 7
    assert "Copied the sound" in studio.state.messages.current.get().text
    sound.parameters.set_seed(9)
    QTest.keyClick(studio.window, Qt.Key.Key_V, CTRL)
    qtbot.waitUntil(lambda: sound.parameters.seed.get() == 7)
    sound.parameters.set_seed(9)
    alone = QMimeData()
    alone.setData("audio/wav", wav)  # as programs that share no files put it there
    board.setMimeData(alone)
    QTest.keyClick(studio.window, Qt.Key.Key_V, CTRL)
    qtbot.waitUntil(lambda: sound.parameters.seed.get() == 7)
    assert np.array_equal(sound.player.samples, wave)


def test_an_empty_clipboard_and_nothing_to_copy_are_reported(studio: OpenedWindow) -> None:
    studio.window.activateWindow()
    for key, words in (
        (Qt.Key.Key_V, "There is no picture or sound on the clipboard."),
        (Qt.Key.Key_C, "No picture is chosen"),
    ):
        QTest.keyClick(studio.window, key, CTRL)
        assert studio.state.messages.current.get().text.startswith(words)


def test_words_in_a_field_are_copied_and_pasted_as_words(drawn: OpenedWindow) -> None:
    field = drawn.window.panels["generate"].inspector.parameters.seed.field
    drawn.window.activateWindow()
    field.setFocus()
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_C, CTRL)
    settle()
    assert QGuiApplication.clipboard().text().replace("\u202f", "") == "40"
    field.clear()
    QTest.keyClick(field, Qt.Key.Key_V, CTRL)
    assert field.text().replace("\u202f", "") == "40"


def test_the_finder_knows_copy_and_paste(studio: OpenedWindow) -> None:
    for panel, words in (
        ("generate", "Copy this picture"), ("explore", "Copy the picture"), ("complete", "Copy the chosen one"),
    ):  # fmt: skip
        studio.state.show_panel(panel)
        assert {words, "Paste"} <= {action.title for action in studio.window.current_actions}


# ── size, and where files go ─────────────────────────────────────────────────────────────────────


def test_the_size_is_chosen_in_the_inspector_and_its_result_shown(studio: OpenedWindow) -> None:
    section = studio.window.panels["generate"].inspector.findChild(ExportSection)
    assert section is not None
    assert section.note.text() == "64 × 64 pixels, crisp as seen, with the recipe inside"
    section.times.activated.emit(section.times.findData(0))
    assert section.pixels.isVisible()
    section.pixels.setValue(100)
    assert section.note.text().startswith("96 × 96 pixels, crisp")
    section.sheet.chosen.emit("sheet")
    assert section.note.text().startswith("Each 96 × 96 pixels, crisp"), "a sheet is larger"
    section.sheet.chosen.emit("files")
    studio.state.smoothing.smooth.set(True)
    assert section.note.text().startswith("100 × 100 pixels, smooth")
    QTest.mouseClick(section.sheet.button_of("sheet"), Qt.MouseButton.LeftButton)
    assert studio.state.export_settings.on_sheet.get()
    other = studio.window.panels["explore"].inspector.findChild(ExportSection)
    assert other is not None
    assert (other.times.currentData(), other.pixels.value()) == (0, 100)


def test_save_all_asks_for_one_name_if_all_are_on_a_sheet(drawn: OpenedWindow, tmp_path: Path) -> None:
    drawn.state.export_settings.choose_sheet(True)
    QTest.mouseClick(drawn.window.panels["generate"].foot.save_all, Qt.MouseButton.LeftButton)
    dialog = drawn.window.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    dialog.fileSelected.emit(str(tmp_path / "all.png"))
    dialog.reject()
    drawn.state.exporter.close()
    assert [path.name for path in tmp_path.glob("*.png")] == ["all.png"]


def test_the_first_folder_is_made_for_the_dialog_and_gone_if_nothing_is_saved(
    drawn: OpenedWindow, studio_home: Path, tmp_path: Path
) -> None:
    works = studio_home / "works"
    drawn.state.generate.save_picture()
    dialog = drawn.window.findChild(QFileDialog)
    assert dialog is not None
    assert Path(dialog.directory().absolutePath()) == works
    assert works.is_dir()
    dialog.reject()
    settle()
    assert not works.exists()
    dialog = drawn.window.dialogs.ask_file("All files (*)", lambda path: None)
    assert Path(dialog.directory().absolutePath()) != works
    dialog.fileSelected.emit(str(tmp_path / "mine.png"))
    dialog.reject()
    assert drawn.state.folders.for_opening() == tmp_path
    assert drawn.state.folders.for_saving() == works
    drawn.state.generate.save_picture(0)
    dialog = drawn.window.findChild(QFileDialog)
    assert dialog is not None
    dialog.fileSelected.emit(str(works / "rose.png"))
    dialog.reject()
    drawn.state.exporter.close()
    assert (works / "rose.png").is_file()
