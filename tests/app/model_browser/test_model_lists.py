"""Lists of models have groups, a search, favourites, and cards that describe the models."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from studio.app.model_browser.cards_view import CardList
from studio.app.model_browser.picker_view import ModelPopup
from studio.app.panels.generate.view import GenerateInspector
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, WindowOpener, settle

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
ACCESSIBLE = Qt.ItemDataRole.AccessibleTextRole


@pytest.fixture(autouse=True)
def more_models(two_models: Path) -> None:
    """Add `waves`, `brush` (pixel by pixel) and `digits`.

    `digits` is a study that a sort by name would put first.
    """
    write_model(two_models, make_card("waves", (64,)))
    write_model(two_models, make_card("brush", family=("pixelcnn_pp", "PixelCNN++")))
    write_model(two_models, msgspec.structs.replace(make_card("digits"), group="study", subject="Handwritten digits"))


@pytest.fixture
def popup(studio: OpenedWindow) -> Iterator[ModelPopup]:
    opened = open_list(studio)
    yield opened
    close(opened)


def open_list(studio: OpenedWindow) -> ModelPopup:
    QTest.keyClick(studio.window, Qt.Key.Key_L, CONTROL)
    settle()
    popup = studio.window.open_bar.picker.model_popup
    assert popup is not None
    return popup


def close(popup: ModelPopup) -> None:
    """Close the list unless it was closed and thereby deleted."""
    if shiboken6.isValid(popup):
        popup.close()
    settle()


def row_texts(cards: CardList) -> list[str]:
    """Return the rows' accessible texts up to the first comma."""
    model = cards.model()
    return [model.index(row, 0).data(ACCESSIBLE).partition(",")[0] for row in range(model.rowCount())]


def click_star(cards: CardList, name: str) -> None:
    place = cards.star_rect(cards.visualRect(cards.index_of(name))).center()
    QTest.mouseClick(cards.viewport(), LEFT, pos=place)


def test_models_stand_below_the_heading_of_their_card(popup: ModelPopup) -> None:
    assert row_texts(popup.cards) == ["Pictures", "Brush", "Tiny", "Tones", "Sound", "Waves", "Studies", "Digits"]


def test_a_click_chooses_a_model_and_its_row_describes_it(studio: OpenedWindow, popup: ModelPopup) -> None:
    heard = popup.cards.index_of("tiny").data(ACCESSIBLE)
    assert all(word in heard for word in ("Tiny", "RealNVP", "Squares", "3.00 bits"))
    assert "pixel by pixel" in popup.cards.index_of("brush").data(ACCESSIBLE)
    assert "sound" in popup.cards.index_of("waves").data(ACCESSIBLE)
    popup.grab()
    QTest.mouseClick(popup.cards.viewport(), LEFT, pos=popup.cards.visualRect(popup.cards.index_of("tones")).center())
    chosen = studio.state.generate.model.get()
    assert chosen is not None and chosen.card.name == "tones"
    assert studio.window.open_bar.facts.text().startswith("RealNVP · 4 × 4")
    QTest.qWait(0)
    assert not shiboken6.isValid(popup)


def test_a_heading_cannot_be_chosen(studio: OpenedWindow, popup: ModelPopup) -> None:
    before = studio.state.generate.model.get()
    heading = popup.cards.visualRect(popup.cards.model().index(0, 0)).center()
    QTest.mouseClick(popup.cards.viewport(), LEFT, pos=heading)
    assert studio.state.generate.model.get() == before
    assert popup.isVisible()


def test_arrows_skip_headings_and_choose_only_on_enter(studio: OpenedWindow, popup: ModelPopup) -> None:
    assert popup.field.hasFocus()
    before = studio.state.generate.model.get()
    assert before is not None and before.card.name == "brush"
    for _ in range(3):
        QTest.keyClick(popup.field, Qt.Key.Key_Down)
    assert studio.state.generate.model.get() == before
    QTest.keyClick(popup.field, Qt.Key.Key_Return)
    chosen = studio.state.generate.model.get()
    assert chosen is not None and chosen.card.name == "waves"


def test_a_search_finds_models_by_words_of_their_card(studio: OpenedWindow, popup: ModelPopup) -> None:
    QTest.keyClicks(popup.field, "handwritten DIG")
    assert row_texts(popup.cards) == ["Studies", "Digits"]
    QTest.keyClick(popup.field, Qt.Key.Key_Return)
    chosen = studio.state.generate.model.get()
    assert chosen is not None and chosen.card.name == "digits"


def test_an_empty_search_result_repeats_the_typed_text(studio: OpenedWindow, popup: ModelPopup) -> None:
    before = studio.state.generate.model.get()
    QTest.keyClicks(popup.field, "roses")
    assert popup.note.isVisible()
    assert '"roses"' in popup.note.text()
    QTest.keyClick(popup.field, Qt.Key.Key_Return)
    assert studio.state.generate.model.get() == before
    popup.field.clear()
    assert not popup.note.isVisible()


def test_favourites_stand_first_and_survive_a_restart(
    studio: OpenedWindow, popup: ModelPopup, window_opener: WindowOpener
) -> None:
    before = studio.state.generate.model.get()
    order = row_texts(popup.cards)
    click_star(popup.cards, "digits")
    assert studio.state.generate.model.get() == before  # a star chooses nothing
    assert popup.isVisible() and row_texts(popup.cards) == order  # and the rows keep their positions
    assert popup.cards.index_of("digits").data(ACCESSIBLE).endswith(", favourite")
    close(popup)
    again = window_opener()
    popup = open_list(again)
    assert row_texts(popup.cards)[:3] == ["Favourites", "Digits", "Pictures"]
    assert "Studies" not in row_texts(popup.cards)
    popup.cards.setFocus()
    popup.cards.setCurrentIndex(popup.cards.index_of("digits"))
    QTest.keyClick(popup.cards, Qt.Key.Key_S)
    close(popup)
    popup = open_list(again)
    assert row_texts(popup.cards)[-2:] == ["Studies", "Digits"]
    close(popup)


def test_the_star_beside_the_title_marks_the_same_favourite(studio: OpenedWindow) -> None:
    inspector = studio.window.panels["generate"].inspector
    assert isinstance(inspector, GenerateInspector)
    QTest.mouseClick(inspector.card.star, LEFT)
    assert studio.state.models.favourites.get() == {"brush"}
    assert inspector.card.star.isChecked()
    studio.state.generate.choose_model("tones")
    assert not inspector.card.star.isChecked()
    studio.state.generate.choose_model("brush")
    QTest.mouseClick(inspector.card.star, LEFT)
    assert not studio.state.models.favourites.get()


@pytest.mark.parametrize(("width", "height", "text"), [(1024, 700, 100), (1440, 900, 100), (1024, 700, 200)])
def test_the_list_stays_on_the_screen(studio: OpenedWindow, width: int, height: int, text: int) -> None:
    studio.window.resize(width, height)
    studio.state.preferences.text_size.set(text)
    settle()
    popup = open_list(studio)
    room = popup.screen().availableGeometry()
    picker = studio.window.open_bar.picker
    assert picker.mapToGlobal(QPoint(0, picker.height() + 4)).y() + popup.height() <= room.bottom() + 1
    assert popup.width() <= room.width()
    for part in (popup.field, popup.cards, popup.add):
        corner = part.mapTo(popup, QPoint(0, 0))
        assert part.isVisible() and popup.rect().contains(corner) and part.height() >= 28
        assert popup.rect().contains(corner + QPoint(part.width() - 1, part.height() - 1))
    close(popup)
