"""The sliders and temperatures of a model: as many as it has, with their names and homes."""

from collections.abc import Sequence

from PySide6.QtCore import QObject

from studio.app.states.value import Plain, State, Value
from studio.library import models
from studio.library.models import Trained
from studio.library.work import Work

FARTHEST = 4.0
"""Standard deviations of the training data; beyond, pictures fall apart."""
HOTTEST = 2.0


class Sliders(State):
    """The values that Explore shows as sliders. What hands may set is narrower than what works may bring."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.sliders: Value[tuple[float, ...]] = Value((), self)
        self.names: Value[tuple[str, ...]] = Value((), self)
        self.temperatures: Value[tuple[float, ...]] = Value((1.0,), self)
        self.homes: Value[tuple[float, ...]] = Value((1.0,), self)
        self.scales: Value[tuple[str, ...]] = Value(("Temperature",), self)

    def plain(self) -> Plain:
        return {
            "sliders": list(self.sliders.get()),
            "temperatures": list(self.temperatures.get()),
            "names": list(self.names.get()),
        }

    def put(self, record: Plain, trained: Trained, opened: bool) -> None:
        """Set what a record says. `opened`: the start is a picture of the artist's own, so that home is 1.

        Raises storage.NotSaved where a name could not be kept; the rest is set.
        """
        home, count = 1.0 if opened else trained.card.temperature, scales(trained)
        self.scales.set(trained.card.scales or ("Temperature",))
        self.homes.set((home,) * count)
        self.names.set(models.direction_names(trained))
        sliders = record.get("sliders", self.sliders.get())
        self.sliders.set(_filled(sliders, len(trained.card.directions), 0.0, -16.0, 16.0))
        temperatures = record.get("temperatures", self.temperatures.get())
        self.temperatures.set(_filled(temperatures, count, home, 0.0, 4.0))
        for index, (old, new) in enumerate(zip(self.names.get(), record.get("names", []), strict=False)):
            if old != new:
                models.rename_direction(trained, index, new)
                self.names.set(models.direction_names(trained))

    def moved(self, index: int, value: float) -> list[float]:
        """The sliders with one of them at another value."""
        return _moved(self.sliders.get(), index, value, -FARTHEST, FARTHEST)

    def heated(self, index: int, value: float) -> list[float]:
        """The temperatures with one of them at another value."""
        return _moved(self.temperatures.get(), index, value, 0.0, HOTTEST)

    def slider_name(self, index: int) -> str:
        """What a step of undo is called: `warmth`, `direction 7`."""
        name = self.names.get()[index]
        return f"direction {name}" if name.isdecimal() else name.lower()

    def temperature_name(self, index: int) -> str:
        """What a step of undo is called: `coarse temperature`."""
        names = self.scales.get()
        return f"{names[index].lower()} temperature" if len(names) > 1 else "temperature"


def scales(trained: Trained) -> int:
    return len(trained.card.scales) or 1


def at_home(trained: Trained) -> Plain:
    """A model with every dial at home."""
    return {
        "model": trained.card.name,
        "start": "",
        "sliders": [0.0] * len(trained.card.directions),
        "temperatures": [trained.card.temperature] * scales(trained),
        "label": None,
    }


def of_work(work: Work, trained: Trained) -> Plain:
    """A model with the dials as a work had them."""
    return {
        "model": trained.card.name,
        "seed": work.seed,
        "sliders": list(_filled(work.sliders, len(trained.card.directions), 0.0, -16.0, 16.0)),
        "temperatures": list(work.temperature) * (scales(trained) if len(work.temperature) == 1 else 1),
        "label": work.label,
    }


def _moved(dials: Sequence[float], index: int, value: float, least: float, most: float) -> list[float]:
    result = list(dials)
    result[index] = min(max(float(value), least), most)
    return result


def _filled(values: Sequence[float], count: int, home: float, least: float, most: float) -> tuple[float, ...]:
    """As many as the model has, within what the wire allows; what is no number goes home."""
    kept = [float(value) for value in values[:count]]
    kept = [min(max(value, least), most) if value == value else home for value in kept]
    return (*kept, *[home] * (count - len(kept)))
