"""The alphabet of Explore: one latent in every class, live, exported, and from a letter of the user's own."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.app.app_state import AppState
from studio.app.core.messages import UserMessage
from studio.app.panels.explore.state import ExploreState
from studio.app.panels.explore.view import ExploreInspector, ExploreStage
from studio.library import work
from studio.wire.messages import (
    AnyEvent,
    DecodeClasses,
    Decoded,
    DecodeLatent,
    Encode,
    Encoded,
    Failed,
    Finished,
    PicturesPreview,
)
from tests.app.conftest import Opener
from tests.app.fake_engine import FakeEngine
from tests.app.fake_model import make_card, write_model
from tests.app.saving import save_to
from tests.app.window_fixtures import WindowOpener, settle

CLASSES = ("a", "b", "c", "d", "e")


@pytest.fixture
def letters(two_models: Path) -> Path:
    """Add `letters`, whose networks all know five classes, and `prior`, in which only the prior knows them."""
    write_model(two_models, make_card("letters", (1, 8, 8), classes=CLASSES))
    write_model(two_models, make_card("prior", (1, 8, 8), classes=CLASSES, family=("glow", "Glow")))
    return two_models


@pytest.fixture
def window(letters: Path, opener: Opener, engine: FakeEngine) -> AppState:
    """Open Explore with a picture of `letters` on the stage."""
    window = opener(engine)
    window.show_panel("explore")
    engine.status_changed.emit("Ready")
    window.explore.choose_model("letters")
    window.explore.parameters.new_start(7)
    answer(engine, DecodeLatent)
    return window


def message(window: AppState) -> UserMessage:
    shown = window.messages.current.get()
    assert shown is not None
    return shown


def newest(engine: FakeEngine, kind: type) -> DecodeLatent | DecodeClasses | Encode:
    found = next(c for c in reversed(engine.sent) if isinstance(c, kind))
    assert isinstance(found, DecodeLatent | DecodeClasses | Encode)
    return found


def tones(first: int, count: int, grey: int) -> np.ndarray:
    """Return pictures of classes, each a little lighter than the one before."""
    return np.stack([np.full((8, 8, 1), grey + label, np.uint8) for label in range(first, first + count)])


def answer(engine: FakeEngine, kind: type, grey: int = 100) -> None:
    """Answer the newest question of a kind."""
    job = newest(engine, kind).job
    events: list[AnyEvent] = [Decoded(job=job, picture=tones(0, 1, grey)[0])]
    if kind is DecodeClasses:
        events = [
            PicturesPreview(job=job, first=first, pictures=tones(first, count, grey), done=1, total=1)
            for first, count in ((0, 3), (3, 2))
        ]
    engine.emit_events(*events, Finished(job=job))


def greys(explore: ExploreState) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in explore.alphabet.pictures.get()]


def test_the_alphabet_follows_a_slider_and_keeps_one_request_open(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    explore.toggle_alphabet()
    command = newest(engine, DecodeClasses)
    assert isinstance(command, DecodeClasses) and (command.model, command.point.seed) == ("letters", 7)
    answer(engine, DecodeClasses, 50)
    assert greys(explore) == [50, 51, 52, 53, 54]
    for n in range(1, 20):
        explore.parameters.set_slider(0, n / 20)
    waiting = newest(engine, DecodeClasses)
    assert isinstance(waiting, DecodeClasses) and waiting.point.sliders[0] == 0.05
    engine.emit_events(PicturesPreview(job=waiting.job, first=0, pictures=tones(0, 3, 80), done=1, total=1))
    assert greys(explore) == [80, 81, 82, 53, 54], "they are replaced as they arrive"
    assert explore.alphabet.artworks() == (), "they are of different inputs"
    engine.emit_events(Finished(job=waiting.job))
    last = newest(engine, DecodeClasses)
    assert isinstance(last, DecodeClasses) and last.point.sliders[0] == 0.95
    explore.toggle_alphabet()
    explore.parameters.set_slider(0, 2.0)
    assert newest(engine, DecodeClasses) is last


def test_the_alphabet_is_saved_as_single_pictures_or_on_one_sheet(
    window: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    explore = window.explore
    explore.toggle_alphabet()
    explore.save_picture()
    assert "not finished" in message(window).text
    answer(engine, DecodeClasses)
    save_to(window, tmp_path, explore.save_picture)
    qtbot.waitUntil(lambda: len(list(tmp_path.glob("*.png"))) == 5)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        f"letters-7-{number:02}-{name}.png" for number, name in enumerate(CLASSES)
    ]
    explore.exporter.settings.choose_sheet(True)
    sheet = tmp_path / "all.png"
    (proposed,) = save_to(window, sheet, explore.save_picture)
    assert proposed.endswith("-sheet.png")
    qtbot.waitUntil(sheet.exists)
    pixels = np.asarray(Image.open(sheet))
    found = work.decode_sheet(sheet.read_bytes(), pixels[..., None] if pixels.ndim == 2 else pixels)
    assert [(made.seed, made.label) for _, made in found] == [(7, label) for label in range(5)]


def test_a_letter_of_my_own_gets_its_alphabet(
    window: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    own = tmp_path / "own.png"
    Image.new("L", (8, 8), 90).save(own)
    explore = window.explore
    explore.open_file(own)
    qtbot.waitUntil(lambda: explore.importing.preview.get() is not None)
    explore.importing.encode_preview()
    job = newest(engine, Encode).job
    latent = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    encoded = Encoded(
        job=job,
        latent=latent,
        label=2,
        exact=True,
        differing=0,
        total=64,
        largest_difference=0,
        bits=9.0,
        is_bound=True,
    )
    engine.emit_events(encoded, Finished(job=job))
    answer(engine, DecodeLatent)
    explore.toggle_alphabet()
    command = newest(engine, DecodeClasses)
    assert isinstance(command, DecodeClasses) and command.point.latent is not None
    assert np.array_equal(command.point.latent, latent)
    answer(engine, DecodeClasses)
    made = explore.alphabet.artworks()[4].work
    assert (made.source, made.label) == ("own.png", 4) and made.latent is not None


def test_another_model_without_an_alphabet_shows_its_picture(window: AppState, engine: FakeEngine) -> None:
    explore = window.explore
    explore.toggle_alphabet()
    answer(engine, DecodeClasses)
    explore.choose_model("prior")
    explore.parameters.new_start(3)
    assert not explore.alphabet.shown.get()
    explore.toggle_alphabet()
    assert not explore.alphabet.shown.get()
    assert "keeps no style" in message(window).text


def test_a_failed_alphabet_can_be_drawn_again(window: AppState, engine: FakeEngine) -> None:
    window.explore.toggle_alphabet()
    job = newest(engine, DecodeClasses).job
    engine.emit_events(Failed(job=job, reason="The memory was too small.", hint=""))
    shown = message(window)
    assert shown.text == "The memory was too small."
    shown.buttons[0][1]()
    assert newest(engine, DecodeClasses).job != job


def test_the_sheet_is_on_the_stage_and_a_click_chooses_a_letter(letters: Path, window_opener: WindowOpener) -> None:
    studio = window_opener()
    state = studio.state
    panel = studio.window.panels["explore"]
    stage, inspector = panel.stage, panel.inspector
    assert isinstance(stage, ExploreStage) and isinstance(inspector, ExploreInspector)
    state.show_panel("explore")
    studio.start_engine()
    button = inspector.parameters.alphabet
    state.explore.choose_model("tiny")
    assert button.isHidden() and inspector.parameters.export.sheet.isHidden(), "it has no classes"
    state.explore.choose_model("letters")
    state.explore.parameters.new_start(7)
    answer(studio.engine, DecodeLatent)
    settle()
    assert inspector.parameters.export.sheet.isVisibleTo(inspector)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert stage.currentWidget() is stage.page, "the picture stays until the alphabet is there"
    answer(studio.engine, DecodeClasses)
    settle()
    assert stage.currentWidget() is stage.alphabet
    assert button.text() == "One class alone"
    view = stage.alphabet.view
    shown = view.shown_picture
    assert shown is not None
    row, column = (int(found[0]) for found in np.nonzero(shown[..., 0] == 103))  # the fourth class, d
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.pixel_rect(row + 4, column + 4).center().toPoint())
    settle()
    command = newest(studio.engine, DecodeLatent)
    assert isinstance(command, DecodeLatent) and msgspec.structs.asdict(command)["label"] == 3
    answer(studio.engine, DecodeLatent)
    assert stage.currentWidget() is stage.page
