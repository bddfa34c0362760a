"""Tests that a message has its own place, and disappears after its time, with its panel, or once it is untrue."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from studio.app import app_state
from studio.app.core.artwork import Artwork
from studio.library.work import Work
from studio.wire.messages import Decoded, Failed, Finished, PicturesPreview, Sample, SoundChunk, Stopped, StreamSound
from studio.wire.messages import DecodeLatent as Asked
from tests.app.fake_model import make_card, write_model
from tests.app.window.test_layout import check, resize
from tests.app.window_fixtures import OpenedWindow, WindowOpener, picture, settle

SIZES = [(1024, 700, 100), (1440, 900, 100), (1024, 700, 200), (1440, 900, 200)]
LEFT = Qt.MouseButton.LeftButton
WAVE = np.rint(9000 * np.sin(np.arange(32) * np.pi / 16)).astype(np.int16)
TOLD = "The disk is full: the picture was not saved. It is still here. Free about 2 MB or choose another place."


@pytest.fixture
def full(window_opener: WindowOpener, two_models: Path) -> OpenedWindow:
    """Open the window with models for everything that a stage can show."""
    write_model(two_models, make_card("rows", family=("pixelcnn", "PixelCNN")))
    write_model(two_models, make_card("cycles", (32,)))
    write_model(two_models, make_card("hum", (16_000,), family=("wavenet", "WaveNet"), rate=16_000))
    studio = window_opener()
    studio.start_engine()
    return studio


def draw(studio: OpenedWindow, one: np.ndarray) -> None:
    """Answer the newest batch with this picture or wave."""
    asked = next(c for c in reversed(studio.engine.sent) if isinstance(c, Sample))
    many = len(asked.seeds)
    drawn = PicturesPreview(
        job=asked.job, first=0, pictures=np.stack([one] * many), done=1, total=1, log_prob=(-1000.0,) * many
    )
    studio.engine.emit_events(drawn, Finished(job=asked.job))


def grid(studio: OpenedWindow) -> None:
    studio.state.show_panel("generate")
    studio.state.generate.parameters.set_number(24)
    studio.state.generate.start_batch()
    draw(studio, picture(90))


def large(studio: OpenedWindow) -> None:
    studio.state.generate.choose_model("rows")
    grid(studio)
    studio.state.generate.enlarge_cell(0)


def large_wave(studio: OpenedWindow) -> None:
    studio.state.show_panel("generate")
    studio.state.generate.choose_model("cycles")
    studio.state.generate.start_batch()
    draw(studio, WAVE)
    studio.state.generate.enlarge_cell(0)


def explored(studio: OpenedWindow, answer: np.ndarray | None = None) -> None:
    studio.state.show_panel("explore")
    if answer is None:
        studio.state.explore.choose_model("tiny")
    studio.state.explore.parameters.new_start(3)
    asked = next(c for c in reversed(studio.engine.sent) if isinstance(c, Asked))
    shown = picture(90) if answer is None else answer
    studio.engine.emit_events(Decoded(job=asked.job, picture=shown), Finished(job=asked.job))


def explored_wave(studio: OpenedWindow) -> None:
    studio.state.explore.choose_model("cycles")
    explored(studio, WAVE)


def completed(studio: OpenedWindow) -> None:
    studio.state.complete.canvas.open_work(Artwork(picture(200), Work(model="rows", model_hash="", seed=4)))


def played(studio: OpenedWindow) -> None:
    studio.state.show_panel("sound")
    studio.state.sound.play()
    asked = next(c for c in reversed(studio.engine.sent) if isinstance(c, StreamSound))
    noise = np.zeros(16_000, np.int16)
    bits = np.full(16_000, 2.5, np.float32)
    studio.engine.emit_events(SoundChunk(job=asked.job, first_sample=0, samples=noise, bits=bits, speed=3.0))


STAGES: dict[str, Callable[[OpenedWindow], object]] = {
    "first launch": lambda studio: None,
    "grid": grid,
    "large picture": large,
    "large wave with its keyboard": large_wave,
    "explore": explored,
    "explore a wave": explored_wave,
    "complete": completed,
    "sound": played,
}


def under(studio: OpenedWindow) -> list[str]:
    """Return the widgets that overlap with the message."""
    frame = studio.window
    found = []
    message = frame.message.geometry()
    for widget in frame.findChildren(QWidget):
        if not widget.isVisible() or frame.message.isAncestorOf(widget) or widget is frame.message:
            continue
        if any(child.isVisible() for child in widget.findChildren(QWidget)):
            continue  # a container: its children count
        place = QRect(widget.mapTo(frame, QPoint()), widget.size())
        parent = widget.parentWidget()
        while parent is not None and parent is not frame:
            place &= QRect(parent.mapTo(frame, QPoint()), parent.size())
            parent = parent.parentWidget()
        if place.intersects(message):
            found.append(f"{type(widget).__name__} {widget.accessibleName()!r} {place} under {message}")
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_message_has_room_of_its_own(full: OpenedWindow, stage: str) -> None:
    STAGES[stage](full)
    for width, height, text in SIZES:
        full.state.messages.dismiss()
        resize(full, width, height, text)
        full.state.messages.show_message(TOLD, "failed", ("Save elsewhere…", lambda: None), ("Try again", lambda: None))
        for shown in (False, True):
            if shown != full.window.open_panel.inspector.isVisible():
                full.window.toggle_inspector()
            settle()
            assert under(full) == []
            assert full.window.rect().contains(full.window.message.geometry())
            assert all(button.visibleRegion().boundingRect() == button.rect() for button in full.window.message.buttons)
            check(full)
        assert full.window.message.isVisible()


def on_stage(studio: OpenedWindow) -> QRect:
    """Return the rectangle of the open panel's contents in the window."""
    inside = studio.window.stage.currentWidget()
    return QRect(inside.mapTo(studio.window, QPoint()), inside.size())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_yields_only_if_it_must_and_comes_back(full: OpenedWindow, stage: str) -> None:
    STAGES[stage](full)
    full.state.messages.dismiss()
    for width, height, moves in ((1024, 700, True), (1440, 900, False)):
        resize(full, width, height, 100)
        before = on_stage(full)
        full.state.messages.show_message(TOLD, "failed")
        settle()
        now = on_stage(full)
        message = full.window.message.geometry()
        assert (now != before) == moves
        assert (now.topLeft(), now.width()) == (before.topLeft(), before.width())
        assert now.bottom() < message.top() < message.bottom() <= full.window.stage.geometry().bottom()
        full.state.messages.dismiss()
        settle()
        assert on_stage(full) == before


