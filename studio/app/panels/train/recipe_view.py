"""Shows every number and switch of a recipe and of its plan, each with its range."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from studio.app.panels.train.settings import TrainingSettings, field_ranges
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    Label,
    SegmentedControl,
    clear_layout,
    set_style,
    set_tooltip,
)
from studio.app.widgets.theme import Theme
from studio.wire.messages import TrainingPrepared

HIDDEN = ("patience", "mirror", "classes")
"""Fields with a control of their own."""
FOLLOWED = {
    (False, False): "Nothing",
    (True, False): "Pitch",
    (False, True): "Loudness",
    (True, True): "Pitch and loudness",
}
"""What a model follows of a recording, by whether it follows the pitch and the loudness."""
FOLLOWED_KEYS = ("follows_pitch", "follows_loudness")


class RecipeSection(Column):
    """Unfolds into a form. A field that is out of its range is marked, and changes nothing."""

    def __init__(self, theme: Theme, settings: TrainingSettings) -> None:
        super().__init__(theme)
        self._settings = settings
        self.fold = Button(theme, "Advanced settings", "fold", "right", tooltip="Show all settings with their ranges")
        self.form = QWidget()
        self.form.setProperty("folded", True)
        self.form.hide()
        self._grid = QGridLayout(self.form)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(0, 3)
        self._grid.setColumnStretch(1, 2)
        self._keys: list[tuple[str, str]] = []
        self._fields: dict[tuple[str, str], QWidget] = {}
        self.add_widgets(self.fold, self.form)
        self.fold.clicked.connect(lambda: self.set_folded(not self.form.isHidden()))
        bind(self, settings.prepared, self._show)

    def set_folded(self, folded: bool) -> None:
        self.form.setVisible(not folded)
        self.form.setProperty("folded", folded)
        self.fold.set_icon("right" if folded else "down")

    def reveal_widget(self, part: QWidget) -> None:
        """Unfold if the user searches for a field."""
        if self.form.isAncestorOf(part):
            self.set_folded(False)

    def field_of(self, part: str, key: str) -> QWidget:
        """Return the field of `recipe` or `plan` with this key."""
        return self._fields[part, key]

    def _show(self, prepared: TrainingPrepared | None) -> None:
        self.setVisible(prepared is not None or bool(self._keys))
        if prepared is None:
            return
        parts = (("recipe", prepared.recipe_schema), ("plan", prepared.plan_schema))
        found = [
            (part, key, about) for part, schema in parts for key, about in field_ranges(schema) if key not in HIDDEN
        ]
        follows = any(key in FOLLOWED_KEYS for _, key, _ in found)
        found = [each for each in found if each[1] not in FOLLOWED_KEYS]
        keys = [(part, key) for part, key, _ in found]
        if keys != self._keys:
            self._keys = keys
            self._build(found, follows=follows)
        if follows:
            recipe = prepared.config["recipe"]
            pitch, loudness = (bool(recipe.get(key)) for key in FOLLOWED_KEYS)
            self.followed.setCurrentIndex(list(FOLLOWED).index((pitch, loudness)))
        for part, key, _ in found:
            self._show_value(self._fields[part, key], prepared.config[part].get(key))

    def _build(self, found: list[tuple[str, str, Mapping[str, Any]]], *, follows: bool) -> None:
        clear_layout(self._grid)
        self._fields.clear()
        if follows:
            self._build_followed(len(found))
        for row, (part, key, about) in enumerate(found):
            title = str(about["title"])
            change = self._settings.set_recipe if part == "recipe" else self._settings.set_plan
            field = self._make_field(title, key, about, change)
            tooltip = f"Set {title[0].lower()}{title[1:]}{_range_text(about)}"
            if about.get("description"):
                tooltip = f"{tooltip}. {about['description']}"
            field.setAccessibleDescription(tooltip)
            set_tooltip(field, tooltip)
            self._grid.addWidget(Label(title, "soft", wrap=True), row, 0)
            self._grid.addWidget(field, row, 1)
            self._fields[part, key] = field

    def _build_followed(self, row: int) -> None:
        """Add the choice of what the model will follow of a recording."""
        tooltip = "Choose what the model follows of a recording that you give it, when it plays"
        self.followed = ChoiceField(self._theme, "Follows", tooltip)
        self.followed.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.followed.setMinimumContentsLength(6)
        for words in FOLLOWED.values():
            self.followed.addItem(words)
        self.followed.activated.connect(self._choose_followed)
        self._grid.addWidget(Label("Follows", "soft", wrap=True), row, 0)
        self._grid.addWidget(self.followed, row, 1)

    def _choose_followed(self, place: int) -> None:
        pitch, loudness = list(FOLLOWED)[place]
        self._settings.set_followed(pitch=pitch, loudness=loudness)

    def _make_field(
        self, title: str, key: str, about: Mapping[str, Any], change: Callable[[str, object], None]
    ) -> QWidget:
        if about["type"] == "boolean":
            switch = SegmentedControl(self._theme, title, (("on", "On"), ("off", "Off")), tight=True)
            switch.chosen.connect(lambda choice: change(key, choice == "on"))
            return switch
        line = QLineEdit()
        line.setAccessibleName(title)

        def read_typed() -> None:
            value = parse_number(line.text(), about)
            set_style(line, wrong=value is None)
            if value is not None and line.isModified():
                line.setModified(False)
                change(key, value)

        line.editingFinished.connect(read_typed)
        return line

    def _show_value(self, field: QWidget, value: object) -> None:
        if isinstance(field, SegmentedControl):
            field.show_choice("on" if value else "off")
        elif isinstance(field, QLineEdit) and not field.isModified():
            field.setText(f"{value:g}" if isinstance(value, float) else str(value))
            set_style(field, wrong=False)


def parse_number(text: str, about: Mapping[str, Any]) -> int | float | None:
    """Return a typed number if it is in the range of a field's schema, else None."""
    try:
        value = int(text) if about["type"] == "integer" else float(text)
    except ValueError:
        return None
    checks = (
        value >= about.get("minimum", value),
        value <= about.get("maximum", value),
        "exclusiveMinimum" not in about or value > about["exclusiveMinimum"],
        "exclusiveMaximum" not in about or value < about["exclusiveMaximum"],
    )
    return value if all(checks) else None


def _range_text(about: Mapping[str, Any]) -> str:
    """Return ` from 1 to 8`, ` from 1` or nothing."""
    least = about.get("minimum", about.get("exclusiveMinimum"))
    most = about.get("maximum", about.get("exclusiveMaximum"))
    low = f" from {least:g}" if least is not None else ""
    high = f" to {most:g}" if most is not None else ""
    return f"{low}{high}"
