"""A temperature outside the safe range is marked wherever it can be set."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from studio.app.app_state import AppState
from studio.app.panels.complete.inspector_view import CompleteInspector
from studio.app.panels.explore.inspector_view import ParametersSection
from studio.app.panels.generate.view import GenerateInspector
from studio.app.panels.sound.inspector_view import SoundInspector
from studio.app.panels.sound.player_view import PlayerView
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE, ValueSlider
from tests.app.fake_model import make_card, write_model
from tests.app.window_fixtures import OpenedWindow, settle


@pytest.fixture(autouse=True)
def more_models(two_models: Path) -> None:
    """Add `rows`, drawn pixel by pixel, and `whistle`, a recordings model best at 1.05."""
    write_model(two_models, make_card("rows", family=("pixelcnn_pp", "PixelCNN++")))
    write_model(two_models, msgspec.structs.replace(make_card("whistle", (2,), rate=8000), temperature=1.05))


def temperature_slider(studio: OpenedWindow, panel: str) -> ValueSlider:
    """Return the temperature slider of the open panel."""
    studio.state.show_panel(panel)
    settle()
    inspector = studio.window.panels[panel].inspector
    if isinstance(inspector, CompleteInspector):
        return inspector.settings.parameters.temperature
    assert isinstance(inspector, GenerateInspector | SoundInspector)
    return inspector.parameters.temperature


def states(state: AppState) -> dict[str, Any]:
    return {
        "generate": state.generate.parameters,
        "complete": state.complete.parameters,
        "sound": state.sound.parameters,
    }


@pytest.mark.parametrize(("panel", "most"), [("generate", 1.0), ("complete", 1.0), ("sound", 1.05)])
def test_a_temperature_slider_marks_values_beyond_its_safe_range(studio: OpenedWindow, panel: str, most: float) -> None:
    slider = temperature_slider(studio, panel)
    dials = states(studio.state)[panel]
    for value in (0.3, most):
        dials.set_temperature(value)
        assert not slider.note.isVisible(), value
    dials.set_temperature(most + 0.01)
    assert slider.note.isVisible() and slider.note.text() == OUTSIDE_SAFE_RANGE
    assert slider.slider.accessibleDescription().endswith(f"safe 0 to {most:g}, {OUTSIDE_SAFE_RANGE}")
    assert slider.value.text() == f"{most + 0.01:.2f}"


def test_another_model_has_its_own_range(studio: OpenedWindow, two_models: Path) -> None:
    write_model(two_models, msgspec.structs.replace(make_card("wild"), temperature=1.2))
    studio.state.models.refresh_models()
    slider = temperature_slider(studio, "generate")
    studio.state.generate.choose_model("wild")
    studio.state.generate.parameters.set_temperature(1.15)
    assert not slider.note.isVisible()
    studio.state.generate.choose_model("tones")
    studio.state.generate.parameters.set_temperature(1.15)
    assert slider.note.isVisible()


def test_explore_names_the_scales_beyond_the_safe_range(studio: OpenedWindow) -> None:
    studio.state.show_panel("explore")
    studio.state.explore.choose_model("tiny")  # three scales
    settle()
    directions = studio.window.panels["explore"].inspector.findChild(ParametersSection)
    assert directions is not None
    assert not directions.temperatures_note.isVisible()
    studio.state.explore.parameters.set_temperature(0, 1.4)
    studio.state.explore.parameters.set_temperature(2, 1.1)
    assert directions.temperatures_note.isVisible()
    assert directions.temperatures_note.text() == f"Coarse, Fine: {OUTSIDE_SAFE_RANGE}"
    assert [slider.note.isVisible() for slider in directions.temperatures] == [False] * 3
    studio.state.explore.parameters.reset_temperatures()
    assert not directions.temperatures_note.isVisible()
    studio.state.explore.choose_model("tones")  # one
    settle()
    studio.state.explore.parameters.set_temperature(0, 1.4)
    assert directions.temperatures[0].note.isVisible()
    assert not directions.temperatures_note.isVisible()


def test_the_brush_is_marked_if_it_exceeds_the_safe_range(studio: OpenedWindow) -> None:
    inspector = studio.window.panels["complete"].inspector
    assert isinstance(inspector, CompleteInspector)
    brush = inspector.settings.temperature_factor
    painting = studio.state.complete.canvas.brush
    studio.state.complete.parameters.set_temperature(0.5)
    painting.set_temperature_factor(1.9)
    assert not brush.is_outside_safe_range
    studio.state.complete.parameters.set_temperature(0.6)
    assert brush.is_outside_safe_range
    studio.state.complete.parameters.set_temperature(0.0)  # any factor of 0 is 0
    assert not brush.is_outside_safe_range


def count_warnings(picture: QImage, warn: str) -> int:
    """Return the number of pixels that have the colour of a warning."""
    places = ((x, y) for x in range(picture.width()) for y in range(picture.height()))
    return sum(picture.pixelColor(x, y).name() == warn.lower() for x, y in places)


def test_the_temperature_lane_marks_values_beyond_the_safe_range(studio: OpenedWindow) -> None:
    studio.state.show_panel("sound")
    settle()
    player = studio.window.panels["sound"].stage.findChild(PlayerView)
    assert player is not None
    lane = player.lanes.temperature
    moment = player.lanes.playhead
    warn = studio.theme.tokens.warn
    player.lanes.timeline.made = 10.0
    player.lanes.timeline.show_all()
    studio.state.sound.set_temperature_curve([(0.0, 0.5), (4.0, 1.05)])
    settle()
    assert lane.accessibleDescription() == "safe 0 to 1.05"
    assert OUTSIDE_SAFE_RANGE not in lane.rows.index(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert not count_warnings(lane.viewport().grab().toImage(), warn)
    studio.state.sound.set_temperature_curve([(0.0, 1.2), (4.0, 1.06), (5.0, 0.5)])
    settle()
    assert lane.accessibleDescription() == f"safe 0 to 1.05, {OUTSIDE_SAFE_RANGE}"
    texts = [lane.rows.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(3)]
    assert [OUTSIDE_SAFE_RANGE in text for text in texts] == [True, True, False]
    assert f"temperature 1.20, {OUTSIDE_SAFE_RANGE}" in moment.accessibleDescription()
    assert count_warnings(lane.viewport().grab().toImage(), warn) > 50


def test_a_temperature_slider_marks_values_that_gave_blank_or_saturated_works(
    studio: OpenedWindow, two_models: Path
) -> None:
    """The model worked between 0.25 and 0.9 when that was measured; home is 0.7."""
    write_model(two_models, msgspec.structs.replace(make_card("moody"), temperature_range=(0.25, 0.9)))
    studio.state.models.refresh_models()
    slider = temperature_slider(studio, "generate")
    studio.state.generate.choose_model("moody")
    for value, marked in ((0.2, True), (0.25, False), (0.7, False), (0.9, False), (0.95, True)):
        studio.state.generate.parameters.set_temperature(value)
        assert slider.note.isVisible() == marked, value
    assert "safe 0.25 to 0.9, " in slider.slider.accessibleDescription()
    studio.state.generate.choose_model("tones")  # its card does not contain the range
    studio.state.generate.parameters.set_temperature(0.2)
    assert not slider.note.isVisible()


def test_a_measured_range_never_makes_unlearned_temperatures_safe(studio: OpenedWindow, two_models: Path) -> None:
    write_model(two_models, msgspec.structs.replace(make_card("calm"), temperature_range=(0.0, 4.0)))
    studio.state.models.refresh_models()
    slider = temperature_slider(studio, "generate")
    studio.state.generate.choose_model("calm")
    studio.state.generate.parameters.set_temperature(1.01)
    assert slider.note.isVisible()


def test_explore_marks_values_that_gave_blank_or_saturated_works(studio: OpenedWindow, two_models: Path) -> None:
    write_model(two_models, msgspec.structs.replace(make_card("moody", (1, 4, 4)), temperature_range=(0.25, 0.9)))
    studio.state.models.refresh_models()
    studio.state.show_panel("explore")
    studio.state.explore.choose_model("moody")
    settle()
    directions = studio.window.panels["explore"].inspector.findChild(ParametersSection)
    assert directions is not None
    for value, marked in ((0.2, True), (0.5, False), (0.95, True)):
        studio.state.explore.parameters.set_temperature(0, value)
        assert directions.temperatures[0].note.isVisible() == marked, value


def test_the_temperature_lane_marks_values_that_are_too_low(studio: OpenedWindow, two_models: Path) -> None:
    hushed = msgspec.structs.replace(
        make_card("hushed", (2,), rate=8000), temperature=0.9, temperature_range=(0.5, 1.5)
    )
    write_model(two_models, hushed)
    studio.state.models.refresh_models()
    studio.state.show_panel("sound")
    studio.state.sound.choose_model("hushed")
    settle()
    player = studio.window.panels["sound"].stage.findChild(PlayerView)
    assert player is not None
    lane = player.lanes.temperature
    warn = studio.theme.tokens.warn
    player.lanes.timeline.made = 10.0
    player.lanes.timeline.show_all()
    studio.state.sound.set_temperature_curve([(0.0, 0.5), (4.0, 1.0)])
    settle()
    assert lane.accessibleDescription() == "safe 0.5 to 1"
    assert not count_warnings(lane.viewport().grab().toImage(), warn)
    studio.state.sound.set_temperature_curve([(0.0, 0.2), (4.0, 1.0)])
    settle()
    assert lane.accessibleDescription() == f"safe 0.5 to 1, {OUTSIDE_SAFE_RANGE}"
    texts = [lane.rows.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(2)]
    assert [OUTSIDE_SAFE_RANGE in text for text in texts] == [True, False]
    assert count_warnings(lane.viewport().grab().toImage(), warn) > 50
