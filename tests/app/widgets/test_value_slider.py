"""A slider follows the mouse, the keys and typed values."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QSlider
from pytestqt.qtbot import QtBot

from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import ValueSlider, format_value
from tests.app.window_fixtures import double_click, drag, shown


class Noted:
    """Holds a slider, the value that a state would have, and the slider's signals."""

    def __init__(self, slider: ValueSlider) -> None:
        self.slider = slider
        self.value = 0.0
        self.signals = []
        slider.moved.connect(self.move)
        slider.home_requested.connect(lambda: (self.signals.append("home"), self.move(0.0)))
        slider.grabbed.connect(lambda: self.signals.append("grabbed"))
        slider.released.connect(lambda: self.signals.append("let go"))
        slider.renamed.connect(lambda name: self.signals.append(name))

    def move(self, value: float) -> None:
        self.value = value
        self.slider.show_value(value)

    def x(self, value: float) -> float:
        return 7 + (value + 4) / 8 * (self.slider.slider.width() - 14)


@pytest.fixture
def noted(qtbot: QtBot) -> Iterator[Noted]:
    slider = ValueSlider(Theme(), "Warmth", -4.0, 4.0, 0.0, (-2.0, 2.0), tooltip="Move it", may_rename=True)
    qtbot.addWidget(slider)
    shown(slider, Theme(), 288, 46)
    yield Noted(slider)


def test_a_drag_is_one_gesture(noted: Noted) -> None:
    drag(noted.slider.slider, [noted.x(0), noted.x(0.5), noted.x(1.24)])
    assert noted.value == pytest.approx(1.24, abs=0.02)
    assert noted.signals == ["grabbed", "let go"]
    assert noted.slider.value.text() == "+1.24"


def test_a_click_beside_the_handle_moves_it_there(noted: Noted) -> None:
    drag(noted.slider.slider, [noted.x(-2)])
    assert noted.value == pytest.approx(-2, abs=0.03)


def test_shift_drags_ten_times_finer(noted: Noted) -> None:
    noted.move(1.0)
    drag(noted.slider.slider, [noted.x(1), noted.x(2)], shift=True)
    assert noted.value == pytest.approx(1.1, abs=0.02)


def test_it_snaps_home_but_not_with_shift(noted: Noted) -> None:
    noted.move(1.0)
    drag(noted.slider.slider, [noted.x(1), noted.x(0) + 2])
    assert noted.value == 0
    noted.move(0.2)
    drag(noted.slider.slider, [noted.x(0.2), noted.x(0.2) - 55], shift=True)
    assert 0 < abs(noted.value) < 0.05


def test_escape_restores_the_old_value(noted: Noted) -> None:
    noted.move(1.0)
    drag(noted.slider.slider, [noted.x(1), noted.x(3)], release=False)
    assert noted.value == pytest.approx(3, abs=0.03)
    QTest.keyClick(noted.slider.slider, Qt.Key.Key_Escape)
    assert noted.value == 1.0
    assert noted.signals == ["grabbed", "let go"]


@pytest.mark.parametrize(
    ("key", "shift", "value"),
    [
        (Qt.Key.Key_Right, False, 0.05),
        (Qt.Key.Key_Left, False, -0.05),
        (Qt.Key.Key_Right, True, 0.01),
        (Qt.Key.Key_PageUp, False, 0.5),
        (Qt.Key.Key_PageDown, False, -0.5),
        (Qt.Key.Key_Home, False, -4.0),
        (Qt.Key.Key_End, False, 4.0),
    ],
)
def test_keys_move_the_slider(noted: Noted, key: Qt.Key, shift: bool, value: float) -> None:
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    QTest.keyClick(noted.slider.slider, key, modifier)
    assert noted.value == pytest.approx(value)


