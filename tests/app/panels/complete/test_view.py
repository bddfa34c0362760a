"""Tests Complete in the window: strokes on the canvas, the grid, and every state of the panel."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QCursor, QEnterEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from studio.app.core.artwork import Artwork
from studio.app.model_browser.cards_view import CardList
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.canvas import NO_MODEL_TEXT
from studio.app.panels.complete.inspector_view import CompleteInspector, CompleteSettings
from studio.app.panels.complete.view import CompleteFoot, CompleteStage, CompleteWorkspace
from studio.library.work import Work
from studio.wire import messages as wire
from studio.wire.messages import Array
from tests.app.fake_model import make_card, write_model
from tests.app.window.test_layout import SIZES, check
from tests.app.window_fixtures import OpenedWindow, WindowOpener, right_click, settle

SHIFT, NONE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_studio(window_opener: WindowOpener, two_models: Path) -> OpenedWindow:
    """Open the panel with a model that draws pixel by pixel, and an empty canvas."""
    write_model(
        two_models, make_card("rows", (3, 8, 8), classes=("dark", "light"), family=("pixelcnn_pp", "PixelCNN++"))
    )
    studio = window_opener()
    studio.start_engine()
    studio.state.show_panel("complete")
    settle()
    return studio


@pytest.fixture
def studio(open_studio: OpenedWindow) -> OpenedWindow:
    """Open the panel with a picture on the canvas."""
    open_studio.state.complete.canvas.open_work(Artwork(np.full((8, 8, 3), 200, np.uint8), _work()))
    settle()
    return open_studio


def _work() -> Work:
    return Work(model="rows", model_hash="", seed=4)


def desk(studio: OpenedWindow) -> CompleteWorkspace:
    stage = studio.window.panels["complete"].stage
    assert isinstance(stage, CompleteStage)
    return stage.workspace


def settings(studio: OpenedWindow) -> CompleteSettings:
    inspector = studio.window.panels["complete"].inspector
    assert isinstance(inspector, CompleteInspector)
    return inspector.settings


def foot(studio: OpenedWindow) -> CompleteFoot:
    found = studio.window.panels["complete"].foot
    assert isinstance(found, CompleteFoot)
    return found


def stroke(studio: OpenedWindow, *places: tuple[float, float], release: bool = True) -> None:
    """Press at the first position of the picture, move over the others, release."""
    canvas, kinds = desk(studio).canvas, QMouseEvent.Type
    for number, place in enumerate(places):
        at = canvas.widget_position(*place)
        kind = kinds.MouseMove if number else kinds.MouseButtonPress
        button = Qt.MouseButton.NoButton if number else LEFT
        QApplication.sendEvent(canvas, QMouseEvent(kind, at, canvas.mapToGlobal(at), button, LEFT, NONE))
    if release:
        QTest.mouseRelease(canvas, LEFT)


def mask(studio: OpenedWindow) -> Array:
    return studio.state.complete.canvas.brush.mask.get()


def asked(studio: OpenedWindow) -> wire.Inpaint:
    sent = studio.engine.sent[-1]
    assert isinstance(sent, wire.Inpaint)
    return sent


def draw(studio: OpenedWindow, nats: list[float] | None, done: int = 9, following: list[float] | None = None) -> None:
    """Answer the newest command with as many pictures as seeds."""
    sent = next(c for c in reversed(studio.engine.sent) if isinstance(c, wire.Inpaint))
    pictures = np.stack([np.full((8, 8, 3), 20 * i, np.uint8) for i in range(len(sent.seeds))])
    studio.engine.emit_events(
        wire.PicturesPreview(
            job=sent.job,
            first=0,
            pictures=pictures,
            done=done,
            total=9,
            log_prob=tuple(nats) if nats else None,
            following_log_prob=tuple(following) if following else None,
        )
    )
    if nats:
        studio.engine.emit_events(wire.Finished(job=sent.job))
    settle()


def complete(studio: OpenedWindow, number: int = 4) -> None:
    QCursor.setPos(studio.window.mapToGlobal(QPoint(2, 2)))  # away from the grid, where nothing moves under a pointer
    studio.state.complete.parameters.set_number(number)
    QTest.mouseClick(foot(studio).main_button, LEFT)


# ── how it begins ────────────────────────────────────────────────────────────────────────────────


def test_an_empty_panel_teaches_and_offers_only_models_that_can(open_studio: OpenedWindow) -> None:
    stage = open_studio.window.panels["complete"].stage
    assert isinstance(stage, CompleteStage)
    assert stage.title.text() == "Bring a picture and paint what is missing."
    assert not foot(open_studio).main_button.isEnabled()
    QTest.mouseClick(stage.begin, LEFT)
    settle()
    dialog = open_studio.window.findChild(QFileDialog)
    assert dialog is not None
    dialog.reject()
    bar = open_studio.window.open_bar
    bar.picker.open_list()
    assert bar.picker.model_popup is not None
    names = [one.card.name for one in bar.picker.model_popup.findChildren(CardList)[0].cards]
    assert names == ["rows"]
    bar.picker.model_popup.close()


def test_the_panel_reports_that_no_model_fits(window_opener: WindowOpener) -> None:
    studio = window_opener()
    studio.state.show_panel("complete")
    settle()
    stage = studio.window.panels["complete"].stage
    assert isinstance(stage, CompleteStage)
    assert stage.title.text() == NO_MODEL_TEXT
    assert not stage.begin.isVisible()


def test_a_picture_of_generate_is_opened_here_by_key(open_studio: OpenedWindow) -> None:
    studio = open_studio
    studio.state.generate.choose_model("rows")
    studio.state.generate.parameters.set_number(2)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    studio.state.generate.choose_cell(1)
    studio.state.show_panel("generate")
    QTest.keyClick(studio.window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier | SHIFT)
    assert studio.state.panel.get() == "complete"
    assert studio.state.complete.canvas.picture.get() is not None
    # A take goes onto the canvas, too, while this panel is open.
    studio.state.explore.keep_work(Artwork(np.full((8, 8, 3), 9, np.uint8), _work()))
    studio.window.strip.take_chosen.emit(0)
    assert studio.state.panel.get() == "complete"
    assert int(studio.state.complete.canvas.picture.get()[0, 0, 0]) == 9  # type: ignore[index]


# ── painting ─────────────────────────────────────────────────────────────────────────────────────


def test_the_mouse_paints_and_escape_cancels_a_drag(studio: OpenedWindow) -> None:
    painting = studio.state.complete.canvas.brush
    painting.set_size(1)
    stroke(studio, (0.5, 0.5), (3.5, 0.5))
    assert mask(studio)[0, :4].all()
    assert mask(studio).sum() == 4
    stroke(studio, (0.5, 5.5), (6.5, 5.5), release=False)
    assert mask(studio).sum() == 11
    QTest.keyClick(desk(studio).canvas, Qt.Key.Key_Escape)
    assert mask(studio).sum() == 4
    QTest.mouseRelease(desk(studio).canvas, LEFT)
    assert mask(studio).sum() == 4
    QTest.mouseClick(studio.window.open_bar.undo, LEFT)
    assert mask(studio).sum() == 0
    assert studio.window.open_bar.redo.toolTip().startswith("Redo brush")
    seen = desk(studio).canvas
    assert seen.accessibleDescription().startswith("Nothing is marked yet")


def test_tools_have_keys_and_buttons(studio: OpenedWindow) -> None:
    painting = studio.state.complete.canvas.brush
    for key, tool in (("B", "brush"), ("E", "eraser"), ("M", "rectangle"), ("D", "rows"), ("P", "temperature")):
        painting.choose_tool("brush" if tool != "brush" else "rows")
        desk(studio).canvas.setFocus()
        QTest.keyClick(desk(studio).canvas, key.lower())
        assert painting.tool.get() == tool
        on = [name for name, button in desk(studio).tools.buttons.items() if button.isChecked()]
        assert on == ([tool] if tool != "temperature" else [])
        assert settings(studio).paint.isChecked() is (tool == "temperature")
        assert settings(studio).temperature_factor.isVisible() is (tool == "temperature")


def test_comma_and_full_stop_size_the_brush_and_i_inverts(studio: OpenedWindow) -> None:
    canvas, painting = desk(studio).canvas, studio.state.complete.canvas.brush
    canvas.setFocus()
    for key, size in ((".", 6), (".", 7), (",", 6)):
        QTest.keyClick(canvas, key)
        assert painting.size.get() == size
        assert desk(studio).tools.width_field.value() == size
    QTest.keyClick(canvas, "i")
    assert mask(studio).all()
    desk(studio).tools.width_field.setValue(2)
    assert painting.size.get() == 2


def test_it_can_be_painted_by_keys_alone(studio: OpenedWindow) -> None:
    canvas, painting = desk(studio).canvas, studio.state.complete.canvas.brush
    canvas.setFocus()
    painting.set_size(1)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert mask(studio).sum() == 1
    QTest.keyClick(canvas, Qt.Key.Key_Down, SHIFT)
    assert mask(studio).sum() == 2
    painting.choose_tool("rows")
    QTest.keyClick(canvas, Qt.Key.Key_PageUp)
    assert mask(studio).all()
    QTest.keyClick(canvas, Qt.Key.Key_Down)
    assert masks.first_row(mask(studio)) == 1


def test_the_hole_is_hatched_and_temperature_tints(studio: OpenedWindow) -> None:
    canvas, painting = desk(studio).canvas, studio.state.complete.canvas.brush

    def colour(x: float, y: float) -> tuple[int, int, int]:
        at = canvas.widget_position(x, y).toPoint()
        found = canvas.grab().toImage().pixelColor(at)
        return found.red(), found.green(), found.blue()

    assert colour(4.3, 1.4) == (200, 200, 200)
    painting.choose_tool("rows")
    painting.start_stroke((1.0, 6.0))
    painting.end_stroke()
    assert max(colour(4.3, 7.4)) < 100
    assert colour(4.3, 1.4) == (200, 200, 200)
    painting.choose_tool("temperature")
    painting.set_temperature_factor(2.0)
    painting.set_size(2)
    painting.start_stroke((4.5, 1.5))
    painting.end_stroke()
    red, _, blue = colour(4.3, 1.4)
    assert red > blue + 20
    painting.set_temperature_factor(0.0)
    painting.start_stroke((4.5, 1.5))
    painting.end_stroke()
    red, _, blue = colour(4.3, 1.4)
    assert blue > red + 20
    painting.choose_tool("brush")
    assert colour(4.3, 1.4) == (200, 200, 200), "with another tool the picture is seen as it is"


def test_paint_temperature_by_the_mouse_leaves_the_hole_as_it_was(studio: OpenedWindow) -> None:
    painting = studio.state.complete.canvas.brush
    stroke(studio, (1.5, 1.5))
    hole = mask(studio)
    QTest.mouseClick(settings(studio).paint, LEFT)
    assert painting.tool.get() == "temperature"
    assert settings(studio).temperature_factor.isVisible()
    stroke(studio, (5.5, 5.5), (6.5, 6.5))
    assert np.array_equal(mask(studio), hole)
    assert (painting.temperature_map.get() != masks.NEUTRAL).any()
    QTest.mouseClick(settings(studio).paint, LEFT)
    assert painting.tool.get() == "brush"
    assert not settings(studio).temperature_factor.isVisible()


# ── making ───────────────────────────────────────────────────────────────────────────────────────


def test_completions_form_are_ranked_and_stop_is_the_main_button(studio: OpenedWindow) -> None:
    stroke(studio, (4.5, 4.5))
    complete(studio)
    assert asked(studio).mask.any()
    assert foot(studio).main_button.text().strip() == "Stop"
    draw(studio, None, done=3)
    grid = desk(studio).grid
    assert desk(studio).caption.first.text() == "Row 3 of 8"
    assert grid.model().rowCount() == 4
    draw(studio, [-40.0, -10.0, -30.0, -20.0])
    assert [place.number for place in grid.places] == [1, 3, 2, 0]
    assert grid.places[0].caption == ("1", "14 bits")
    assert foot(studio).main_button.text() == "Complete"
    assert desk(studio)._head.isVisible()
    assert desk(studio).scale.accessibleDescription() == "4 completions, 14 bits to 58 bits"
    QTest.mouseClick(grid.viewport(), LEFT, pos=grid.visualRect(grid.model().index(2, 0)).center())
    assert studio.state.complete.chosen.get() == (2,)
    assert settings(studio).rank.text() == "Number 3 of 4"
    assert settings(studio).price.text() == "43 bits for the whole picture, exact"
    assert foot(studio).explore.text() == "Open number 3 in Explore"
    QTest.mouseClick(
        grid.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, grid.visualRect(grid.model().index(0, 0)).center()
    )
    assert studio.state.complete.chosen.get() == (2, 1)
    assert foot(studio).save.text() == "Save 2…"


def test_nothing_moves_in_the_grid_while_the_pointer_is_there(studio: OpenedWindow) -> None:
    stroke(studio, (4.5, 4.5))
    complete(studio, 2)
    grid = desk(studio).grid
    at = QPointF(5, 5)
    QApplication.sendEvent(grid, QEnterEvent(at, at, at))
    draw(studio, [-40.0, -10.0])
    assert [place.number for place in grid.places] == [0, 1]
    assert grid.places[0].caption[0] == "new"
    QApplication.sendEvent(grid, QEvent(QEvent.Type.Leave))
    assert [place.number for place in grid.places] == [1, 0]


def test_a_right_click_takes_the_completion_under_the_pointer(studio: OpenedWindow) -> None:
    stroke(studio, (4.5, 4.5))
    complete(studio)
    draw(studio, [-5.0, -6.0, -7.0, -8.0])
    grid = desk(studio).grid
    grid.setViewportMargins(60, 20, 0, 0)  # whatever margins the grid is given
    settle()
    for row, place in enumerate(grid.places):
        at = grid.visualRect(grid.model().index(row, 0)).center()
        menu = right_click(grid, at)
        assert menu is not None
        assert studio.state.complete.chosen.get() == (place.number,)
        menu.close()


def test_what_does_not_fit_is_counted_and_can_be_shown(studio: OpenedWindow) -> None:
    painting = studio.state.complete.canvas.brush
    assert not settings(studio).ranked.isEnabled()
    painting.choose_tool("rectangle")
    stroke(studio, (0.5, 2.5), (7.5, 3.5))
    ranked = settings(studio).ranked
    assert ranked.isEnabled()
    ranked.setCurrentIndex(1)
    ranked.activated.emit(1)
    complete(studio, 12)
    nats = [-float(i) for i in range(1, 13)]
    draw(studio, nats, following=nats[::-1])
    counts = settings(studio).counts
    assert counts.text() == "Made 12, shown 9 that fit what follows best; 3 left out."
    assert [place.number for place in desk(studio).grid.places][:2] == [11, 10]
    QTest.mouseClick(settings(studio).every, LEFT)
    assert len(desk(studio).grid.places) == 12
    assert counts.text() == "All 12 are shown, those that fit what follows best first."


def test_uncertainty_covers_the_filled_pixels(studio: OpenedWindow) -> None:
    stroke(studio, (4.5, 4.5))
    desk(studio).canvas.setFocus()
    QTest.keyClick(desk(studio).canvas, Qt.Key.Key_V)
    assert studio.window.open_bar.uncertainty.isChecked()
    complete(studio, 1)
    told = np.full((1, 8, 8), np.nan, np.float32)
    told[:, 4:] = np.linspace(0, 9, 8)
    pictures = np.full((1, 8, 8, 3), 200, np.uint8)
    studio.engine.emit_events(
        wire.PicturesPreview(job=asked(studio).job, first=0, pictures=pictures, done=8, total=9, entropy=told),
        wire.PicturesPreview(
            job=asked(studio).job, first=0, pictures=pictures, done=9, total=9, log_prob=(-9.0,), entropy=told
        ),
        wire.Finished(job=asked(studio).job),
    )
    settle()
    assert studio.window.open_bar.uncertainty_legend.accessibleDescription() == "0 to 10 bits a pixel, exact"
    grid = desk(studio).grid
    corner, size = grid.visualRect(grid.model().index(0, 0)).topLeft(), grid.cell_size()
    tones = [
        grid.grab().toImage().pixelColor(corner + QPoint(6 + size.width() - 3, 6 + size.height() * row // 16))
        for row in (2, 14)
    ]
    assert tones[0].red() == 200, "what is kept is the picture's own"
    assert tones[1].red() > 240 > tones[1].blue()
    QTest.mouseMove(grid.viewport(), corner + QPoint(6 + size.width() - 3, 6 + size.height() - 3))
    settle()
    assert studio.state.complete.batch.uncertainty.hovered_bits.get() == pytest.approx(9.0)


@pytest.mark.parametrize(("width", "height", "text"), SIZES)
def test_nothing_is_cut_and_nothing_overlaps(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    studio.window.resize(width, height)
    studio.state.preferences.text_size.set(text)
    check(studio)
    stroke(studio, (4.5, 4.5))
    check(studio)
    complete(studio, 9)
    draw(studio, [-1000.0 - 99 * i for i in range(9)])
    studio.state.complete.choose_completions((3,))
    check(studio)
    parts = (desk(studio).canvas, desk(studio).grid, desk(studio).first, desk(studio).caption)
    for place, one in enumerate(parts):
        assert desk(studio).rect().contains(one.geometry().intersected(desk(studio).rect()))
        for other in parts[place + 1 :]:
            assert not one.geometry().adjusted(1, 1, -1, -1).intersects(other.geometry().adjusted(9, 1, -9, -1))
    studio.window.toggle_page("help")
    check(studio)