def test_nothing_moves_during_a_drag(full: OpenedWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    completed(full)
    settle()
    resize(full, 1024, 700, 100)
    before = on_stage(full)
    held = [LEFT]
    monkeypatch.setattr(QApplication, "mouseButtons", lambda: held[0])
    full.state.messages.show_message("The disk is full.", "failed")
    qtbot.wait(200)
    assert on_stage(full) == before
    held[0] = Qt.MouseButton.NoButton
    qtbot.waitUntil(full.window.message.isVisible)


# ── duration ─────────────────────────────────────────────────────────────────────────────────────


def text(studio: OpenedWindow) -> str:
    said = studio.state.messages.current.get()
    assert studio.window.message.isVisible() == (said is not None)
    return said.text if said is not None else ""


def test_a_message_that_arrives_after_its_panel_was_left_goes_with_the_next_panel(full: OpenedWindow) -> None:
    full.state.show_panel("sound")
    messages = full.state.messages.for_panel("sound")
    full.state.show_panel("explore")
    messages.show_message("No device for sound was found.", "warn")
    full.state.show_panel("complete")
    assert full.state.messages.current.get() is None
    messages.show_message("No device for sound was found.", "warn")
    full.state.show_panel("sound")
    assert full.state.messages.current.get() is not None, "this is where it belongs"


def test_a_message_of_a_panel_goes_with_it_and_one_of_the_window_stays(full: OpenedWindow) -> None:
    completed(full)
    full.state.complete.start_batch()
    assert text(full).startswith("Nothing is marked")
    full.state.show_panel("explore")
    assert text(full) == ""
    full.state.messages.show_message("The settings were not saved.", "failed")
    full.state.show_panel("complete")
    assert text(full) == "The settings were not saved."


def test_what_fails_in_a_panel_that_is_not_in_front_waits_for_it(full: OpenedWindow) -> None:
    full.state.generate.start_batch()
    full.state.show_panel("explore")
    full.engine.emit_events(Failed(job=full.engine.sent[-1].job, reason="Memory ran out.", hint="Make fewer."))
    assert text(full) == "Memory ran out. Make fewer."
    full.state.show_panel("generate")
    assert text(full) == "Memory ran out. Make fewer."
    full.state.show_panel("sound")
    assert text(full) == ""


def test_a_failure_goes_when_it_is_tried_again_by_another_way(full: OpenedWindow) -> None:
    generate = full.state.generate
    generate.start_batch()
    full.engine.emit_events(Failed(job=full.engine.sent[-1].job, reason="Memory ran out.", hint="Make fewer."))
    assert text(full)
    QTest.mouseClick(full.window.panels["generate"].foot.main_button, LEFT)  # type: ignore[attr-defined]
    assert text(full) == ""
    full.engine.emit_events(Stopped(job=full.engine.sent[-1].job))
    assert text(full).startswith("Stopped")
    QTest.mouseClick(full.window.panels["generate"].stage.caption.continue_link, LEFT)  # type: ignore[attr-defined]
    assert text(full) == ""


def test_a_hole_that_was_missed_is_not_missed_once_it_is_painted(full: OpenedWindow) -> None:
    completed(full)
    full.state.complete.start_batch()
    assert text(full).startswith("Nothing is marked")
    full.state.complete.canvas.brush.start_stroke((1.5, 1.5))
    assert text(full) == ""


def test_the_message_of_a_deleted_take_goes_when_it_is_restored(full: OpenedWindow) -> None:
    explored(full)
    full.state.explore.keep_take()
    full.state.explore.selection.delete_take(0)
    assert text(full) == "Take 1 is in the bin."
    full.state.undo()
    assert text(full) == ""


def test_the_message_of_a_dead_engine_goes_when_it_is_back(
    full: OpenedWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_state, "READING_TIME", 300)
    full.engine.die()
    assert "stopped unexpectedly" in text(full)
    full.engine.status_changed.emit("Starting")
    full.engine.status_changed.emit("Ready")
    assert "stopped unexpectedly" in text(full), "long enough to be read"
    qtbot.waitUntil(lambda: text(full) == "")
