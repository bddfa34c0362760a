"""Holds the user's settings for a batch: model, number, seed, temperature, class and a second model."""

import secrets
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.observable import Field, Record, State, Value, within
from studio.app.core.undo import ChangeStep
from studio.app.generation.canvas_settings import CanvasSettings
from studio.app.generation.run import BatchRun, Cell
from studio.app.generation.sharpening import Sharpening, SharpeningInput
from studio.app.model_browser.model_list import ModelList
from studio.library.card import Card
from studio.library.models import InstalledModel
from studio.library.work import ModelMixture, Work


class ModelMix(State):
    """Holds the second model and its share."""

    def __init__(self, models: ModelList, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.partners: Value[tuple[InstalledModel, ...]] = Value((), self)
        """The models that can be mixed with the chosen one."""
        self.name: Value[str] = Value("", self)
        """The name of the second model; empty for none."""
        self.share: Value[float] = Value(0.5, self)
        """The share of the second model, 0.0 to 1.0."""
        self.fields = (
            Field("mix", self.name.get, self._choose),
            Field("share", self.share.get, lambda share: self.share.set(within(share, 0.0, 1.0))),
        )

    def set_model(self, trained: InstalledModel | None) -> None:
        """Update the possible second models. A second model that no longer fits is removed."""
        cards = self._models.cards.get()
        self.partners.set(tuple(other for other in cards if trained is not None and can_mix(trained, other)))
        self._choose(self.name.get())

    def _choose(self, name: str) -> None:
        """Mix a model in; none if it is not among the partners."""
        known = {other.card.name for other in self.partners.get()}
        self.name.set(name if name in known else "")

    def chosen_mix(self) -> ModelMixture | None:
        """Return the mixture for a run that begins now; None without a second model."""
        other = self._models.find_model(self.name.get()) if self.name.get() else None
        if other is None:
            return None
        return ModelMixture(model=other.card.name, model_hash=other.file_hash_if_found, share=self.share.get())


def can_mix(one: InstalledModel, other: InstalledModel) -> bool:
    """Return whether two models draw pixels of the same size and levels, or samples of the same rate."""
    a, b = one.card, other.card
    if a.sample_rate or b.sample_rate:
        return (a.sample_rate, a.levels) == (b.sample_rate, b.levels) and a.name != b.name
    fits = (a.medium, a.shape, a.levels, a.palette) == (b.medium, b.shape, b.levels, b.palette)
    return fits and a.draws_by_rows and b.draws_by_rows and a.name != b.name


def partner_titles(partners: Sequence[InstalledModel]) -> list[tuple[str, str]]:
    """Return text and name for each entry of the list of second models. The first entry is none."""
    return [("None", ""), *((other.card.title, other.card.name) for other in partners)]


SEED_LIMIT = 2**53
"""All seeds are smaller than this, because some readers of JSON round larger numbers."""

ROLLED_SEED_LIMIT = 1_000_000
"""Rolled seeds have six digits at most: they can be read aloud, and there are enough of them."""


def roll_seed(other_than: int) -> int:
    """Return another random seed."""
    seed = secrets.randbelow(ROLLED_SEED_LIMIT - 1)
    return seed + (seed >= other_than)


def parse_seed(typed: int | str, kept: int) -> tuple[int, str]:
    """Return the typed seed; if it is invalid, the last one and a sentence. Spaces are allowed."""
    text = "".join(str(typed).split())
    if text.isascii() and text.isdigit() and len(text) <= 16 and int(text) < SEED_LIMIT:
        return int(text), ""
    shown = text if len(text) <= 24 else text[:24] + "…"
    said = f'"{shown}" is not a seed' if text else "A seed is missing"
    return kept, f"{said}. {kept} is kept. A seed is a whole number from 0 to {SEED_LIMIT - 1:,}."


class SeedInput(State):
    """Holds a seed that can be typed, rolled and locked."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.seed: Value[int] = Value(roll_seed(0), self)
        self.locked: Value[bool] = Value(False, self)
        self.error: Value[str] = Value("", self)

    def parse_text(self, text: int | str) -> int | None:
        """Return the typed seed. If it is invalid, return None and set `error`."""
        found, error = parse_seed(text, self.seed.get())
        self.error.set(error)
        return None if error else found

    def set_seed(self, seed: object) -> None:
        """Set the seed from a record. An invalid one changes nothing."""
        self.error.set("")
        self.seed.set(parse_seed(str(seed), self.seed.get())[0])


SLIDER_MAX_TEMPERATURE = 2.0
"""The highest temperature that the user can set; works may contain higher ones."""

MAX_TEMPERATURE = 4.0

LEARNED_TEMPERATURE = 1.0
"""The temperature at which every model is trained."""


def safe_temperatures(card: Card | None, default: float = LEARNED_TEMPERATURE) -> tuple[float, float]:
    """Return the lowest and highest temperature that a model handles well.

    Lower temperatures are safe: results only become more typical. Above 1 they are unlike what the model learned from,
    unless its card recommends a higher temperature, at which its results were checked.
    A temperature at which most measured works were blank or saturated is not safe.

    Arguments
        default: the temperature to which a reset returns, which is always safe
    """
    own = card.temperature if card is not None else default
    low, high = (card.temperature_range if card is not None else None) or (0.0, MAX_TEMPERATURE)
    return min(low, own, default), max(min(max(LEARNED_TEMPERATURE, own), high), own)


class Parameters(State):
    """Holds the parameters of a panel. `change` sets them as steps of its undo.

    Arguments
        number: how many artworks a run makes at first
        most: how many it can make
        able: whether the panel can use a model
    """

    def __init__(
        self,
        models: ModelList,
        number: int,
        max_number: int,
        able: Callable[[InstalledModel], bool],
        change: ChangeStep,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._max_number = max_number
        self._able = able
        self._change = change
        self.model: Value[InstalledModel | None] = Value(None, self)
        self.number: Value[int] = Value(number, self)
        """The number of pictures, at least 1."""
        self._seed_input = SeedInput(self)
        self.seed: Value[int] = self._seed_input.seed
        """The seed of the first picture, 0 to 2**53 - 1. The next pictures count up from it."""
        self.locked: Value[bool] = self._seed_input.locked
        """Whether the next run keeps the seed."""
        self.error: Value[str] = self._seed_input.error
        """A sentence about an invalid typed seed; empty if it is valid."""
        self.temperature: Value[float] = Value(1.0, self)
        """From 0.0 to 4.0. A reset returns it to the model's `card.temperature`."""
        self.label: Value[int | None] = Value(None, self)
        """An index into `card.classes`; None lets each seed choose a class."""
        self.sharpening = SharpeningInput(change, self)
        self.mix = ModelMix(models, self)
        self.canvas = CanvasSettings(change, self)
        self._seed_used: int | None = None
        """The seed of the last run. The next run rolls another one unless the seed is locked."""
        for value in (self.model, self.mix.name):
            value.changed.connect(lambda _: self.sharpening.set_model(self.model.get(), bool(self.mix.name.get())))
        self.fields = (
            Field("model", self._model_name, self._use_model),
            Field("number", self.number.get, lambda number: self.number.set(min(max(int(number), 1), max_number))),
            Field("seed", self.seed.get, self._seed_input.set_seed),
            Field(
                "temperature",
                self.temperature.get,
                lambda heat: self.temperature.set(within(heat, 0.0, MAX_TEMPERATURE)),
            ),
            Field("label", self.label.get, lambda label: self.label.set(known_label(label, self.model.get()))),
            *self.sharpening.fields,
            *self.mix.fields,
            *self.canvas.fields,
            Field.of("locked", self.locked, bool, undo=False),
            Field("seed_used", lambda: self._seed_used, self._restore_seed_used, undo=False),
        )

    def set_number(self, number: int) -> None:
        self._change("number", "number", number=min(max(number, 1), self._max_number))

    def set_seed(self, seed: int | str) -> None:
        """Set the typed seed. An invalid text keeps the last seed and sets `error`."""
        found = self._seed_input.parse_text(seed)
        if found is not None:
            self._seed_used = None
            self._change("seed", seed=found)

    def new_seed(self) -> None:
        """Roll another seed."""
        self.set_seed(roll_seed(self.seed.get()))

    def lock_seed(self, on: bool) -> None:
        """Lock the seed for the next run, or unlock it."""
        self.locked.set(on)

    def set_temperature(self, temperature: float, gesture: str | None = "temperature") -> None:
        """Set the temperature. Changes of one gesture are one step of undo; None makes each a step of its own."""
        self._change("temperature", gesture, temperature=min(max(float(temperature), 0.0), MAX_TEMPERATURE))

    def set_label(self, label: int | None) -> None:
        self._change("kind", label=label)

    @property
    def class_choices(self) -> tuple[int | None, ...]:
        """Return the chosen index in each group of the card's classes; None for any."""
        sizes = self._sizes()
        label = known_label(self.label.get(), self.model.get())
        if label is None:
            return (None,) * len(sizes)
        return tuple(int(place) for place in np.unravel_index(label, sizes))

    @property
    def class_name(self) -> str:
        """Return the name of the chosen class; empty for any."""
        trained = self.model.get()
        label = known_label(self.label.get(), self.model.get())
        return trained.card.classes[label] if trained is not None and label is not None else ""

    def set_class(self, sort: int, kind: int | None) -> None:
        """Choose a class in one group. None means any class in every group.

        Groups without a choice get their first class, because a model needs one of every group.
        """
        kinds = [place or 0 for place in self.class_choices]
        kinds[sort] = kind or 0
        self.set_label(int(np.ravel_multi_index(kinds, self._sizes())) if kind is not None else None)

    def set_mix(self, name: str) -> None:
        """Mix in a second model; an empty name removes it."""
        self._change("mix", mix=name)

    def set_share(self, share: float, gesture: str | None = "share") -> None:
        self._change("share", gesture, share=share)

    def reset_temperature(self) -> None:
        """Reset the temperature to the model's own."""
        trained = self.model.get()
        if trained is not None:
            self.set_temperature(trained.card.temperature, None)

    def start_run(self, trained: InstalledModel) -> tuple[BatchRun, list[Cell]]:
        """Return a new run with these parameters, and its empty cells. Roll the seed unless it is locked or new."""
        if self._seed_used == self.seed.get() and not self.locked.get():
            self.new_seed()
        self._seed_used = first = self.seed.get()
        card = trained.card
        mix = self.mix.chosen_mix()
        run = BatchRun(
            card.name,
            trained.file_hash_if_found,
            self.temperature.get(),
            self.label.get(),
            card.medium,
            mix,
            card.palette,
            sharpening=self.sharpening.chosen(),
        )
        return run, [Cell((first + n) % SEED_LIMIT) for n in range(self.number.get())]

    def _sizes(self) -> tuple[int, ...]:
        trained = self.model.get()
        return tuple(len(kinds) for _, kinds in trained.card.class_groups) if trained is not None else ()

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _model_name(self) -> str | None:
        trained = self.model.get()
        return trained.card.name if trained is not None else None

    def _use_model(self, name: str | None) -> None:
        """Choose a model by its name. A missing or unsuitable model changes nothing."""
        trained = self._models.find_model(name) if name is not None else None
        if trained is not None and self._able(trained):
            self.model.set(trained)
        self.mix.set_model(self.model.get())
        self.canvas.set_model(self.model.get())

    def _restore_seed_used(self, seed: int | None) -> None:
        self._seed_used = int(seed) if seed is not None else None

    def choose_default_model(self) -> None:
        """Choose the first model that the panel can use, if none is chosen yet."""
        first = next(filter(self._able, self._models.cards.get()), None)
        if self.model.get() is None and first is not None:
            self.model.set(first)
            self.temperature.set(first.card.temperature)
        self.mix.set_model(self.model.get())
        self.canvas.set_model(self.model.get())


def default_record(trained: InstalledModel) -> Record:
    """Return a record that chooses a model with its usual parameters."""
    usual = {"model": trained.card.name, "temperature": trained.card.temperature, "label": None, "mix": ""}
    return usual | Sharpening().to_record()


def record_of_work(work: Work, trained: InstalledModel) -> Record:
    """Return a record that chooses a model with the parameters of a work."""
    temperature = work.temperature[0]
    mix = work.mix
    said: Record = {"model": trained.card.name, "seed": work.seed, "temperature": temperature, "label": work.label}
    if work.canvas_size is not None:
        said |= {"canvas_size": list(work.canvas_size), "seamless": work.seamless}
    said |= Sharpening.of_work(work).to_record()
    return {**said, "mix": mix.model, "share": mix.share} if mix is not None else {**said, "mix": ""}


def known_label(label: int | None, trained: InstalledModel | None) -> int | None:
    """Return a class if the model has it, otherwise None."""
    if label is None or trained is None or not 0 <= label < len(trained.card.classes):
        return None
    return int(label)
