"""The tokens keep the contrast that people need, and the whole window follows them."""

import pytest

from studio.app.views.theme import GROUNDS, TEXTS, THEMES, Look, contrast
from tests.app.views.conftest import Studio, settle

LOWEST = {  # of each token on that theme's six grounds, as the design measured them
    ("dark", "normal"): {"text": 10.45, "soft": 6.26, "faint": 4.70, "accent": 6.71, "warn": 7.01, "danger": 5.36},
    ("light", "normal"): {"text": 12.55, "soft": 6.47, "faint": 4.74, "accent": 4.67, "warn": 5.04, "danger": 4.76},
    ("dark", "high"): {"text": 12.24, "soft": 12.24, "faint": 9.27, "accent": 8.97, "warn": 8.91, "danger": 6.62},
    ("light", "high"): {"text": 16.42, "soft": 16.42, "faint": 11.07, "accent": 8.46, "warn": 8.05, "danger": 7.65},
}


@pytest.mark.parametrize("theme", THEMES)
def test_words_and_controls_stand_out_on_every_ground(theme: tuple[str, str]) -> None:
    tokens = THEMES[theme]
    grounds = [getattr(tokens, ground) for ground in GROUNDS]
    for token in TEXTS:
        lowest = min(contrast(getattr(tokens, token), ground) for ground in grounds)
        assert lowest >= 4.5, token
        assert lowest == pytest.approx(LOWEST[theme][token], abs=0.01), token
    assert min(contrast(tokens.border, ground) for ground in grounds) >= 3
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert contrast(tokens.accent, tokens.groove) >= 3


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#123456", "#123456") == 1


def test_the_window_changes_with_the_theme(studio: Studio) -> None:
    seen = {}
    for theme, kind in THEMES:
        studio.state.theme.set(theme)  # type: ignore[arg-type]
        studio.state.contrast.set(kind)  # type: ignore[arg-type]
        settle()
        picture = studio.frame.grab().toImage()
        tokens = THEMES[theme, kind]
        assert picture.pixelColor(studio.frame.stage.geometry().center().x(), 52).name() == tokens.canvas.lower()
        assert picture.pixelColor(studio.frame.width() - 4, 500).name() == tokens.panel.lower()
        seen[theme, kind] = tokens.canvas
    assert len(seen) == 4


def test_text_grows_and_lengths_with_it() -> None:
    look = Look()
    look.choose("dark", "normal", 1.5, still=False)
    assert (look.px(32), look.font(13).pixelSize()) == (48, 20)
    look.choose("dark", "normal", 7.0, still=True)
    assert look.scale == 2.0
    assert look.still