def test_delete_and_a_double_click_send_it_home(noted: Noted) -> None:
    noted.move(1.5)
    QTest.keyClick(noted.slider.slider, Qt.Key.Key_Delete)
    assert (noted.value, noted.signals) == (0.0, ["home"])
    noted.move(1.5)
    double_click(noted.slider.slider)
    assert noted.value == 0.0


@pytest.mark.parametrize(
    ("typed", "value"),
    [("1.24", 1.24), ("−2", -2.0), ("-2", -2.0), ("0,5", 0.5), ("home", 0.0), ("99", 4.0), ("rose", 1.0), ("nan", 1.0)],
)
def test_values_are_typed(noted: Noted, typed: str, value: float) -> None:
    noted.move(1.0)
    field = noted.slider.value
    field.selectAll()
    field.insert(typed)  # QTest types ASCII only
    field.setModified(True)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert noted.value == pytest.approx(value)
    assert field.text() == format_value(value, signed=True)


def test_the_wheel_acts_only_with_the_focus(noted: Noted) -> None:
    slider_widget = noted.slider.slider
    at = QPointF(slider_widget.rect().center())

    def send_wheel() -> bool:
        event = QWheelEvent(
            at, QPointF(slider_widget.mapToGlobal(at)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(slider_widget, event)
        return event.isAccepted()

    slider_widget.clearFocus()
    assert not send_wheel()
    assert noted.value == 0
    noted.slider.activateWindow()
    slider_widget.setFocus()
    assert send_wheel()
    assert noted.value == pytest.approx(0.05)


def test_a_name_is_changed_over_the_name(noted: Noted) -> None:
    double_click(noted.slider.name)
    field = next(f for f in noted.slider.findChildren(QLineEdit) if f.accessibleName() == "Name of Warmth")
    field.selectAll()
    QTest.keyClicks(field, "Petals open")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert noted.signals == ["Petals open"]


def test_a_screen_reader_hears_name_value_home_and_range(noted: Noted) -> None:
    slider_widget = noted.slider.slider
    noted.move(1.24)
    assert isinstance(slider_widget, QSlider)
    assert slider_widget.accessibleName() == "Warmth"
    assert slider_widget.accessibleDescription().startswith("plus 1.24")
    assert not noted.slider.note.isVisible()
    noted.move(-2.6)
    assert slider_widget.accessibleDescription().startswith("minus 2.60")
    assert noted.slider.note.isVisible() and "outside" in noted.slider.note.text()


def test_a_value_from_the_state_is_not_emitted_again(noted: Noted) -> None:
    noted.slider.show_value(2.0)
    assert (noted.value, noted.signals, noted.slider.value.text()) == (0.0, [], "+2.00")


def test_an_unsafe_value_is_marked_and_the_groove_is_thin_there(qtbot: QtBot) -> None:
    slider = ValueSlider(Theme(), "Temperature", 0.0, 2.0, 0.7)
    qtbot.addWidget(slider)
    shown(slider, Theme(), 288, 46)

    def groove_height(value: float) -> int:
        """Return the height of the slider_widget at a value in pixels, from top to bottom."""
        x = round(7 + value / 2 * (slider.slider.width() - 14))
        picture = slider.slider.grab().toImage()
        ground = picture.pixelColor(x, 1)
        return sum(picture.pixelColor(x, y) != ground for y in range(picture.height()))

    slider.show_value(1.5)
    assert not slider.note.isVisible() and groove_height(0.1) == groove_height(1.9)
    slider.show_safe((0.0, 1.0))
    assert slider.note.isVisible() and "outside" in slider.note.text()
    assert slider.value.text() == "1.50"
    assert groove_height(1.9) < groove_height(0.1)
    heard = slider.slider.accessibleDescription()
    assert heard.startswith("1.50") and heard.endswith("outside the safe range")
    slider.show_value(1.0)
    assert not slider.note.isVisible()
    slider.show_safe(None)
    slider.show_value(2.0)
    assert not slider.note.isVisible()
