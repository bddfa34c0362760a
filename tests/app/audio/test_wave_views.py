"""Waves are drawn, played on keys, and saved; classes have their control."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from studio.app.audio.keyboard_view import Keyboard
from studio.app.audio.wave_page_view import WavePage
from studio.app.audio.wave_view import WaveView
from studio.app.panels.explore.view import ExploreInspector, ExploreStage
from studio.app.panels.generate.view import GenerateInspector, GenerateStage
from studio.app.widgets.thumbnail import sound_thumbnail
from studio.wire import messages as wire
from studio.wire.messages import Array, Decoded, DecodeLatent, Finished, PicturesPreview, Sample
from tests.app.fake_model import make_card, write_model
from tests.app.fake_speaker import FakeSpeaker
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

AT = np.arange(256) / 256


def wave(harmonic: int = 1, peak: float = 0.6) -> Array:
    return np.rint(np.sin(2 * np.pi * harmonic * AT) * peak * 32_768).astype(np.int16)


@pytest.fixture
def sounds(two_models: Path, window_opener: WindowOpener) -> OpenedWindow:
    """Open Explore with a wave on the stage, of a model of two classes."""
    write_model(two_models, make_card("waves", (256,), classes=("Bright", "Dark")))
    studio = window_opener()
    studio.state.show_panel("explore")
    studio.start_engine()
    studio.state.explore.choose_model("waves")
    studio.state.explore.parameters.new_start(7)
    answer(studio, wave())
    return studio


def answer(studio: OpenedWindow, picture: Array) -> None:
    command = next(c for c in reversed(studio.engine.sent) if isinstance(c, DecodeLatent))
    studio.engine.emit_events(Decoded(job=command.job, picture=picture), Finished(job=command.job))
    settle()


def page(studio: OpenedWindow) -> WavePage:
    stage = studio.window.panels["explore"].stage
    assert isinstance(stage, ExploreStage)
    return stage.wave


def inspector(studio: OpenedWindow) -> ExploreInspector:
    inside = studio.window.panels["explore"].inspector
    assert isinstance(inside, ExploreInspector)
    return inside


def speaker(studio: OpenedWindow, qtbot: QtBot) -> FakeSpeaker:
    output = studio.state.sound_card._output
    assert isinstance(output, FakeSpeaker)
    qtbot.waitUntil(lambda: output.source is not None)
    return output


def message_text(studio: OpenedWindow) -> str:
    message = studio.state.messages.current.get()
    return message.text if message is not None else ""


def pixels(widget: QWidget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return data[:, : image.width() * 3].reshape(image.height(), image.width(), 3).astype(int)


def colour_mask(picture: np.ndarray, studio: OpenedWindow, token: str) -> np.ndarray:
    """Return a mask of the pixels in a colour of the theme."""
    colour = studio.theme.colour(token)
    return np.abs(picture - [colour.red(), colour.green(), colour.blue()]).max(axis=2) < 12


# ── drawing ──────────────────────────────────────────────────────────────────────────────────────


def test_a_wave_is_shown_in_place_of_a_picture(sounds: OpenedWindow) -> None:
    stage = sounds.window.panels["explore"].stage
    assert isinstance(stage, ExploreStage) and stage.currentWidget() is stage.wave
    assert (page(sounds).view.shown_wave == wave()).all()
    assert "Seed 7" in stage.wave_badge.detail.text()
    assert not sounds.window.open_bar.smooth_field.isVisible()  # a wave has no pixels
    sounds.state.explore.choose_model("tiny")
    sounds.state.explore.parameters.new_start(1)
    answer(sounds, np.zeros((8, 8, 3), np.uint8))
    assert stage.currentWidget() is stage.page and sounds.window.open_bar.smooth_field.isVisible()


def test_the_line_follows_the_wave(sounds: OpenedWindow) -> None:
    view = page(sounds).view
    lit = colour_mask(pixels(view), sounds, "text")
    height, width = lit.shape
    crest, trough = (np.flatnonzero(lit[:, round(width * (0.14 + part) / 1.28)]) for part in (0.25, 0.75))
    assert np.median(crest) == pytest.approx(height * (0.5 - 0.6 * 0.44), abs=3)
    assert np.median(trough) == pytest.approx(height * (0.5 + 0.6 * 0.44), abs=3)
    assert not colour_mask(pixels(view), sounds, "accent").any()
    sounds.state.wave_synth.hold_note(True)
    settle()
    assert colour_mask(pixels(view), sounds, "accent").any() and not colour_mask(pixels(view), sounds, "text").any()


def test_the_old_wave_is_shown_while_a_slider_is_dragged(sounds: OpenedWindow) -> None:
    slider = inspector(sounds).parameters.sliders[0]
    QTest.mousePress(slider.slider, Qt.MouseButton.LeftButton, pos=slider.slider.rect().center())
    sounds.state.explore.parameters.set_slider(0, 1.0)
    answer(sounds, wave(3))
    view = page(sounds).view
    assert view.shown_before is not None and (view.shown_before == wave()).all() and (view.shown_wave == wave(3)).all()
    seen = colour_mask(pixels(view), sounds, "border").sum()
    QTest.mouseRelease(slider.slider, Qt.MouseButton.LeftButton)
    assert view.shown_before is None and colour_mask(pixels(view), sounds, "border").sum() < seen - 300


def test_harmonics_are_described(sounds: OpenedWindow) -> None:
    bars = page(sounds).harmonics
    assert "1 at -4" in bars.accessibleDescription()
    answer_to = wave(3, 0.5)
    sounds.state.explore.parameters.set_slider(0, 1.0)
    answer(sounds, answer_to)
    assert "3 at -6" in bars.accessibleDescription()


def test_nothing_is_drawn_without_a_wave(sounds: OpenedWindow) -> None:
    view = WaveView(sounds.theme)
    view.resize(300, 200)
    view.show_before(np.zeros((8, 8, 3), np.uint8))
    view.show_wave(None)
    assert view.shown_before is None and not colour_mask(pixels(view), sounds, "text").any()
    view.deleteLater()


def test_small_waves_are_redrawn_in_another_theme(sounds: OpenedWindow) -> None:
    sounds.state.explore.keep_take()
    settle()
    dark = pixels(sounds.window.strip.list)
    sounds.state.theme.set("light")
    settle()
    light = pixels(sounds.window.strip.list)
    assert colour_mask(light, sounds, "text").sum() > 20 and not np.array_equal(dark, light)
    assert sound_thumbnail(wave(), 96, 64, 2.0, sounds.theme).deviceIndependentSize().width() == 48


# ── playing ──────────────────────────────────────────────────────────────────────────────────────


def test_play_holds_the_tone_and_stops_it(sounds: OpenedWindow, qtbot: QtBot) -> None:
    play = page(sounds).play
    assert play.accessibleName() == "Play" and "(Space)" in play.toolTip()
    QTest.mouseClick(play, Qt.MouseButton.LeftButton)
    assert sounds.state.wave_synth.held.get() and play.accessibleName() == "Stop" and play.isChecked()
    assert speaker(sounds, qtbot).heard_pitch() == 110 and page(sounds).pitch.text() == "A2, 110.0 Hz"
    QTest.mouseClick(play, Qt.MouseButton.LeftButton)
    assert not sounds.state.wave_synth.held.get() and not play.isChecked()
    sounds.state.wave_synth.hold_note(True)
    assert play.isChecked()


def test_the_mouse_plays_the_keys_and_glides_over_them(sounds: OpenedWindow, qtbot: QtBot) -> None:
    keys = page(sounds).keys
    tone = sounds.state.wave_synth
    first, second, black = (keys.key_rect(note).center().toPoint() for note in (48, 50, 49))
    white = QPoint(first.x(), keys.height() - 8)
    QTest.mousePress(keys, Qt.MouseButton.LeftButton, pos=white)
    assert tone.pressed_notes.get() == (48,) and speaker(sounds, qtbot).heard_pitch() == 130
    QTest.mouseMove(keys, QPoint(second.x(), keys.height() - 8))
    _drag(keys, QPoint(second.x(), keys.height() - 8))
    assert tone.pressed_notes.get() == (50,)
    _drag(keys, black)
    assert tone.pressed_notes.get() == (49,) and tone.note.get() == 49
    _drag(keys, QPoint(black.x(), -40))
    assert tone.pressed_notes.get() == ()
    QTest.mouseRelease(keys, Qt.MouseButton.LeftButton)
    assert not tone.sounding.get()
    assert page(sounds).view.hasFocus()  # and so the computer's keys play, too


def _drag(keys: Keyboard, at: QPoint) -> None:
    left = Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    place = at.toPointF()
    event = QMouseEvent(QMouseEvent.Type.MouseMove, place, keys.mapToGlobal(place), Qt.MouseButton.NoButton, left, none)
    QApplication.sendEvent(keys, event)


@pytest.fixture
def focused(sounds: OpenedWindow, qtbot: QtBot) -> OpenedWindow:
    sounds.window.activateWindow()
    page(sounds).view.setFocus()
    qtbot.waitUntil(page(sounds).view.hasFocus)
    return sounds


def test_the_computers_keys_play_while_the_wave_has_the_focus(focused: OpenedWindow, qtbot: QtBot) -> None:
    view = page(focused).view
    tone = focused.state.wave_synth
    for letter, note in zip("AWSEDFTGYHUJK", range(36, 49), strict=True):
        QTest.keyPress(view, letter.lower())
        assert tone.pressed_notes.get() == (note,)
        QTest.keyRelease(view, letter.lower())
        assert tone.pressed_notes.get() == ()
    QTest.keyClick(view, "x")
    assert tone.octave.get() == 3
    QTest.keyPress(view, "a")
    assert tone.note.get() == 48 and speaker(focused, qtbot).heard_pitch() == 130
    QTest.keyRelease(view, "a")
    QTest.keyClick(view, "z")
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert tone.octave.get() == 2 and tone.held.get()


def test_note_keys_override_single_keys_only_while_the_wave_has_the_focus(focused: OpenedWindow) -> None:
    explore = focused.state.explore
    view = page(focused).view
    explore.parameters.set_slider(0, 1.0)
    answer(focused, wave(2))
    QTest.keyClick(view, "h")  # a note, not All home
    QTest.keyClick(view, "x")  # an octave, not Crisp or smooth
    assert explore.parameters.sliders.get()[0] == 1.0 and not focused.state.smoothing.smooth.get()
    seed = explore.parameters.seed.get()
    QTest.keyClick(view, "r")
    assert explore.parameters.seed.get() != seed  # other keys keep their function
    answer(focused, wave(2))
    QTest.keyClick(view, "s", Qt.KeyboardModifier.ControlModifier)
    assert len(explore.selection.takes.get()) == 1 and focused.state.wave_synth.pressed_notes.get() == ()
    explore.parameters.set_slider(0, 1.0)
    focused.window.strip.list.setFocus()
    QTest.keyClick(focused.window.strip.list, "h")
    assert explore.parameters.sliders.get()[0] == 0.0


def test_keys_released_elsewhere_do_not_hang(focused: OpenedWindow) -> None:
    view = page(focused).view
    tone = focused.state.wave_synth
    QTest.keyPress(view, "a")
    QTest.keyPress(view, "d")
    assert tone.pressed_notes.get() == (36, 40)
    focused.window.strip.keep.setFocus()
    assert tone.pressed_notes.get() == () and not tone.sounding.get()
    QTest.keyRelease(view, "a")
    assert tone.pressed_notes.get() == ()


def test_single_keys_can_be_switched_off(focused: OpenedWindow) -> None:
    view = page(focused).view
    tone = focused.state.wave_synth
    focused.state.preferences.single_keys.set(False)
    QTest.keyPress(view, "a")
    assert tone.pressed_notes.get() == () and page(focused).hint.text() == ""
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert tone.held.get()


def test_octave_and_level_have_their_controls(sounds: OpenedWindow) -> None:
    here = page(sounds)
    tone = sounds.state.wave_synth
    assert "C2" in here.keys.accessibleName() and here.octave.text().startswith("C2")
    QTest.mouseClick(here.octave_up, Qt.MouseButton.LeftButton)
    assert tone.octave.get() == 3 and "C3" in here.keys.accessibleName()
    tone.set_octave(7)
    assert not here.octave_up.isEnabled() and here.octave_down.isEnabled()
    here.level.setFocus()
    QTest.keyClick(here.level, Qt.Key.Key_Left)
    assert tone.level.get() == pytest.approx(0.65) and here.level.accessibleDescription() == "65 percent"
    QTest.keyClick(here.level, Qt.Key.Key_Delete)
    assert tone.level.get() == 0.7
    tone.set_level(0.2)
    assert here.level.value_shown() == 0.2


def test_a_clicked_take_plays(sounds: OpenedWindow) -> None:
    sounds.state.explore.keep_take()
    sounds.state.explore.parameters.new_start(8)
    answer(sounds, wave(2))
    settle()
    strip = sounds.window.strip.list
    QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=strip.visualRect(strip.rows.index(0)).center())
    assert sounds.state.wave_synth.sounding.get() and not sounds.state.wave_synth.held.get()
    assert (sounds.state.wave_synth.wave.get() == wave()).all()


# ── Generate ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def grid(sounds: OpenedWindow) -> OpenedWindow:
    """Open Generate with three finished waves."""
    sounds.state.show_panel("generate")
    sounds.state.generate.choose_model("waves")
    sounds.state.generate.parameters.set_number(3)
    sounds.state.generate.start_batch()
    command = next(c for c in reversed(sounds.engine.sent) if isinstance(c, Sample))
    made = np.stack([wave(n) for n in (1, 2, 3)])
    prices = (-500.0, -500.0, -500.0)
    preview = PicturesPreview(job=command.job, first=0, pictures=made, done=1, total=1, log_prob=prices)
    sounds.engine.emit_events(preview)
    sounds.engine.emit_events(Finished(job=command.job))
    settle()
    return sounds


def generate_stage(studio: OpenedWindow) -> GenerateStage:
    stage = studio.window.panels["generate"].stage
    assert isinstance(stage, GenerateStage)
    return stage


def test_waves_fill_the_grid_and_a_click_plays_one(grid: OpenedWindow) -> None:
    view = generate_stage(grid).grid
    cell = view.cell_size()
    assert cell.width() == 1.5 * cell.height() and cell.width() > 150
    assert colour_mask(pixels(view), grid, "text").sum() > 500
    place = view.visualRect(view.model().index(1, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    tone = grid.state.wave_synth
    assert tone.sounding.get() and (tone.wave.get() == wave(2)).all()
    role = Qt.ItemDataRole.AccessibleTextRole
    assert view.model().index(1, 0).data(role).startswith("Wave 2 of 3")
    tone.stop()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert tone.sounding.get()  # the same wave again


def test_a_large_wave_has_keys(grid: OpenedWindow) -> None:
    stage = generate_stage(grid)
    grid.state.generate.enlarge_cell(2)
    assert stage.currentWidget() is stage.wave_page and (stage.wave_page.view.shown_wave == wave(3)).all()
    assert stage.wave_caption.words.text().startswith("Wave 3 of 3")
    QTest.mouseClick(stage.wave_page.play, Qt.MouseButton.LeftButton)
    assert grid.state.wave_synth.held.get()
    stage.show_next(-1)
    assert (grid.state.wave_synth.wave.get() == wave(2)).all() and grid.state.wave_synth.held.get()
    QTest.keyClick(grid.window, Qt.Key.Key_Escape)
    assert grid.state.generate.enlarged.index.get() is None


def test_waves_are_saved_as_wav(grid: OpenedWindow) -> None:
    grid.state.generate.choose_cell(0)
    grid.state.generate.save_picture()
    dialog = grid.window.findChild(QFileDialog)
    assert dialog is not None and dialog.defaultSuffix() == "wav" and dialog.nameFilters() == ["WAV (*.wav)"]
    dialog.reject()


def test_texts_say_waves(grid: OpenedWindow) -> None:
    inside = grid.window.panels["generate"].inspector
    assert isinstance(inside, GenerateInspector)
    assert "waves" in inside.parameters.number.toolTip()
    grid.state.generate.choose_model("tiny")
    assert "pictures" in inside.parameters.number.toolTip()


# ── classes ──────────────────────────────────────────────────────────────────────────────────────


def test_mouse_and_keys_choose_the_class(grid: OpenedWindow) -> None:
    inside = grid.window.panels["generate"].inspector
    state = grid.state.generate
    assert isinstance(inside, GenerateInspector)
    assert inside.parameters.class_field.isVisible()
    assert [inside.parameters.class_field.itemText(n) for n in range(inside.parameters.class_field.count())] == [
        "Any",
        "Bright",
        "Dark",
    ]
    inside.parameters.class_field.setFocus()
    QTest.keyClick(inside.parameters.class_field, Qt.Key.Key_Down)
    assert state.parameters.label.get() == 0
    QTest.keyClick(inside.parameters.class_field, Qt.Key.Key_Down)
    assert state.parameters.label.get() == 1
    state.start_batch()
    command = grid.engine.sent[-1]
    assert isinstance(command, Sample) and command.label == 1
    inside.parameters.class_field.showPopup()
    view = inside.parameters.class_field.view()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(1, 0)).center())
    assert state.parameters.label.get() == 0 and inside.parameters.class_field.currentText() == "Bright"
    grid.state.undo()
    assert inside.parameters.class_field.currentText() == "Dark"
    state.parameters.set_label(None)
    assert inside.parameters.class_field.currentText() == "Any"
    state.choose_model("tiny")
    assert not inside.parameters.class_field.isVisible()


def test_explore_shows_and_changes_the_class_of_its_take(sounds: OpenedWindow) -> None:
    kind = inspector(sounds).parameters.class_field
    state = sounds.state.explore
    assert kind.isVisible() and kind.currentText() == "Any class" and kind.accessibleName() == "Class"
    kind.setFocus()
    QTest.keyClick(kind, Qt.Key.Key_End)
    assert state.parameters.label.get() == 1
    command = sounds.engine.sent[-1]
    assert isinstance(command, DecodeLatent) and command.label == 1
    answer(sounds, wave(2))
    stage = sounds.window.panels["explore"].stage
    assert isinstance(stage, ExploreStage) and "Seed 7, Dark" in stage.wave_badge.detail.text()
    state.keep_take()
    state.parameters.set_label(0)
    answer(sounds, wave(3))
    state.choose_take(0)
    assert kind.currentText() == "Dark"
    state.choose_model("tiny")
    assert not kind.isVisible()


# ── a wavetable ──────────────────────────────────────────────────────────────────────────────────


def test_the_wavetable_leads_from_the_stage_to_a_take(sounds: OpenedWindow, tmp_path: Path, qtbot: QtBot) -> None:
    section = inspector(sounds).parameters.wavetable
    state = sounds.state.explore
    assert section.isVisible() and not section.take.isVisible() and "Keep another take" in section.note.text()
    for seed in (1, 2):
        state.parameters.new_start(seed)
        answer(sounds, wave(seed))
        state.keep_take()
    assert [section.take.itemText(n) for n in range(section.take.count())] == ["Take 1"]  # the stage shows take 2
    QTest.mouseClick(section.save, Qt.MouseButton.LeftButton)
    dialog = sounds.window.findChild(QFileDialog)
    assert dialog is not None and dialog.defaultSuffix() == "wav"
    dialog.fileSelected.emit(str(tmp_path / "way.wav"))
    dialog.reject()
    command = sounds.engine.sent[-1]
    assert isinstance(command, wire.Interpolate) and (command.begin.seed, command.end.seed) == (2, 1)
    assert section.save.text() == "Making" and not section.save.isEnabled()
    sounds.engine.emit_events(
        PicturesPreview(job=command.job, first=0, pictures=np.stack([wave()] * 64), done=1, total=1)
    )
    sounds.engine.emit_events(Finished(job=command.job))
    qtbot.waitUntil(lambda: (tmp_path / "way.wav").exists())
    qtbot.waitUntil(lambda: "64 frames" in message_text(sounds))
    assert section.save.isEnabled()
    state.choose_model("tiny")
    assert not section.isVisible()


def test_the_strips_menu_offers_no_wavetable_that_cannot_be_made(sounds: OpenedWindow) -> None:
    state = sounds.state.explore
    strip = sounds.window.strip.list
    state.parameters.new_start(1)
    answer(sounds, wave(1))
    state.keep_take()
    state.choose_model("tiny")
    answer(sounds, np.zeros((8, 8, 3), np.uint8))
    settle()
    strip.customContextMenuRequested.emit(strip.visualRect(strip.rows.index(0)).center())
    menu = sounds.window.strip.findChild(QMenu)
    assert menu is not None
    assert [action.text() for action in menu.actions()] == ["Show", "Copy sound", "Name…", "Move to the bin"]
    menu.close()


def test_the_strips_menu_makes_a_wavetable_too(sounds: OpenedWindow) -> None:
    state = sounds.state.explore
    strip = sounds.window.strip.list
    for seed in (1, 2):
        state.parameters.new_start(seed)
        answer(sounds, wave(seed))
        state.keep_take()
    settle()
    strip.customContextMenuRequested.emit(strip.visualRect(strip.rows.index(0)).center())
    menu = sounds.window.strip.findChild(QMenu)
    assert menu is not None
    words = [action.text() for action in menu.actions()]
    assert words == ["Show", "Copy sound", "Name…", "Wavetable from the stage to this…", "Move to the bin"]
    menu.actions()[3].trigger()
    dialog = sounds.window.findChild(QFileDialog)
    assert dialog is not None
    dialog.reject()
    menu.close()


# ── small windows ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("width", "height", "text"), [(1024, 700, 100), (1280, 800, 150), (1440, 900, 200)])
def test_no_control_moves(sounds: OpenedWindow, width: int, height: int, text: int) -> None:
    sounds.state.preferences.text_size.set(text)
    sounds.window.resize(width, height)
    settle()
    here = page(sounds)
    for part in (here.view, here.play, here.pitch, here.octave_up, here.level, here.keys):
        assert here.rect().contains(part.geometry()), (part.accessibleName(), part.geometry(), here.rect())
    assert here.view.height() >= 96 and here.play.height() >= 28 and here.octave_up.width() >= 28
    assert here.pitch.fontMetrics().horizontalAdvance(here.pitch.text()) <= here.pitch.width()
