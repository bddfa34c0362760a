"""Tests the widgets of preparation, preview and file report: one click for each control."""

import unicodedata
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog
from pytestqt.qtbot import QtBot

from studio.app.panels.train.preview import FIRST_VARIATION, ORIGINAL, SEEN
from studio.app.panels.train.preview_view import BETWEEN, SIDE, ArtworkList
from studio.app.widgets.controls import SegmentedControl
from studio.wire.messages import ExaminedFile, FilesExamined, ScanFolder
from tests.app.panels.train.bench import NONE, TrainBench
from tests.app.panels.train.test_view import Parts, _check_inside
from tests.app.window_fixtures import OpenedWindow, settle

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def parts(studio: OpenedWindow) -> Parts:
    return Parts(studio)


def choose(field: QComboBox, value: object) -> None:
    """Choose a value of a list as the user does."""
    field.setCurrentIndex(field.findData(value))
    field.activated.emit(field.currentIndex())
    settle()


def click_part(view: ArtworkList, row: int, part: int) -> None:
    """Click a part of a row of artworks."""
    cell = view.visualRect(view.model().index(row, 0))
    point = cell.topLeft() + QPoint(part * (SIDE + BETWEEN) + SIDE // 2, SIDE // 2)
    QTest.mouseClick(view.viewport(), LEFT, pos=point)
    settle()


def prepared(bench: TrainBench, folder: Path, medium: str = "pictures", classes: tuple[str, ...] = ()) -> None:
    """Open a folder, and answer until everything about it is known."""
    bench.open_folder(folder, medium=medium, classes=classes)
    bench.prepare()
    settle()


def test_each_option_of_pictures_has_a_control(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    section = parts.inspector.preparation
    preparation = parts.state.preparation
    assert section.summary.text() == "Middle, 32 × 32, colour, turned upright" and section.varied.text() == "Not varied"
    parts.click(section.fold)
    parts.click(section.fitting.button_of("pad"))
    parts.click(section.ground.swatches["Black"])
    assert preparation.ground.get() == (0, 0, 0) and section.ground.typed.text() == "#000000"
    section.ground.typed.selectAll()
    QTest.keyClicks(section.ground.typed, "#5fd3bc")
    QTest.keyClick(section.ground.typed, Qt.Key.Key_Return)
    assert preparation.ground.get() == (0x5F, 0xD3, 0xBC)
    assert not any(swatch.isChecked() for swatch in section.ground.swatches.values())
    section.ground.typed.selectAll()
    QTest.keyClicks(section.ground.typed, "pink")
    QTest.keyClick(section.ground.typed, Qt.Key.Key_Return)
    assert section.ground.typed.property("wrong") and preparation.ground.get() == (0x5F, 0xD3, 0xBC)
    choose(section.picture_size, 64)
    parts.click(section.colours.button_of("grey"))
    mirror, shift = section.strengths["mirror"], section.strengths["shift"]
    assert isinstance(mirror, SegmentedControl) and isinstance(shift, QComboBox)
    parts.click(mirror.button_of("on"))
    choose(shift, 2)
    assert section.summary.text() == "Whole, with margins, 64 × 64, grey, turned upright"
    assert section.varied.text() == "Varied at random: mirror, shift 2 pixels"
    assert not section.rate.isVisible() and not section.strengths["gain"].isVisible()
    for _ in range(2):
        parts.state.history.undo()
    assert shift.currentData() == 0 and mirror.button_of("off").isChecked()


def test_each_option_of_sounds_has_a_control(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder, "recordings")
    section = parts.inspector.preparation
    assert section.summary.text() == "16 kHz, mono"
    parts.click(section.fold)
    choose(section.rate, 8000)
    parts.click(section.silence.button_of("trim"))
    choose(section.clip, 5.0)
    choose(section.peak, 0.9)
    for key, strength in (("gain", 6), ("speed", 0.1), ("noise", 40), ("fade", 0.05)):
        field = section.strengths[key]
        assert isinstance(field, QComboBox)
        choose(field, strength)
    assert section.summary.text() == "8 kHz, mono, silence trimmed, the first 5 seconds, one peak"
    assert section.varied.text() == "Varied at random: quieter 6 dB, speed 10 %, noise 40 dB below, fade 50 ms"
    assert not section.fitting.isVisible() and not section.strengths["mirror"].isVisible()
    parts.click(section.sound_form.button_of("cycles"))
    parts.bench.examine(medium="cycles")
    settle()
    assert section.summary.text() == "One cycle of 256 samples" and not section.rate.isVisible()


def test_a_switch_makes_sub_folders_classes(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    section = parts.inspector.preparation
    assert not section.class_part.isVisible(), "there are no sub-folders"
    prepared(parts.bench, folder, classes=("roses", "tulips", "ivy"))
    assert section.classes_note.text() == "3 sub-folders can be classes."
    parts.click(section.classes.button_of("classes"))
    parts.bench.examine(classes=("roses", "tulips", "ivy"))
    settle()
    assert section.classes_note.text() == "3 classes: roses 7, tulips 7, ivy 6"
    parts.click(section.classes.button_of("mixed"))
    assert section.classes_note.text() == "3 sub-folders can be classes."


def test_preview_shows_files_beside_what_the_model_gets(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    section = parts.inspector.preparation
    parts.click(section.preview)
    page = parts.stage.preview
    assert parts.stage.currentWidget() is page and section.fold.isVisible() and section.fitting.isVisible()
    parts.bench.show_examples()
    settle()
    assert [name for name, _ in page.grid.rows] == ["a.png · 32 × 32", "b.png · 32 × 32"]
    assert [part.number for part in page.grid.rows[0][1]] == [ORIGINAL, SEEN]
    assert not page.variations.isVisible()
    shift = section.strengths["shift"]
    assert isinstance(shift, QComboBox)
    choose(shift, 4)
    parts.bench.prepare()
    parts.bench.show_examples()
    settle()
    assert page.variations.isVisible() and page.heading.text() == "Variations of a.png"
    click_part(page.grid, 1, 1)
    assert page.heading.text() == "Variations of b.png" and parts.state.preview.chosen.get() == 1
    QTest.keyClick(page.grid, Qt.Key.Key_Left)
    assert parts.state.preview.chosen.get() == 0
    parts.click(page.others)
    asked = parts.bench.show_examples(("c.png",))
    assert asked.seed == 1 and [name for name, _ in page.grid.rows] == ["c.png · 32 × 32"]
    parts.click(page.close_button)
    assert parts.stage.currentWidget() is parts.stage.folder and section.preview.text() == "Preview"


def test_the_preview_names_variations_only_if_there_are_any(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    parts.click(parts.inspector.preparation.preview)
    parts.bench.show_examples()
    settle()
    note = parts.stage.preview.note
    assert note.text() == "Left: your file. Right: what the model gets."
    shift = parts.inspector.preparation.strengths["shift"]
    assert isinstance(shift, QComboBox)
    choose(shift, 4)
    parts.bench.prepare()
    parts.bench.show_examples()
    settle()
    assert note.text().endswith("Click one to see how it is varied.")


def test_a_click_plays_the_file_or_what_the_model_gets(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder, "recordings")
    parts.click(parts.inspector.preparation.preview)
    parts.state.preparation.choose_strength("gain", 6)
    parts.bench.prepare()
    parts.bench.show_examples(("a.wav", "b.wav"), rate=8000)  # as they were when the page opened
    parts.bench.show_examples(("a.wav", "b.wav"), rate=8000)
    settle()
    page = parts.stage.preview
    assert page.grid.rows[0][0] == "a.wav · 2.0 s"
    player = parts.state.preview.player
    for part in (ORIGINAL, SEEN):
        click_part(page.grid, 1, part)
        assert player.playing.get() == (1, part) == page.grid.playing
    click_part(page.variations, 0, 0)
    assert player.playing.get() == (1, FIRST_VARIATION) and page.variations.playing == (0, FIRST_VARIATION)
    click_part(page.variations, 0, 0)
    assert player.playing.get() is None and page.variations.playing is None


def test_show_files_lists_every_file_and_why(parts: Parts, folder: Path, qtbot: QtBot) -> None:
    prepared(parts.bench, folder)
    parts.click(parts.inspector.preparation.preview)
    parts.click(parts.inspector.folder.files)
    page = parts.stage.folder
    assert parts.stage.currentWidget() is page
    qtbot.waitUntil(lambda: len(page.files.numbers) == 21)
    parts.state.exclude_file(0)
    shown = page.files.model()
    assert shown.index(0, 1).data() == "left out: is left out by you"
    assert [shown.index(20, column).data() for column in (0, 1)] == ["notes.txt", "skipped: is not a picture"]
    parts.click(page.save)
    (dialog,) = parts.studio.window.findChildren(QFileDialog)
    dialog.reject()


def test_one_of_each_that_look_alike_can_be_kept_with_a_click(parts: Parts, folder: Path) -> None:
    prepared(parts.bench, folder)
    page = parts.stage.folder
    page._refresh()
    assert not page.keep_one.isVisible()
    parts.click(page.filter.button_of("alike"))
    parts.click(page.keep_one)
    assert parts.state.folder.left_out_count == 1
    index = page.thumbnails.model().index(1, 0)
    QTest.mouseClick(page.thumbnails.viewport(), LEFT, pos=page.thumbnails.visualRect(index).center())
    assert parts.state.folder.left_out_count == 0, "a click takes it back"


def test_looking_can_be_stopped_and_begun_again(parts: Parts, folder: Path, qtbot: QtBot) -> None:
    parts.studio.state.open_dropped([folder])
    page = parts.stage.folder
    qtbot.waitUntil(lambda: page.again.text() == "Stop looking")
    job = parts.bench.newest(ScanFolder).job
    parts.click(page.again)
    assert parts.studio.engine.stopped[-1] == job
    qtbot.waitUntil(lambda: page.again.text() == "Look again")
    assert page.title.text() == "Not examined yet"
    parts.click(page.again)
    parts.bench.examine()
    qtbot.waitUntil(lambda: page.title.text() == "20 pictures to learn from")


def test_strange_names_are_shown_as_they_are(parts: Parts, folder: Path, qtbot: QtBot) -> None:
    names = ("<b>bold</b>.png", "😀 🎨.png", unicodedata.normalize("NFD", "é.png"), "ligne⏎.png")
    parts.studio.state.open_dropped([folder])
    files = tuple(ExaminedFile(name=name, outcome="skipped", reason="is cut off") for name in names)
    job = parts.bench.newest(ScanFolder).job
    parts.studio.engine.emit_events(FilesExamined(job=job, files=files, thumbnails=NONE, done=4, total=4))
    parts.state.show_files()
    view = parts.stage.folder.files
    qtbot.waitUntil(lambda: len(view.numbers) == 4)
    assert [view.model().index(row, 0).data() for row in range(4)] == list(names)


@pytest.mark.parametrize(("width", "height", "percent"), [(1440, 900, 100), (1024, 700, 100), (1024, 700, 200)])
def test_no_option_is_cut(parts: Parts, folder: Path, width: int, height: int, percent: int) -> None:
    window = parts.studio.window
    window.resize(width, height)
    parts.studio.state.preferences.text_size.set(percent)
    if percent > 150:
        window.toggle_inspector()
    for medium in ("pictures", "recordings"):
        prepared(parts.bench, folder, medium, classes=("roses", "tulips"))
        parts.inspector.preparation.set_folded(False)
        settle()
        _check_inside(parts.inspector)
        parts.state.preview.toggle()
        parts.bench.show_examples(rate=8000 if medium == "recordings" else 0)
        settle()
        _check_inside(parts.stage.preview)
        parts.state.preview.toggle()
        parts.state.show_files()
        settle()
        _check_inside(parts.stage.folder)
