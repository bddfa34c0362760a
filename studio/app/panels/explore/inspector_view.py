"""Shows the sliders of Explore: one for each direction, a temperature for each scale, and the start."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from studio.app.core.observable import Value
from studio.app.files.export_view import ExportSection
from studio.app.generation.parameters import SLIDER_MAX_TEMPERATURE, safe_temperatures
from studio.app.generation.parameters_view import ClassField, SeedField, output_noun
from studio.app.model_browser.explorable import no_sliders_reason
from studio.app.panels.explore.parameters import MAX_SLIDER
from studio.app.panels.explore.state import ExploreState
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    Label,
    clear_layout,
    make_row,
    set_part_visible,
)
from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE, ValueSlider
from studio.library.models import InstalledModel

_NOTE = "64 frames from the stage to a take, as synthesizers load them."

_EMPTY = "Keep another take of this model. A wavetable can lead to it."


class WavetableSection(Column):
    """Exports a wavetable; it is visible if the stage shows waves."""

    def __init__(self, theme: Theme, state: ExploreState) -> None:
        super().__init__(theme)
        self._state = state
        self._table = state.wavetable
        self.take = ChoiceField(theme, "Wavetable to", "Choose the take at the other end of the wavetable")
        self.save = Button(theme, "Save…", tooltip="Save the way from the stage to this take as a wavetable")
        self.save.setAccessibleName("Save wavetable…")
        self.note = Label("", "note", wrap=True)
        self.add_section("Wavetable")
        self._choice = make_row(self.take, self.save)
        self.add_widgets(self._choice, self.note)
        self.save.clicked.connect(self.ask_destination)
        shown: tuple[Value[Any], ...] = (
            state.model,
            state.selection.takes,
            state.render.picture,
            state.selection.current,
            self._table.running,
        )
        for value in shown:
            bind(self, value, self._update)

    def ask_destination(self) -> None:
        """Ask for the file of the wavetable, then save it."""
        index = self.take.currentData()
        if isinstance(index, int):
            self._table.save_wavetable(index)

    def _update(self, _: object) -> None:
        trained = self._state.model.get()
        making = self._table.running.get()
        partners = [index for index in self._table.target_takes() if index != self._state.selection.current.get()]
        if [self.take.itemData(place) for place in range(self.take.count())] != partners:
            before = self.take.currentData()
            self.take.clear()
            for index in partners:
                self.take.addItem(f"Take {index + 1}", index)
            self.take.setCurrentIndex(partners.index(before) if before in partners else len(partners) - 1)
        self._choice.setVisible(bool(partners))
        self.save.setEnabled(not making)
        self.save.set_text("Making" if making else "Save…")
        self.save.setAccessibleName("Making the wavetable" if making else "Save wavetable…")
        self.note.setText(_NOTE if partners else _EMPTY)
        set_part_visible(self, trained is not None and trained.card.medium == "sound")


SAFE_RANGE = (-2.0, 2.0)
"""Standard deviations within which most of the training data lies."""

BOLD_FIRST = 8
"""Number of directions that are always shown; the others change the picture less and can be folded."""

OPEN_HELP = {
    "picture": "Bring in a picture, crop it, and start from it",
    "wave": "Bring in a single cycle as WAV, and start from it",
}

_HELP = {"coarse": "large shapes", "middle": "medium shapes", "fine": "details"}


class ParametersSection(Column):
    """Shows a slider for each direction, a temperature for each scale, and the start."""

    def __init__(
        self,
        theme: Theme,
        state: ExploreState,
        open_picture: Callable[[], object],
    ) -> None:
        super().__init__(theme)
        self._parameters = dials = state.parameters
        self.sliders: list[ValueSlider] = []
        self.temperatures: list[ValueSlider] = []
        self._folded = True
        self.all_home = Button(theme, "All home", "link", tooltip="Put every slider back to the start", keys="H")
        self.fold = Button(theme, "", "fold", "right", tooltip="Show directions that change the picture less")
        self.temperatures_home = Button(theme, "", "link", tooltip="Set the temperature at which this model looks best")
        self.seed = SeedField(theme, "New start", "Begin from another seed", "Seed ")
        self.open = Button(theme, "", "", "folder", keys="Ctrl+O")
        self.class_field = ClassField(theme, "Any class")
        self.alphabet = Button(theme, "Alphabet", tooltip="Show this start in every class", keys="A")
        self.export = ExportSection(theme, state.exporter.settings, state.model)
        self.wavetable = WavetableSection(theme, state)
        self._none = Label("", "note", wrap=True)
        self.replacement = Button(theme, "", tooltip="Continue with a model that has sliders")
        self.temperatures_note = Label("", "caution", wrap=True)
        self._slider_rows = QVBoxLayout()
        self._temperature_rows = QGridLayout()
        self._slider_rows.setSpacing(4)
        self._temperature_rows.setHorizontalSpacing(9)
        self.rows.addWidget(_heading_row("Directions", self.all_home))
        self.add_widgets(self._none, self.replacement)
        self.rows.addLayout(self._slider_rows)
        self.add_widgets(self.fold)
        self.add_section()
        self.rows.addWidget(_heading_row("Temperature", self.temperatures_home))
        self.rows.addLayout(self._temperature_rows)
        self.add_widgets(self.temperatures_note)
        self.add_section("Start")
        self.add_widgets(
            self.class_field,
            self.alphabet,
            self.seed,
            self.open,
            self.wavetable,
            self.export,
        )
        self.add_stretch()
        self.fold.clicked.connect(self._toggle_fold)
        self.open.clicked.connect(lambda: open_picture())
        self.replacement.clicked.connect(state.choose_replacement)
        bind(self, state.replacement, self._show_replacement)
        self.alphabet.clicked.connect(state.toggle_alphabet)
        bind(self, state.alphabet.shown, self._show_alphabet)
        self.all_home.clicked.connect(dials.reset_sliders)
        self.temperatures_home.clicked.connect(dials.reset_temperatures)
        self.seed.roll_requested.connect(lambda: dials.new_start())
        bind(self, dials.names, self._show_names)
        bind(self, dials.sliders, self._show_sliders)
        bind(self, dials.scales, self._show_scales)
        bind(self, dials.slider_homes, self._show_homes)
        bind(self, dials.temperatures, self._show_temperatures)
        bind(self, dials.seed, self.seed.show_seed, self.seed.seed_typed, dials.new_start)
        bind(self, dials.locked, self.seed.show_locked, self.seed.lock_changed, dials.lock_seed)
        bind(self, dials.error, self.seed.show_error)
        bind(self, dials.model, self._show_model)
        bind(self, dials.model, self._show_safe)
        bind(self, dials.label, self.class_field.show_label, self.class_field.class_chosen, dials.set_label)

    def _show_model(self, trained: InstalledModel | None) -> None:
        what = output_noun(trained)
        self.open.set_text(f"Open a {what} of mine…")
        self.open.set_tooltip(OPEN_HELP[what], "Ctrl+O")
        self.class_field.show_model(trained, self._parameters.label.get())
        has_alphabet = trained is not None and trained.card.has_alphabet
        self.alphabet.setVisible(has_alphabet)
        self.export.show_several(has_alphabet)
        if trained is not None:
            self._none.setText(f"{no_sliders_reason(trained.card)}. Its start and temperature can be changed.")

    def _show_alphabet(self, shown: bool) -> None:
        self.alphabet.set_text("One class alone" if shown else "Alphabet")

    def _show_replacement(self, other: Any) -> None:
        self.replacement.setVisible(other is not None)
        if other is not None:
            self.replacement.set_text(f'Explore with "{other.card.title}"')

    def _show_names(self, names: tuple[str, ...]) -> None:
        if len(names) != len(self.sliders):
            self._build_sliders(names)
        for slider, name in zip(self.sliders, names, strict=True):
            slider.show_name(name)
        self._none.setVisible(not names)
        self.all_home.setVisible(bool(names))
        self._show_fold()

    def _build_sliders(self, names: tuple[str, ...]) -> None:
        clear_layout(self._slider_rows)
        parameters = self._parameters
        self.sliders = []
        for index, name in enumerate(names):
            slider = ValueSlider(
                self._theme, name, -MAX_SLIDER, MAX_SLIDER, 0.0, SAFE_RANGE,
                f"*, direction {index + 1} of {len(names)}",
                "Move along this direction of the model", may_rename=True,
            )  # fmt: skip
            slider.grabbed.connect(partial(parameters.grab_slider, index))
            slider.moved.connect(partial(parameters.set_slider, index))
            slider.released.connect(parameters.end_gesture)
            slider.home_requested.connect(partial(parameters.reset_slider, index))
            slider.renamed.connect(partial(parameters.rename_direction, index))
            self._slider_rows.addWidget(slider)
            self.sliders.append(slider)

    def _show_sliders(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.sliders, values, strict=False):
            slider.show_value(value)
        moved = [index for index, value in enumerate(values) if abs(value) > 5e-4]
        self.all_home.setEnabled(bool(moved))
        if self._folded and any(index >= BOLD_FIRST for index in moved):
            self._toggle_fold()

    def _toggle_fold(self) -> None:
        self._folded = not self._folded
        self._show_fold()

    def reveal_widget(self, part: QWidget) -> None:
        if self._folded and any(slider.isAncestorOf(part) for slider in self.sliders[BOLD_FIRST:]):
            self._toggle_fold()

    def _show_fold(self) -> None:
        quiet = len(self.sliders) - BOLD_FIRST
        for slider in self.sliders[BOLD_FIRST:]:
            slider.setVisible(not self._folded)
            slider.setProperty("folded", self._folded)
        self.fold.setVisible(quiet > 0)
        plural = "direction" if quiet == 1 else "directions"
        self.fold.set_text(f"{quiet} quieter {plural}" if self._folded else "Fewer directions")
        self.fold.set_icon("right" if self._folded else "down")

    def _show_scales(self, scales: tuple[str, ...]) -> None:
        clear_layout(self._temperature_rows)
        parameters = self._parameters
        self.temperatures = []
        for index, scale in enumerate(scales):
            many = len(scales) > 1
            text = f"Temperature, {scale.lower()}" if many else "Temperature"
            what = _HELP.get(scale.lower(), "shapes of this scale")
            slider = ValueSlider(
                self._theme,
                scale,
                0.0,
                SLIDER_MAX_TEMPERATURE,
                1.0,
                None,
                text,
                f"Set how far {what} differ from the typical",
            )
            slider.grabbed.connect(partial(parameters.grab_temperature, index))
            slider.moved.connect(partial(parameters.set_temperature, index))
            slider.released.connect(parameters.end_gesture)
            slider.home_requested.connect(partial(self._reset_slider, index))
            slider.set_narrow(many)
            self._temperature_rows.addWidget(slider, index // 3, index % 3)
            self.temperatures.append(slider)
        self._show_homes(parameters.slider_homes.get())
        self._show_temperatures(parameters.temperatures.get())

    def _reset_slider(self, index: int) -> None:
        self._parameters.end_gesture()
        self._parameters.set_temperature(index, self._parameters.slider_homes.get()[index])
        self._parameters.end_gesture()

    def _show_homes(self, homes: tuple[float, ...]) -> None:
        for slider, home in zip(self.temperatures, homes, strict=False):
            slider.show_home(home)
        self._show_safe(self._parameters.model.get())
        if homes:
            self.temperatures_home.set_text(f"{homes[0]:.2f} everywhere" if len(homes) > 1 else f"{homes[0]:.2f} again")
        self._show_temperatures(self._parameters.temperatures.get())

    def _show_safe(self, trained: InstalledModel | None) -> None:
        """Mark values outside the model's safe range; models with the same home may differ in it."""
        card = trained.card if trained is not None else None
        for slider, home in zip(self.temperatures, self._parameters.slider_homes.get(), strict=False):
            slider.show_safe(safe_temperatures(card, home))
        self._show_temperatures(self._parameters.temperatures.get())

    def _show_temperatures(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.temperatures, values, strict=False):
            slider.show_value(value)
        beyond = [slider.name.text() for slider in self.temperatures if slider.is_outside_safe_range]
        self.temperatures_note.setText(f"{', '.join(beyond)}: {OUTSIDE_SAFE_RANGE}")
        self.temperatures_note.setVisible(bool(beyond) and len(values) > 1)
        homes = self._parameters.slider_homes.get()
        self.temperatures_home.setEnabled(any(abs(a - b) > 5e-4 for a, b in zip(values, homes, strict=False)))


def _heading_row(words: str, button: QWidget) -> QWidget:
    return make_row(Label(words, "heading"), 0, button)
