"""Tests the row marker on the picture, the colours of single pixels, and the tree of takes."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QWidget

from studio.app.panels.generate.colour_popup_view import ColourPopup
from studio.app.panels.generate.rewind import Marker
from studio.app.panels.generate.view import GenerateStage
from studio.library.work import FixedPixel
from studio.wire.messages import Finished, Inpaint, PicturesPreview, Stopped
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def rewinding(window_opener: WindowOpener, two_models: Path) -> OpenedWindow:
    """Open Generate with a finished row-by-row picture enlarged on the stage."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    studio = window_opener()
    studio.start_engine()
    studio.window.activateWindow()
    studio.state.generate.choose_model("rows")
    studio.state.generate.parameters.set_number(2)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    studio.state.generate.enlarge_cell(0)
    settle()
    return studio


def test_the_caption_names_the_class_of_the_continuation(window_opener: WindowOpener, two_models: Path) -> None:
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN"), classes=("Cat", "Cake")))
    studio = window_opener()
    studio.start_engine()
    studio.state.generate.choose_model("rows")
    studio.state.generate.parameters.set_label(1)
    studio.state.generate.parameters.set_number(1)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    studio.state.generate.enlarge_cell(0)
    caption = stage(studio).enlarged_caption
    assert "kind" not in caption.said.text()
    studio.state.generate.rewind_actions.move_marker(5)
    assert caption.said.text() == 'as a new take from row 5, class "Cake"'
    studio.state.generate.parameters.set_label(0)
    assert caption.said.text() == 'as a new take from row 5, class "Cat"'
    studio.state.generate.parameters.set_label(None)
    assert caption.said.text() == "as a new take from row 5"


def stage(studio: OpenedWindow) -> GenerateStage:
    found = studio.window.panels["generate"].stage
    assert isinstance(found, GenerateStage)
    return found


def mark(studio: OpenedWindow) -> Marker:
    found = studio.state.generate.rewind.marker.get()
    assert found is not None
    return found


def asked(studio: OpenedWindow) -> Inpaint:
    command = studio.engine.sent[-1]
    assert isinstance(command, Inpaint)
    return command


def answer(studio: OpenedWindow, colour: int) -> None:
    command = asked(studio)
    picture = np.where(command.mask[..., None] > 0, np.uint8(colour), command.picture)
    studio.engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=picture[None], done=9, total=9, log_prob=(-5.0,)),
        Finished(job=command.job),
    )
    settle()


def press(widget: QWidget, kind: QMouseEvent.Type, at: QPointF) -> None:
    button = LEFT if kind != QMouseEvent.Type.MouseMove else Qt.MouseButton.NoButton
    QApplication.sendEvent(widget, QMouseEvent(kind, at, widget.mapToGlobal(at), button, LEFT, NONE))


def drag(studio: OpenedWindow, rows: list[float], release: bool = True) -> None:
    """Press the marker's tab and move the line to these rows."""
    marker, view = stage(studio).marker, stage(studio).page.view
    tab, row = QPointF(marker.shown_rect().center()), view.pixel_rect(0)
    off = tab.y() - marker._line_y()
    press(marker, QMouseEvent.Type.MouseButtonPress, tab)
    for to in rows:
        press(marker, QMouseEvent.Type.MouseMove, QPointF(tab.x(), row.y() + to * row.height() + off))
    if release:
        press(marker, QMouseEvent.Type.MouseButtonRelease, tab)
    settle()


def test_the_marker_is_dragged_and_letting_go_starts_nothing(rewinding: OpenedWindow) -> None:
    page = stage(rewinding)
    count, caption = len(rewinding.engine.sent), page.enlarged_caption
    assert page.marker.isVisible() and page.marker.accessibleName() == "Rewind, row 8 of 8"
    assert not caption.continue_link.isEnabled() and caption.said.text().startswith("Drag the marker up")
    drag(rewinding, [7, 6, 5.2])
    assert mark(rewinding) == Marker(5, (), armed=True) and len(rewinding.engine.sent) == count
    assert page.marker.accessibleName() == "Rewind, row 5 of 8"
    assert caption.said.text() == "as a new take from row 5"
    rewinding.state.undo()
    assert mark(rewinding).row == 8
    rewinding.state.redo()
    QTest.mouseClick(caption.continue_link, LEFT)
    assert asked(rewinding).mask[:5].sum() == 0


def test_escape_takes_a_drag_back(rewinding: OpenedWindow) -> None:
    drag(rewinding, [3], release=False)
    assert mark(rewinding).row == 3
    QTest.keyClick(stage(rewinding).marker, Qt.Key.Key_Escape)
    assert mark(rewinding).row == 8 and rewinding.state.generate.enlarged.item.get() is not None


