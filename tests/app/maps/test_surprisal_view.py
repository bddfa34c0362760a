"""The overlays' colours and legends: turn the dial and look at the state, turn the state and look at the picture."""

import itertools
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.maps.legend_view import ColourLegend
from studio.app.maps.overlay_view import surprisal_picture
from studio.app.maps.surprisal import SurprisalMap
from studio.app.panels.explore.view import ExploreStage
from studio.app.panels.generate.view import GenerateStage
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Finished, PicturesPreview, Score, Scored
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, double_click, drag, settle, shown


def price(studio: OpenedWindow, bound: bool = False) -> None:
    """Answer the newest question: 1 bit to the left, 9 to the right, 10 at the top left."""
    asked = studio.engine.sent[-1]
    assert isinstance(asked, Score)
    bits = np.ones((8, 8), np.float32)
    bits[:, 4:], bits[0, 0] = 9, 10
    studio.engine.emit_events(Scored(job=asked.job, log_prob=-9.0, bits=bits, is_bound=bound), Finished(job=asked.job))
    settle()


def centre(view: PictureView) -> int:
    """How red the middle of a picture is."""
    return view.grab().toImage().pixelColor(view.shown_rect().center()).red()


def test_a_map_of_shares_keeps_the_pictures_shade_and_an_exact_one_its_colours() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = 255
    scale = ColourScale(0.0, 10.0, 0.0, 10.0, True)
    bits = np.full((2, 2), 5, np.float32)
    shares, exact = (surprisal_picture(SurprisalMap(picture, bits, bound, "tiny"), scale) for bound in (True, False))
    assert shares is not None
    assert exact is not None
    assert int(shares[0, 0].sum()) > int(exact[0, 0].sum()) > int(shares[1, 0].sum())
    assert exact[0, 0].tolist() == exact[1, 0].tolist()
    assert surprisal_picture(None, scale) is None


def test_the_toggle_lays_maps_over_grid_and_large_picture(studio: OpenedWindow) -> None:
    stage = studio.window.panels["generate"].stage
    bar = studio.window.open_bar
    assert isinstance(stage, GenerateStage)
    studio.start_engine()
    studio.state.generate.parameters.set_number(1)
    studio.state.generate.start_batch()
    studio.draw_pictures()
    assert not bar.surprisal_legend.isVisible()
    QTest.mouseClick(bar.surprisal, Qt.MouseButton.LeftButton)
    assert studio.state.surprisal.on.get()
    before = stage.grid.grab().toImage()
    price(studio)
    assert bar.surprisal_legend.isVisible()
    assert stage.grid.grab().toImage() != before
    place = stage.grid.picture_rect(stage.grid.visualRect(stage.grid.model().index(0, 0)))
    QTest.mouseMove(stage.grid.viewport(), place.center())
    QTest.mouseMove(stage.grid.viewport(), place.center() + QPoint(8, 0))
    assert studio.state.surprisal.hovered_bits.get() == 9.0
    assert bar.surprisal_legend.accessibleDescription().endswith("pointer 9")
    studio.state.generate.enlarge_cell(0)
    settle()
    view = stage.page.view
    seen = view.grab().toImage()
    centre = view.shown_rect().center()
    assert seen.pixelColor(centre + QPoint(9, 0)).lightness() > seen.pixelColor(centre - QPoint(9, 0)).lightness()
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_U)
    assert not studio.state.surprisal.on.get()
    assert not bar.surprisal.isChecked()
    assert view.grab().toImage().pixelColor(centre).red() == 90, "the picture lies below, untouched"


def test_nothing_in_the_bar_is_squeezed(window_opener: WindowOpener, two_models: Path) -> None:
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    studio = window_opener()
    studio.start_engine()
    studio.state.generate.choose_model("rows")
    bar = studio.window.open_bar
    for button in (bar.surprisal, bar.uncertainty):
        button.setChecked(True)
    shown = (
        bar.surprisal,
        bar.uncertainty,
        bar.smooth_field,
        bar.surprisal_legend,
        bar.uncertainty_legend,
        bar.undo,
        bar.redo,
        bar.inspector_button,
    )
    for percent, width in itertools.product((100, 150, 200), (1024, 1280, 1440)):
        studio.theme.choose_theme("dark", "normal", percent / 100, False)
        studio.window.resize(width, 900)
        settle()
        squeezed = [each for each in shown if each.isVisible() and each.width() < each.sizeHint().width()]
        assert not squeezed, (percent, width)


