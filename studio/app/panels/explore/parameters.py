"""Holds the parameters of Explore: model, start, class, sliders and temperatures."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from studio.app.core.messages import Messages
from studio.app.core.observable import Field, Record, State, Value
from studio.app.core.undo import ChangeStep
from studio.app.generation import parameters
from studio.app.generation.parameters import SLIDER_MAX_TEMPERATURE, SeedInput, known_label
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.explore.rendering import RenderInput
from studio.app.takes.start import Start
from studio.app.takes.store import TakeStore
from studio.library import models
from studio.library.models import BadModel, InstalledModel
from studio.library.storage import NotSaved
from studio.library.work import Work

MAX_SLIDER = 4.0
"""Standard deviations of the training data; beyond, pictures fall apart."""


class ExploreParameters(State):
    """Holds the parameters of Explore; `change` sets them as steps of undo.

    Setters allow a narrower range than works may bring.
    """

    gesture_started = Signal(str)
    """The gesture under way: until `end_gesture`, all changes are one step of this name."""
    gesture_ended = Signal()

    def __init__(
        self, models: ModelList, messages: Messages, takes: TakeStore, change: ChangeStep, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._messages = messages
        self._takes = takes
        self._change = change
        self.model: Value[InstalledModel | None] = Value(None, self)
        self._seed_input = SeedInput(self)
        self.seed: Value[int] = self._seed_input.seed
        self.locked: Value[bool] = self._seed_input.locked
        self.error: Value[str] = self._seed_input.error
        """A sentence about an invalid typed seed; empty if it is valid."""
        self.label: Value[int | None] = Value(None, self)
        """Index into card.classes; None leaves the class to the seed."""
        self.start: Value[Start | None] = Value(None, self)
        """The user's own picture that sliders begin from; None if they begin from the seed's noise."""
        self.source: Value[str] = Value("", self)
        """Name of the user's own picture; empty if the start is a seed."""
        self.sliders: Value[tuple[float, ...]] = Value((), self)
        """One for each direction of the model, -4.0 to 4.0, home is 0."""
        self.names: Value[tuple[str, ...]] = Value((), self)
        """Name of each direction."""
        self.temperatures: Value[tuple[float, ...]] = Value((1.0,), self)
        """One for each scale, 0.0 to 2.0."""
        self.slider_homes: Value[tuple[float, ...]] = Value((1.0,), self)
        """Home of each temperature: the model's own, or 1 if a picture was opened."""
        self.scales: Value[tuple[str, ...]] = Value(("Temperature",), self)
        """Name of each scale, coarse to fine."""
        self.fields = (
            Field("model", self._model_name, self._use_model),
            Field("seed", self.seed.get, self._seed_input.set_seed),
            Field("start", self._start_key, self._use_start),
            Field("label", self.label.get, lambda label: self.label.set(known_label(label, self.model.get()))),
            Field("sliders", lambda: list(self.sliders.get()), self._use_sliders),
            Field("temperatures", lambda: list(self.temperatures.get()), self._use_temperatures),
            Field("names", lambda: list(self.names.get()), self._use_names, restart=False),  # they have their own file
            Field.of("locked", self.locked, bool, undo=False),
        )

    def grab_slider(self, index: int) -> None:
        """Begin a gesture on a slider: until `end_gesture`, all moves are one step."""
        self.gesture_started.emit(f"slider {index}")

    def set_slider(self, index: int, value: float) -> None:
        sliders = _with_value(self.sliders.get(), index, value, -MAX_SLIDER, MAX_SLIDER)
        self._change(self._slider_name(index), f"slider {index}", sliders=sliders)

    def end_gesture(self) -> None:
        """End the gesture of a slider or a temperature."""
        self.gesture_ended.emit()

    def reset_slider(self, index: int) -> None:
        """Set one slider to its home."""
        sliders = _with_value(self.sliders.get(), index, 0.0, -MAX_SLIDER, MAX_SLIDER)
        self._change(self._slider_name(index), sliders=sliders)

    def reset_sliders(self) -> None:
        """Set every slider to its home."""
        self._change("all home", sliders=[0.0] * len(self.sliders.get()))

    def grab_temperature(self, index: int) -> None:
        """Begin a gesture on a temperature: until `end_gesture`, all changes are one step."""
        self.gesture_started.emit(f"temperature {index}")

    def set_temperature(self, index: int, value: float) -> None:
        temperatures = _with_value(self.temperatures.get(), index, value, 0.0, SLIDER_MAX_TEMPERATURE)
        self._change(self._temperature_name(index), f"temperature {index}", temperatures=temperatures)

    def reset_temperatures(self) -> None:
        """Set every temperature to its home."""
        self._change("temperature home", temperatures=list(self.slider_homes.get()))

    def set_label(self, label: int | None) -> None:
        """Set the class for the same start; None leaves it to the seed."""
        self._change("kind", label=label)

    def rename_direction(self, index: int, label: str) -> None:
        """Name a direction; an empty name brings back the model's own."""
        if self._takes.check_rename():
            names = list(self.names.get())
            names[index] = label.strip()
            self._change("name", names=names)

    def lock_seed(self, on: bool) -> None:
        """Keep this seed for the next start, or not."""
        self.locked.set(on)

    def new_start(self, seed: int | str | None = None) -> None:
        """Begin from a seed, or from a random one; a locked seed stays unless a seed is given."""
        if seed is None:
            seed = self.seed.get() if self.locked.get() else parameters.roll_seed(self.seed.get())
        found = self._seed_input.parse_text(seed)
        trained = self.model.get()
        if found is None or trained is None:
            return
        after: Record = {"seed": found, "start": "", "origin": ""}
        if self.start.get() is not None:
            after["temperatures"] = [trained.card.temperature] * len(self.temperatures.get())
        self._change("new start", **after)

    def render_input(self) -> RenderInput | None:
        """Return the present input of the picture."""
        trained = self.model.get()
        if trained is None:
            return None
        return RenderInput(
            trained,
            self.seed.get(),
            self.start.get(),
            self.sliders.get(),
            self.temperatures.get(),
            self.label.get(),
        )

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _model_name(self) -> str | None:
        trained = self.model.get()
        return trained.card.name if trained is not None else None

    def _use_model(self, name: str | None) -> None:
        """Choose a model by its name, with as many sliders as it has; a missing one changes nothing."""
        trained = self._models.find_model(name) if name is not None else None
        if trained is None:
            return
        if trained != self.model.get():
            self.label.set(None)  # a class of one model must not appear beside another model
        self.model.set(trained)
        self.scales.set(trained.card.scales or ("Temperature",))
        self._find_homes()
        self.names.set(models.direction_names(trained))
        self._use_sliders(self.sliders.get())
        self._use_temperatures(self.temperatures.get())

    def _start_key(self) -> str:
        start = self.start.get()
        return start.key if start is not None else ""

    def _use_start(self, key: str) -> None:
        start = self._takes.get_start(key)
        self.start.set(start)
        self.source.set(start.source if start is not None else "")
        self._find_homes()

    def _find_homes(self) -> None:
        trained = self.model.get()
        if trained is not None:
            home = 1.0 if self.start.get() is not None else trained.card.temperature
            self.slider_homes.set((home,) * scale_names(trained))

    def _use_sliders(self, sliders: Sequence[float]) -> None:
        trained = self.model.get()
        if trained is not None:
            self.sliders.set(_valid_values(sliders, len(trained.card.directions), 0.0, -16.0, 16.0))

    def _use_temperatures(self, temperatures: Sequence[float]) -> None:
        homes = self.slider_homes.get()
        self.temperatures.set(_valid_values(temperatures, len(homes), homes[0], 0.0, 4.0))

    def _use_names(self, names: Sequence[str]) -> None:
        """Write the names of directions into their file; if that fails, a message says so."""
        trained = self.model.get()
        if trained is None or not self._takes.names_writable:
            return
        try:
            for index, (old, new) in enumerate(zip(self.names.get(), names, strict=False)):
                if old != new:
                    models.rename_direction(trained, index, new)
        except (NotSaved, BadModel) as fault:
            self._messages.show_message(str(fault), "failed")
        self.names.set(models.direction_names(trained))

    def _slider_name(self, index: int) -> str:
        """Return the name of an undo step: `warmth`, `direction 7`."""
        name = self.names.get()[index]
        return f"direction {name}" if name.isdecimal() else name.lower()

    def _temperature_name(self, index: int) -> str:
        """Return the name of an undo step: `coarse temperature`."""
        names = self.scales.get()
        return f"{names[index].lower()} temperature" if len(names) > 1 else "temperature"