def test_the_marker_has_its_keys(rewinding: OpenedWindow) -> None:
    page = stage(rewinding)
    page.page.view.setFocus()
    QTest.keyClick(page.page.view, Qt.Key.Key_Tab)
    assert page.marker.hasFocus()
    page.page.view.setFocus()
    QTest.keyClick(page.page.view, Qt.Key.Key_W)
    assert page.marker.hasFocus()
    for key, row in (
        (Qt.Key.Key_Up, 7), (Qt.Key.Key_Up, 6), (Qt.Key.Key_Down, 7), (Qt.Key.Key_PageUp, 0), (Qt.Key.Key_End, 8),
        (Qt.Key.Key_Home, 0), (Qt.Key.Key_Down, 1),
    ):  # fmt: skip
        QTest.keyClick(page.marker, key)
        assert mark(rewinding).row == row
    count = len(rewinding.engine.sent)
    QTest.keyClick(page.marker, Qt.Key.Key_Return)
    assert len(rewinding.engine.sent) == count + 1 and asked(rewinding).mask[1:].all()
    QTest.keyClick(page.marker, Qt.Key.Key_Up)  # during drawing, the line is at the row being drawn
    assert mark(rewinding).row == 1


def test_what_lies_below_is_dimmed_to_a_third(rewinding: OpenedWindow) -> None:
    view = stage(rewinding).page.view
    rewinding.state.generate.rewind_actions.move_marker(4)
    rewinding.state.generate.rewind_actions.set_pixel(6, 6, (250, 0, 0))
    settle()
    seen, canvas = view.grab().toImage(), 0x12
    above, below, imposed = (
        seen.pixelColor(view.pixel_rect(row, column).center().toPoint()) for row, column in ((2, 2), (6, 2), (6, 6))
    )
    assert above.red() == 90 and below.red() == pytest.approx(0.35 * 90 + 0.65 * canvas, abs=2)
    assert imposed.red() == 250


def test_a_click_below_the_marker_chooses_a_colour_and_one_above_does_not(rewinding: OpenedWindow) -> None:
    page = stage(rewinding)
    view = page.page.view
    rewinding.state.generate.rewind_actions.move_marker(4)

    def click(row: int, column: int) -> ColourPopup | None:
        QTest.mouseClick(page.marker, LEFT, NONE, view.pixel_rect(row, column).center().toPoint())
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, ColourPopup) and w.isVisible()]
        return found[0] if found else None

    assert click(2, 3) is None
    popup = click(6, 3)
    assert popup is not None
    QTest.keyClick(popup.swatches, Qt.Key.Key_Escape)
    assert mark(rewinding).pixels_below == ()
    popup = click(6, 3)
    assert popup is not None and (popup.row.value(), popup.column.value()) == (7, 4)
    popup.typed.setText("no colour")
    QTest.keyClick(popup.typed, Qt.Key.Key_Return)
    assert popup.isVisible() and popup.typed.property("wrong")
    popup.typed.setText("#2858C8")
    QTest.keyClick(popup.typed, Qt.Key.Key_Return)
    assert mark(rewinding).pixels_below == (FixedPixel(6, 3, (40, 88, 200)),)
    assert rewinding.window.open_bar.undo.toolTip().startswith("Undo colour of a pixel")
    assert page.enlarged_caption.said.text() == "as a new take from row 4, 1 pixel imposed"
    popup = click(6, 3)
    assert popup is not None and popup.release_button.isVisibleTo(popup)
    QTest.mouseClick(popup.release_button, LEFT)
    assert mark(rewinding).pixels_below == ()


def test_a_colour_is_chosen_with_keys_alone(rewinding: OpenedWindow) -> None:
    page = stage(rewinding)
    page.page.view.setFocus()
    QTest.keyClick(page.page.view, Qt.Key.Key_O)
    popup = next(w for w in QApplication.topLevelWidgets() if isinstance(w, ColourPopup) and w.isVisible())
    assert mark(rewinding).row == 4 and popup.current_pixel == (4, 4)
    first = popup.swatches.model().index(0, 0)
    assert first.data(Qt.ItemDataRole.AccessibleTextRole) == "grey, #5A5A5A"
    popup.row.setValue(8)
    popup.swatches.activated.emit(first)
    assert mark(rewinding).pixels_below == (FixedPixel(7, 4, (90, 90, 90)),)


def test_the_button_stops_a_continued_picture(rewinding: OpenedWindow) -> None:
    page = stage(rewinding)
    rewinding.state.generate.rewind_actions.move_marker(4)
    page.branch_here()
    button = page.enlarged_caption.continue_link
    assert (button.text().strip(), button.property("role")) == ("Stop", "stop")
    assert rewinding.window.job_box.first_job.title.text() == "Rows: continued from row 4"
    QTest.mouseClick(button, LEFT)
    assert rewinding.engine.stopped == [asked(rewinding).job]
    rewinding.engine.emit_events(Stopped(job=asked(rewinding).job))
    assert button.text() == "Continue" and button.isEnabled()
    drag(rewinding, [6])  # from the row at which it stopped
    assert mark(rewinding).row == 6 and rewinding.state.generate.rewind.rewound.get() is None


