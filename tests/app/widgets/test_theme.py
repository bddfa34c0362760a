"""The tokens have enough contrast for the user, and the whole window follows the theme."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from studio.app.widgets.controls import Button, Label
from studio.app.widgets.theme import GROUND_TOKENS, TEXT_TOKENS, THEMES, Theme, contrast
from tests.app.window_fixtures import OpenedWindow, settle

LOWEST = {  # of each token on that theme's six grounds, as the design measured them
    ("dark", "normal"): {"text": 10.45, "soft": 6.26, "faint": 4.70, "accent": 6.71, "warn": 7.01, "danger": 5.36},
    ("light", "normal"): {"text": 12.55, "soft": 6.47, "faint": 4.74, "accent": 4.67, "warn": 5.04, "danger": 4.76},
    ("dark", "high"): {"text": 12.24, "soft": 12.24, "faint": 9.27, "accent": 8.97, "warn": 8.91, "danger": 6.62},
    ("light", "high"): {"text": 16.42, "soft": 16.42, "faint": 11.07, "accent": 8.46, "warn": 8.05, "danger": 7.65},
}


@pytest.mark.parametrize("theme", THEMES)
def test_texts_and_controls_have_contrast_on_every_ground(theme: tuple[str, str]) -> None:
    tokens = THEMES[theme]
    grounds = [getattr(tokens, ground) for ground in GROUND_TOKENS]
    for token in TEXT_TOKENS:
        lowest = min(contrast(getattr(tokens, token), ground) for ground in grounds)
        assert lowest >= 4.5, token
        assert lowest == pytest.approx(LOWEST[theme][token], abs=0.01), token
    assert min(contrast(tokens.border, ground) for ground in grounds) >= 3
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert contrast(tokens.accent, tokens.groove) >= 3


def test_contrast_follows_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#123456", "#123456") == 1


def test_the_window_changes_with_the_theme(studio: OpenedWindow) -> None:
    seen = {}
    for theme, kind in THEMES:
        studio.state.theme.set(theme)  # type: ignore[arg-type]
        studio.state.contrast.set(kind)  # type: ignore[arg-type]
        settle()
        picture = studio.window.grab().toImage()
        tokens = THEMES[theme, kind]
        assert picture.pixelColor(studio.window.stage.geometry().center().x(), 52).name() == tokens.canvas.lower()
        assert picture.pixelColor(studio.window.width() - 4, 500).name() == tokens.panel.lower()
        seen[theme, kind] = tokens.canvas
    assert len(seen) == 4


def test_text_grows_and_lengths_with_it() -> None:
    look = Theme()
    look.choose_theme("dark", "normal", 1.5, still=False)
    assert (look.scaled(32), look.font(13).pixelSize()) == (48, 20)
    look.choose_theme("dark", "normal", 7.0, still=True)
    assert look.scale == 2.0
    assert look.reduced_motion


class _Restyled(QObject):
    """Counts the widgets that get a new style."""

    def __init__(self) -> None:
        super().__init__()
        self.widgets: set[QObject] = set()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange:
            self.widgets.add(watched)
        return False


def test_a_change_of_theme_restyles_visible_widgets_only(studio: OpenedWindow) -> None:
    for panel in ("explore", "complete", "sound", "generate"):  # builds their widgets
        studio.state.show_panel(panel)
        settle()
    every = studio.window.findChildren(QWidget)
    seen = [widget for widget in every if widget.isVisible()]
    restyled = _Restyled()
    application = QApplication.instance()
    assert application is not None
    application.installEventFilter(restyled)
    studio.state.theme.set("light")
    settle()
    application.removeEventFilter(restyled)
    assert len(seen) <= len(restyled.widgets) < len(every) / 3


def test_a_panel_that_was_hidden_has_the_theme_and_the_text_when_it_is_shown(studio: OpenedWindow) -> None:
    studio.state.show_panel("explore")
    settle()
    studio.state.show_panel("generate")
    studio.state.theme.set("light")
    studio.state.preferences.text_size.set(150)
    settle()
    studio.state.show_panel("explore")
    settle()
    panel = studio.window.open_panel
    tokens = THEMES["light", "normal"]
    names = [label for part in (panel.inspector, panel.stage) for label in part.findChildren(Label)]
    names = [label for label in names if label.property("role") == "body" and label.isVisible()]
    drawn = [button for button in panel.foot.findChildren(Button) if button.isVisible()]
    assert names
    assert drawn
    for label in names:
        assert label.palette().color(label.foregroundRole()).name() == tokens.text.lower()
        assert label.font().pixelSize() == round(13 * 1.5)
    for button in drawn:
        assert button.font().pixelSize() == round(13 * 1.5)
        assert button.iconSize().width() == round(18 * 1.5) or button.icon().isNull()


def test_the_list_of_models_follows_the_theme(studio: OpenedWindow) -> None:
    studio.state.theme.set("light")
    studio.window.open_bar.picker.open_list()
    settle()
    popup = studio.window.open_bar.picker.model_popup
    assert popup is not None
    picture = popup.grab().toImage()
    assert picture.pixelColor(picture.width() // 2, 4).name() == THEMES["light", "normal"].panel.lower()
    popup.close()


def test_the_cover_of_the_model_stays_after_a_change_of_theme(studio: OpenedWindow) -> None:
    cover = np.full((1, 8, 8, 3), 90, np.uint8)
    studio.state.models.read_cover = lambda name: cover  # type: ignore[method-assign]
    studio.state.theme.set("light")
    settle()
    for panel in ("generate", "explore"):
        studio.state.show_panel(panel)
        settle()
        assert not studio.window.open_bar.picker.icon().isNull(), panel