def test_doubt_lies_over_the_rows_that_are_drawn(window_opener: WindowOpener, two_models: Path) -> None:
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    studio = window_opener()
    studio.start_engine()
    generate = studio.state.generate
    bar = studio.window.open_bar
    stage = studio.window.panels["generate"].stage
    assert isinstance(stage, GenerateStage)
    generate.choose_model("tiny")
    assert not bar.uncertainty.isVisible(), "it makes the whole picture at once"
    generate.choose_model("rows")
    generate.parameters.set_number(1)
    QTest.mouseClick(bar.uncertainty, Qt.MouseButton.LeftButton)
    assert generate.batch.uncertainty.on.get()
    generate.start_batch()
    job = studio.engine.sent[-1].job
    picture = np.full((1, 8, 8, 3), 90, np.uint8)
    doubt = np.full((1, 4, 8), np.nan, np.float32)
    doubt[:, 1:, :4], doubt[:, 1:, 4:] = 1, 9
    studio.engine.emit_events(PicturesPreview(job=job, first=0, pictures=picture, done=4, total=9, entropy=doubt))
    settle()
    assert bar.uncertainty_legend.isVisible()
    assert bar.uncertainty_legend.accessibleDescription().startswith("0 to 10 bits")
    (tall, wide) = (stage.grid.cell_size().height(), stage.grid.cell_size().width())
    seen = stage.grid.grab().toImage()
    place = stage.grid.picture_rect(stage.grid.visualRect(stage.grid.model().index(0, 0))).topLeft()
    place += stage.grid.viewport().pos()
    tones = [seen.pixelColor(place + QPoint(x * wide // 16, y * tall // 16)) for x, y in ((3, 5), (13, 5), (13, 1))]
    assert tones[0].lightness() < 60 < 200 < tones[1].lightness()
    assert tones[2].red() == 90, "a row that was drawn unwatched is the picture's own"
    generate.enlarge_cell(0)
    settle()
    view = stage.page.view
    at = view.pixel_rect(2, 6).center().toPoint()
    assert view.grab().toImage().pixelColor(at).lightness() > 200
    QTest.mouseMove(view, at)
    assert bar.uncertainty_legend.accessibleDescription().endswith("pointer 9")
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_V)
    assert not bar.uncertainty.isChecked()
    assert view.grab().toImage().pixelColor(at).red() == 90


def test_in_explore_the_last_map_stays_until_the_new_one_is_there(studio: OpenedWindow) -> None:
    stage = studio.window.panels["explore"].stage
    assert isinstance(stage, ExploreStage)
    studio.start_engine()
    studio.state.show_panel("explore")
    studio.state.explore.parameters.new_start(1)
    studio.answer_explore(90)
    studio.state.surprisal.set_on(True)
    price(studio)
    view = stage.page.view
    mapped = centre(view)
    studio.state.explore.parameters.set_slider(0, 1.0)
    studio.answer_explore(200)
    settle()
    assert centre(view) == mapped != 200
    assert view.shown_picture is studio.state.explore.render.picture.get()
    studio.state.surprisal.set_on(False)
    settle()
    assert centre(view) == 200


def test_the_legend_is_set_by_mouse_and_keys(qtbot: QtBot) -> None:
    look = Theme()
    legend = ColourLegend(look)
    qtbot.addWidget(legend)
    shown(legend, look, 252, 36)
    scale = ColourScale.over_range(0.0, 12.0, False)
    said: list[tuple[float, float]] = []

    def move(low: float, high: float) -> None:
        said.append((low, high))
        legend.show_scale(scale.with_range(low, high))

    legend.moved.connect(move)
    legend.show_scale(scale)
    drag(legend, [legend.position_of(12.0), legend.position_of(6.0)])
    assert abs(said[-1][1] - 6.0) < 0.1
    assert said[-1][0] == 0.0
    drag(legend, [legend.position_of(6.0), legend.position_of(3.0)], release=False)
    QTest.keyClick(legend, Qt.Key.Key_Escape)
    assert abs(said[-1][1] - 6.0) < 0.1, "Esc takes the drag back"
    QTest.keyClick(legend, Qt.Key.Key_Right)
    assert said[-1][0] == scale.step
    QTest.keyClick(legend, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert abs(said[-1][1] - 6.0 + scale.step) < 0.1
    with qtbot.waitSignal(legend.reset_requested):
        double_click(legend)
    with qtbot.waitSignal(legend.reset_requested):
        QTest.keyClick(legend, Qt.Key.Key_Delete)
    legend.show_scale(ColourScale.over_range(-3.0, 21.0, True))
    assert legend.accessibleDescription().startswith("−5 to 25 bits")