def test_the_caption_keeps_its_place_when_a_picture_is_finished(rewinding: OpenedWindow) -> None:
    page, state = stage(rewinding), rewinding.state.generate
    state.start_batch()
    job, half = rewinding.engine.sent[-1].job, np.full((2, 8, 8, 3), 60, np.uint8)
    rewinding.engine.emit_events(PicturesPreview(job=job, first=0, pictures=half, done=3, total=9))
    state.enlarge_cell(1)
    settle()
    before = page.page.view.shown_rect(), page.enlarged_caption.geometry()
    assert not page.marker.isVisible() and page.enlarged_caption.said.text().startswith("Row 3 of 8. 0 of 2")
    rewinding.engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=half, done=9, total=9, log_prob=(-1.0, -1.0))
    )
    settle()
    assert page.marker.isVisible() and (page.page.view.shown_rect(), page.enlarged_caption.geometry()) == before


@pytest.mark.parametrize("text", [100, 200])
@pytest.mark.parametrize("size", [(1440, 900), (1024, 700)])
@pytest.mark.parametrize("shows_tree", [False, True])
def test_the_marker_never_covers_the_caption(
    rewinding: OpenedWindow, size: tuple[int, int], text: int, shows_tree: bool
) -> None:
    state = rewinding.state
    rewinding.window.resize(*size)
    state.preferences.text_size.set(text)
    state.generate.start_batch()
    job, large = rewinding.engine.sent[-1].job, np.full((2, 64, 64, 3), 60, np.uint8)
    rewinding.engine.emit_events(
        PicturesPreview(job=job, first=0, pictures=large, done=65, total=65, log_prob=(-1.0, -1.0)),
        Finished(job=job),
    )
    state.generate.enlarge_cell(0)
    state.generate.keep_take()
    state.preferences.tree.set(shows_tree)
    settle()
    page = stage(rewinding)
    tab = page.marker.shown_rect().translated(page.page.view.pos())
    assert page.marker.isVisible()
    assert not tab.intersects(page.enlarged_caption.geometry())


@pytest.fixture
def grown(rewinding: OpenedWindow) -> OpenedWindow:
    """Keep four takes: the first, two from it, and one from the second of these."""
    state = rewinding.state.generate
    for row, colour in ((4, 100), (4, 120), (6, 140)):
        state.rewind_actions.move_marker(row)
        state.rewind_actions.branch_here()
        answer(rewinding, colour)
    assert rewinding.window.strip.takes.parents == (None, 0, 0, 2)
    return rewinding


def test_strip_and_tree_are_one_model(grown: OpenedWindow) -> None:
    strip = grown.window.strip
    assert not strip.tree.isVisible() and strip.list.rows.rowCount() == 4
    assert [strip.list.is_fork(row) for row in range(4)] == [False, False, True, False]
    high = grown.window.stage.height()
    QTest.keyClick(grown.window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    settle()
    assert strip.tree.isVisible() and not strip.list.isVisible()
    assert grown.window.stage.height() == pytest.approx(high / 2, abs=1)
    model = strip.takes
    seeds = [f"{take.work.seed:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") for take in model.takes]
    assert model.caption_of(0) == f"start, seed {seeds[0]}"
    assert [model.caption_of(place) for place in (1, 3)] == [f"row 4, seed {seeds[1]}", f"row 6, seed {seeds[3]}"]
    said = model.data(model.index_of(3), Qt.ItemDataRole.AccessibleTextRole)
    assert said == "Take 4, from take 3 at row 6, level 3, chosen"
    assert model.lineage() == {0, 2, 3}
    grown.state.explore.keep_work(grown.state.takes.takes.get()[0])
    assert strip.list.rows.rowCount() == 5 and model.rowCount() == 2
    QTest.mouseClick(strip.tree_button, LEFT)
    settle()
    assert strip.list.isVisible() and grown.window.stage.height() == high


