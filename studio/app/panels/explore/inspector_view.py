"""The sliders of Explore: one for each direction, a temperature for each scale, and the start."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from studio.app.core.observable import Value
from studio.app.files.dialogs_view import FileDialogs
from studio.app.files.export_settings import ExportSettings
from studio.app.files.export_view import ExportSection
from studio.app.generation.parameters import SLIDER_MAX_TEMPERATURE, safe_temperatures
from studio.app.generation.parameters_view import ClassField, SeedField, output_noun
from studio.app.model_browser.explorable import no_sliders_reason
from studio.app.panels.explore.parameters import FARTHEST
from studio.app.panels.explore.state import Explore
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ChoiceField, Column, Label, clear_layout, make_row
from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import OUTSIDE_SAFE_RANGE, ValueSlider

_NOTE = "64 frames on the way from the stage to a take, as synthesizers load them."

_EMPTY = "Keep another take of this model, and a wavetable can lead to it from the stage."


class WavetableSection(Column):
    """Only where the stage shows waves."""

    def __init__(self, look: Theme, state: Explore, dialogs: FileDialogs) -> None:
        super().__init__(look)
        self._state, self._table, self._dialogs = state, state.wavetable, dialogs
        self.take = ChoiceField(look, "Wavetable to", "The take at the other end of the wavetable")
        self.save = Button(look, "Save…", tooltip="Save the way from the stage to this take as a wavetable")
        self.save.setAccessibleName("Save wavetable…")
        self.note = Label("", "note", wrap=True)
        self.add_section("Wavetable")
        self._choice = make_row(self.take, self.save)
        self.add_widgets(self._choice, self.note)
        self.save.clicked.connect(self.ask)
        shown: tuple[Value[Any], ...] = (state.model, state.takes, state.picture, state.current, self._table.making)
        for value in shown:
            bind(self, value, self._show)

    def ask(self) -> None:
        """Ask where the wavetable should go."""
        index = self.take.currentData()
        if isinstance(index, int) and (name := self._table.name_of(index)):
            self._dialogs.ask_save_path(name, lambda path: self._table.save(index, path))

    def _show(self, _: object) -> None:
        trained, making = self._state.model.get(), self._table.making.get()
        partners = [index for index in self._table.partners() if index != self._state.current.get()]
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
        self.setVisible(trained is not None and trained.card.kind == "sound")


SAFE = (-2.0, 2.0)
"""Standard deviations within which most of the training data lies."""

LOUD = 8
"""Directions that are shown at once; the others move less and are folded away."""

OPEN_HELP = {
    "picture": "Bring in a picture, crop it, and start from it",
    "wave": "Bring in a single cycle as WAV, and start from it",
}

_HELP = {"coarse": "large shapes", "middle": "medium shapes", "fine": "details"}


class Directions(Column):
    """A slider for each direction, a temperature for each scale, and the start."""

    def __init__(
        self,
        look: Theme,
        state: Explore,
        exporting: ExportSettings,
        open_picture: Callable[[], object],
        dialogs: FileDialogs,
    ) -> None:
        super().__init__(look)
        self._dials = dials = state.dials
        self.sliders: list[ValueSlider] = []
        self.temperatures: list[ValueSlider] = []
        self._folded = True
        self.all_home = Button(look, "All home", "link", tooltip="Put every slider back to the start", keys="H")
        self.fold = Button(look, "", "fold", "right", tooltip="Directions that change the picture less")
        self.heat_home = Button(look, "", "link", tooltip="Put the temperature back to where this model looks best")
        self.seed = SeedField(look, "New start", "Begin from another seed", "Seed ")
        self.open = Button(look, "", "", "folder", keys="Ctrl+O")
        self.kind = ClassField(look, "Any kind")
        self.wavetable = WavetableSection(look, state, dialogs)
        self._none = Label("", "note", wrap=True)
        self.replacement = Button(look, "", tooltip="Continue with a model that has sliders")
        self.heat_note = Label("", "caution", wrap=True)
        self._slider_rows, self._heat_rows = QVBoxLayout(), QGridLayout()
        self._slider_rows.setSpacing(4)
        self._heat_rows.setHorizontalSpacing(9)
        self.rows.addWidget(_headed("Directions", self.all_home))
        self.add_widgets(self._none, self.replacement)
        self.rows.addLayout(self._slider_rows)
        self.add_widgets(self.fold)
        self.add_section()
        self.rows.addWidget(_headed("Temperature", self.heat_home))
        self.rows.addLayout(self._heat_rows)
        self.add_widgets(self.heat_note)
        self.add_section("Start")
        self.add_widgets(self.kind, self.seed, self.open, self.wavetable, ExportSection(look, exporting, state.model))
        self.add_stretch()
        self.fold.clicked.connect(self._unfold)
        self.open.clicked.connect(lambda: open_picture())
        self.replacement.clicked.connect(state.choose_replacement)
        bind(self, state.replacement, self._show_replacement)
        self.all_home.clicked.connect(dials.home_all)
        self.heat_home.clicked.connect(dials.home_temperatures)
        self.seed.roll_requested.connect(lambda: dials.new_start())
        bind(self, dials.names, self._show_names)
        bind(self, dials.sliders, self._show_sliders)
        bind(self, dials.scales, self._show_scales)
        bind(self, dials.homes, self._show_homes)
        bind(self, dials.temperatures, self._show_temperatures)
        bind(self, dials.seed, self.seed.show_seed, self.seed.seed_typed, dials.new_start)
        bind(self, dials.locked, self.seed.show_locked, self.seed.lock_changed, dials.lock)
        bind(self, dials.error, self.seed.show_error)
        bind(self, dials.model, self._show_model)
        bind(self, dials.model, self._show_safe)
        bind(self, dials.label, self.kind.show_label, self.kind.class_chosen, dials.set_label)

    def _show_model(self, trained: Any) -> None:
        what = output_noun(trained)
        self.open.set_text(f"Open a {what} of mine…")
        self.open.set_tooltip(OPEN_HELP[what], "Ctrl+O")
        self.kind.show_model(trained, self._dials.label.get())
        if trained is not None:
            self._none.setText(f"{no_sliders_reason(trained.card)}. Its start and temperature can be changed.")

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
        dials, self.sliders = self._dials, []
        for index, name in enumerate(names):
            slider = ValueSlider(
                self._theme, name, -FARTHEST, FARTHEST, 0.0, SAFE, f"*, direction {index + 1} of {len(names)}",
                "Move along this direction of the model", may_rename=True,
            )  # fmt: skip
            slider.grabbed.connect(partial(dials.begin_move, index))
            slider.moved.connect(partial(dials.move, index))
            slider.released.connect(dials.end_move)
            slider.home_requested.connect(partial(dials.home, index))
            slider.renamed.connect(partial(dials.rename, index))
            self._slider_rows.addWidget(slider)
            self.sliders.append(slider)

    def _show_sliders(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.sliders, values, strict=False):
            slider.show_value(value)
        moved = [index for index, value in enumerate(values) if abs(value) > 5e-4]
        self.all_home.setEnabled(bool(moved))
        if self._folded and any(index >= LOUD for index in moved):
            self._unfold()

    def _unfold(self) -> None:
        self._folded = not self._folded
        self._show_fold()

    def reveal(self, part: QWidget) -> None:
        if self._folded and any(slider.isAncestorOf(part) for slider in self.sliders[LOUD:]):
            self._unfold()

    def _show_fold(self) -> None:
        quiet = len(self.sliders) - LOUD
        for slider in self.sliders[LOUD:]:
            slider.setVisible(not self._folded)
            slider.setProperty("folded", self._folded)
        self.fold.setVisible(quiet > 0)
        plural = "direction" if quiet == 1 else "directions"
        self.fold.set_text(f"{quiet} quieter {plural}" if self._folded else "Fewer directions")
        self.fold.set_icon("right" if self._folded else "down")

    def _show_scales(self, scales: tuple[str, ...]) -> None:
        clear_layout(self._heat_rows)
        dials, self.temperatures = self._dials, []
        for index, scale in enumerate(scales):
            many = len(scales) > 1
            says = f"Temperature, {scale.lower()}" if many else "Temperature"
            what = _HELP.get(scale.lower(), "shapes of this scale")
            slider = ValueSlider(
                self._theme,
                scale,
                0.0,
                SLIDER_MAX_TEMPERATURE,
                1.0,
                None,
                says,
                f"How far {what} stray from the typical",
            )
            slider.grabbed.connect(partial(dials.begin_temperature, index))
            slider.moved.connect(partial(dials.set_temperature, index))
            slider.released.connect(dials.end_move)
            slider.home_requested.connect(partial(self._home, index))
            slider.set_narrow(many)
            self._heat_rows.addWidget(slider, index // 3, index % 3)
            self.temperatures.append(slider)
        self._show_homes(dials.homes.get())
        self._show_temperatures(dials.temperatures.get())

    def _home(self, index: int) -> None:
        self._dials.end_move()
        self._dials.set_temperature(index, self._dials.homes.get()[index])
        self._dials.end_move()

    def _show_homes(self, homes: tuple[float, ...]) -> None:
        for slider, home in zip(self.temperatures, homes, strict=False):
            slider.show_home(home)
        self._show_safe(self._dials.model.get())
        if homes:
            self.heat_home.set_text(f"{homes[0]:.2f} everywhere" if len(homes) > 1 else f"{homes[0]:.2f} again")
        self._show_temperatures(self._dials.temperatures.get())

    def _show_safe(self, trained: Any) -> None:
        """Mark what is beyond the model's range; two models with the same home may differ in it."""
        card = trained.card if trained is not None else None
        for slider, home in zip(self.temperatures, self._dials.homes.get(), strict=False):
            slider.show_safe(safe_temperatures(card, home))
        self._show_temperatures(self._dials.temperatures.get())

    def _show_temperatures(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.temperatures, values, strict=False):
            slider.show_value(value)
        beyond = [slider.name.text() for slider in self.temperatures if slider.is_outside_safe_range]
        self.heat_note.setText(f"{', '.join(beyond)}: {OUTSIDE_SAFE_RANGE}")
        self.heat_note.setVisible(bool(beyond) and len(values) > 1)
        homes = self._dials.homes.get()
        self.heat_home.setEnabled(any(abs(a - b) > 5e-4 for a, b in zip(values, homes, strict=False)))


def _headed(words: str, button: QWidget) -> QWidget:
    return make_row(Label(words, "heading"), 0, button)
