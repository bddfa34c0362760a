"""What is to be made, as a hand sets it: model, number, seed, temperature, kind, and a second model."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states import seeds
from studio.app.states.grid import Cell, Run
from studio.app.states.mixing import Mixing
from studio.app.states.models import Models, hash_of
from studio.app.states.seeds import SeedField
from studio.app.states.value import Plain, State, Value
from studio.library.card import Card
from studio.library.models import Trained
from studio.library.work import Work

HOTTEST = 4.0
LEARNED = 1.0
"""The temperature at which every model is trained."""


def safe_temperatures(card: Card | None, home: float = LEARNED) -> tuple[float, float]:
    """Return the lowest and highest temperature that a model handles well.

    Lower temperatures are safe: results only become more typical. Above 1 they are unlike what the model learned from,
    unless its card recommends a higher temperature, at which its results were checked. Where most of the works that
    were drawn to measure it were blank or saturated, neither is.

    home: the temperature to which the dial returns, which is always safe
    """
    own = card.temperature if card is not None else home
    low, high = (card.temperature_range if card is not None else None) or (0.0, HOTTEST)
    return min(low, own, home), max(min(max(LEARNED, own), high), own)


class Dials(State):
    """`step(name, gesture, **after)` does what can be undone; its record comes back to `put`."""

    def __init__(
        self, models: Models, number: int, most: int, step: Callable[..., None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models, self._most, self._step = models, most, step
        self.model: Value[Trained | None] = Value(None, self)
        self.number: Value[int] = Value(number, self)
        """Of pictures, 1 to `most`."""
        self._field = SeedField(self)
        self.seed: Value[int] = self._field.seed
        """0 to 2**53 - 1: of the first picture; the next ones count up from it."""
        self.locked: Value[bool] = self._field.locked
        """Whether the next run keeps the seed."""
        self.error: Value[str] = self._field.error
        """What is wrong with the seed that was typed, as a sentence; empty when nothing is."""
        self.temperature: Value[float] = Value(1.0, self)
        """0.0 to 4.0; its home is the model's own card.temperature."""
        self.label: Value[int | None] = Value(None, self)
        """Index into card.classes; None leaves the kind to each seed."""
        self.mixing = Mixing(models, self)
        self._spent: int | None = None
        """The seed of the last run: the next one rolls another, unless it is locked."""

    def set_number(self, number: int) -> None:
        self._step("number", "number", number=min(max(number, 1), self._most))

    def set_seed(self, seed: int | str) -> None:
        """Text that is no seed leaves the last one and says so in `error`."""
        found = self._field.typed(seed)
        if found is not None:
            self._spent = None
            self._step("seed", seed=found)

    def new_seed(self) -> None:
        """Roll another seed."""
        self.set_seed(seeds.roll(self.seed.get()))

    def lock(self, on: bool) -> None:
        """Keep this seed for the next run, or not."""
        self.locked.set(on)

    def set_temperature(self, temperature: float, gesture: str | None = "temperature") -> None:
        """Settings of one gesture are one step of undo; None makes each a step of its own."""
        self._step("temperature", gesture, temperature=min(max(float(temperature), 0.0), HOTTEST))

    def set_label(self, label: int | None) -> None:
        self._step("kind", label=label)

    @property
    def kinds(self) -> tuple[int | None, ...]:
        """Of each of the card's sorts of kinds the index, None for any."""
        sizes, label = self._sizes(), known_label(self.label.get(), self.model.get())
        if label is None:
            return (None,) * len(sizes)
        return tuple(int(place) for place in np.unravel_index(label, sizes))

    @property
    def kind_name(self) -> str:
        """Return the name of the chosen class; empty for any."""
        trained = self.model.get()
        label = known_label(self.label.get(), self.model.get())
        return trained.card.classes[label] if trained is not None and label is not None else ""

    def set_kind(self, sort: int, kind: int | None) -> None:
        """Of one sort of kinds. A model is asked for a kind of every sort or for any: of one that was any, the first is
        taken."""
        kinds = [place or 0 for place in self.kinds]
        kinds[sort] = kind or 0
        self.set_label(int(np.ravel_multi_index(kinds, self._sizes())) if kind is not None else None)

    def set_mix(self, name: str) -> None:
        """Have a second model decide, too; an empty name for none."""
        self._step("mix", mix=name)

    def set_share(self, share: float, gesture: str | None = "share") -> None:
        self._step("share", gesture, share=share)

    def home(self) -> None:
        """The temperature back to the model's own."""
        trained = self.model.get()
        if trained is not None:
            self.set_temperature(trained.card.temperature, None)

    def begin(self, trained: Trained) -> tuple[Run, list[Cell]]:
        """What a run that begins now is made with, and its empty cells."""
        if self._spent == self.seed.get() and not self.locked.get():
            self.new_seed()
        self._spent = first = self.seed.get()
        card, mix = trained.card, self.mixing.chosen()
        run = Run(card.name, hash_of(trained), self.temperature.get(), self.label.get(), card.kind, mix)
        return run, [Cell((first + n) % seeds.BEYOND) for n in range(self.number.get())]

    def _sizes(self) -> tuple[int, ...]:
        trained = self.model.get()
        return tuple(len(kinds) for _, kinds in trained.card.sorts) if trained is not None else ()

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def plain(self) -> Plain:
        trained = self.model.get()
        return {
            "model": trained.card.name if trained is not None else None,
            "number": self.number.get(),
            "seed": self.seed.get(),
            "temperature": self.temperature.get(),
            "label": self.label.get(),
            **self.mixing.plain(),
        }

    def put(self, record: Plain) -> None:
        """Put the values of a record into the state; a model that is gone changes nothing."""
        if record.get("model") is not None:
            self.model.set(self._models.find(str(record["model"])) or self.model.get())
        if "number" in record:
            self.number.set(min(max(int(record["number"]), 1), self._most))
        if "seed" in record:
            self._field.put(record["seed"])
        if "temperature" in record:
            self.temperature.set(min(max(float(record["temperature"]), 0.0), HOTTEST))
        if "label" in record:
            self.label.set(known_label(record["label"], self.model.get()))
        self.mixing.fit(self.model.get())
        self.mixing.put(record)

    def snapshot(self) -> Plain:
        return {**self.plain(), "locked": self.locked.get(), "spent": self._spent}

    def restore(self, plain: Plain) -> None:
        self.put({key: plain[key] for key in self.plain() if key in plain})
        self.locked.set(bool(plain.get("locked", False)))
        self._spent = int(plain["spent"]) if plain.get("spent") is not None else None

    def settle(self, able: Callable[[Trained], bool]) -> None:
        """Choose the first model that is able, where none is chosen yet."""
        first = next((trained for trained in self._models.cards.get() if able(trained)), None)
        if self.model.get() is None and first is not None:
            self.model.set(first)
            self.temperature.set(first.card.temperature)
        self.mixing.fit(self.model.get())


def at_home(trained: Trained) -> Plain:
    """A model with its dials at home."""
    return {"model": trained.card.name, "temperature": trained.card.temperature, "label": None, "mix": ""}


def of_work(work: Work, trained: Trained) -> Plain:
    """A model with the dials as a work had them."""
    temperature, mix = work.temperature[0], work.mix
    said: Plain = {"model": trained.card.name, "seed": work.seed, "temperature": temperature, "label": work.label}
    return {**said, "mix": mix.model, "share": mix.share} if mix is not None else {**said, "mix": ""}


def known_label(label: Any, trained: Trained | None) -> int | None:
    """A kind that a model knows, None for any other."""
    known = label is not None and trained is not None and 0 <= int(label) < len(trained.card.classes)
    return int(label) if known else None