def test_takes_are_chosen_and_deleted_in_the_tree(grown: OpenedWindow) -> None:
    strip, state = grown.window.strip, grown.state.generate
    grown.state.preferences.toggle_tree()
    settle()
    tree, model = strip.tree, strip.takes
    tree.setFocus()
    assert model.place_of(tree.currentIndex()) == 3
    for key, place in (
        (Qt.Key.Key_Left, 2), (Qt.Key.Key_Up, 1), (Qt.Key.Key_Left, 0), (Qt.Key.Key_Right, 1), (Qt.Key.Key_Down, 2),
        (Qt.Key.Key_Right, 3), (Qt.Key.Key_Left, 2),
    ):  # fmt: skip
        QTest.keyClick(tree, key)
        assert model.place_of(tree.currentIndex()) == place
    QTest.keyClick(tree, Qt.Key.Key_Return)
    assert state.selection.current.get() == 2 and tree.hasFocus()
    QTest.mouseClick(tree.viewport(), LEFT, NONE, tree.visualRect(model.index_of(1)).center())
    assert state.selection.current.get() == 1
    QTest.keyClick(tree, Qt.Key.Key_Delete)
    assert len(grown.state.takes.takes.get()) == 3 and state.enlarged.item.get() is None
    assert grown.window.message.first.text() == "Take 2 is in the bin."
    QTest.mouseClick(grown.window.message.buttons[0], LEFT)
    assert len(grown.state.takes.takes.get()) == 4 and model.parents == (None, 0, 0, 2)


def test_a_take_is_deleted_with_what_came_from_it(grown: OpenedWindow) -> None:
    strip = grown.window.strip

    def menu(place: int) -> dict[str, QAction]:
        at = strip.list.visualRect(strip.list.rows.index(place)).center()
        strip.list.customContextMenuRequested.emit(at)
        opened = strip.findChildren(QMenu)[-1]
        opened.close()
        return {action.text(): action for action in opened.actions()}

    assert "Move to the bin with what came from it" not in menu(3)
    menu(2)["Move to the bin with what came from it"].trigger()
    assert strip.takes.parents == (None, 0)
    assert grown.window.message.first.text() == "Take 3 and the one that came from it are in the bin."
    QTest.mouseClick(grown.window.message.buttons[0], LEFT)
    assert strip.takes.parents == (None, 0, 0, 2)


@pytest.mark.parametrize("as_tree", [False, True])
def test_a_take_is_named(grown: OpenedWindow, as_tree: bool) -> None:
    strip = grown.window.strip
    if as_tree:
        grown.state.preferences.toggle_tree()
        settle()
    view = strip.tree if as_tree else strip.list
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_N)
    field = strip.findChild(QLineEdit)
    assert field is not None and field.isVisible() and field.accessibleName() == "Name of take 4"
    QTest.keyClicks(field, "Crown")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert grown.state.takes.takes.get()[3].work.name == ""
    QTest.keyClick(view, Qt.Key.Key_F2)
    QTest.keyClicks(field, "Crown")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert grown.state.takes.takes.get()[3].work.name == "Crown" and not field.isVisible()
    assert stage(grown).enlarged_caption.words.text().startswith("Take 4, Crown, from take 3 at row 6")
    grown.state.undo()
    assert grown.state.takes.takes.get()[3].work.name == ""


def test_branching_from_the_menu_waits_at_the_marker(grown: OpenedWindow) -> None:
    count = len(grown.engine.sent)
    grown.window.strip.branch_requested.emit(0)
    settle()
    assert len(grown.engine.sent) == count and mark(grown) == Marker(4, (), armed=True)
    assert stage(grown).marker.hasFocus()
    grown.window.strip.branch_requested.emit(3)
    assert mark(grown).row == 6 and mark(grown).armed and len(grown.engine.sent) == count


def test_in_explore_a_take_that_went_on_is_begun_from_its_latent(grown: OpenedWindow) -> None:
    grown.state.show_panel("explore")
    grown.window.strip.take_chosen.emit(3)
    assert grown.state.panel.get() == "explore" and grown.state.explore.badge.get().kind == "working"
    grown.answer_encoding()
    grown.answer_explore(140)
    assert grown.state.explore.badge.get().kind == "exact"
    grown.state.explore.keep_take()
    assert grown.window.strip.takes.parents[4] == 3


def test_single_pixels_are_clicked_and_a_drag_is_no_click(rewinding: OpenedWindow) -> None:
    view = stage(rewinding).page.view
    found: list[tuple[int, int]] = []
    view.pixel_clicked.connect(lambda row, column: found.append((row, column)))
    at = view.pixel_rect(3, 5).center().toPoint()
    QTest.mouseClick(view, LEFT, NONE, at)
    assert found == [(3, 5)]
    press(view, QMouseEvent.Type.MouseButtonPress, QPointF(at))
    press(view, QMouseEvent.Type.MouseMove, QPointF(at + QPoint(30, 0)))
    press(view, QMouseEvent.Type.MouseButtonRelease, QPointF(at + QPoint(30, 0)))
    QTest.mouseClick(view, LEFT, NONE, QPoint(1, 1))  # beside the picture
    assert found == [(3, 5)]