def scale_names(trained: InstalledModel) -> int:
    return len(trained.card.scales) or 1


def default_record(trained: InstalledModel) -> Record:
    """Return a model with every parameter at home."""
    return {
        "model": trained.card.name,
        "start": "",
        "sliders": [0.0] * len(trained.card.directions),
        "temperatures": [trained.card.temperature] * scale_names(trained),
        "label": None,
    }


def record_of_work(work: Work, trained: InstalledModel) -> Record:
    """Return a model with the parameters of a work."""
    return {
        "model": trained.card.name,
        "seed": work.seed,
        "sliders": list(_valid_values(work.sliders, len(trained.card.directions), 0.0, -16.0, 16.0)),
        "temperatures": list(work.temperature) * (scale_names(trained) if len(work.temperature) == 1 else 1),
        "label": work.label,
    }


def _with_value(dials: Sequence[float], index: int, value: float, least: float, most: float) -> list[float]:
    result = list(dials)
    result[index] = min(max(float(value), least), most)
    return result


def _valid_values(values: Sequence[float], count: int, home: float, least: float, most: float) -> tuple[float, ...]:
    """Return as many values as the model has, within the limits of the wire; invalid ones become the home."""
    kept = [float(value) for value in values[:count]]
    kept = [min(max(value, least), most) if value == value else home for value in kept]
    return (*kept, *[home] * (count - len(kept)))
