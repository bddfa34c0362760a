"""Lists the trained models that can be chosen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import Field, State, Value
from studio.library import models
from studio.library.card import GROUP_HEADINGS
from studio.library.models import BadModel, InstalledModel
from studio.library.storage import NotSaved
from studio.library.work import Work

FAVOURITES = "Favourites"
Section = tuple[str, tuple[InstalledModel, ...]]
"""A heading, and the models below it."""


class ModelList(State):
    """Holds the cards of all trained models, the user's favourites, and why files were refused."""

    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self._messages = messages
        self.cards: Value[tuple[InstalledModel, ...]] = Value((), self)
        self.refused: Value[tuple[str, ...]] = Value((), self)
        self.favourites: Value[frozenset[str]] = Value(frozenset(), self)
        """Names of the favourite models, including missing ones."""
        self.fields = (Field("favourites", lambda: sorted(self.favourites.get()), self._use_favourites),)
        self._covers: dict[Path, np.ndarray | None] = {}
        self._adding = BackgroundTask(self)

    def refresh_models(self) -> None:
        """Look again into the models' folders."""
        found, refused = models.list_models()
        self._covers.clear()
        self.cards.set(tuple(found))
        self.refused.set(tuple(refused))

    def set_favourite(self, name: str, on: bool) -> None:
        """Add a model to the favourites, or remove it."""
        others = self.favourites.get() - {name}
        self.favourites.set(others | {name} if on else others)

    def _use_favourites(self, names: list[str]) -> None:
        self.favourites.set(frozenset(map(str, names)))

    def sections(self) -> tuple[Section, ...]:
        """Return the models as lists show them: favourites first, then by heading."""
        found: dict[str, list[InstalledModel]] = {heading: [] for heading in (FAVOURITES, *GROUP_HEADINGS)}
        for trained in self.cards.get():
            favourite = trained.card.name in self.favourites.get()
            found[FAVOURITES if favourite else trained.card.group_heading].append(trained)
        return tuple((heading, tuple(held)) for heading, held in found.items() if held)

    def find_model(self, name: str) -> InstalledModel | None:
        """Return the model with this name; None if there is none."""
        return next((trained for trained in self.cards.get() if trained.card.name == name), None)

    def find_or_report(self, name: str) -> InstalledModel | None:
        """Return the chosen model. If its file was deleted, show a message and look for models again."""
        trained = self.find_model(name)
        if trained is None or trained.path.exists():
            return trained
        self.refresh_models()
        if self.find_model(name) is None:
            self._messages.show_message(
                f'"{trained.card.title}" is missing. Its file was moved or deleted. '
                "Put it back, or choose another model.",
                "warn",
                until=(self.cards.changed,),
            )
        return self.find_model(name)

    def first_model(self, recordings: bool = False) -> InstalledModel | None:
        """Return the first model of pictures or waves, or the first model of recordings."""
        return next((trained for trained in self.cards.get() if bool(trained.card.sample_rate) is recordings), None)

    def find_maker(self, work: Work) -> InstalledModel | None:
        """Return the model that made a work, or one with the same name. Show no message."""
        named = self.find_model(work.model)
        known = ([named] if named is not None else []) + list(self.cards.get())
        same = (trained for trained in known if trained.has_hash(work.model_hash))
        return next(same, named)

    def find_or_report_maker(self, work: Work) -> InstalledModel | None:
        """Return the model that made a work, even if it was renamed.

        Show a message if it is another model or missing, or if it does not have the work's class.
        """
        trained = self.find_maker(work)
        if trained is None:
            add = ("Add a model…", lambda: self._messages.open_requested.emit(models.MODEL_SUFFIX, self.add_model))
            self._messages.show_message(_missing_model_text(work), "warn", add, until=(self.cards.changed,))
            return None
        odd = []
        if not trained.has_hash(work.model_hash):
            odd.append(f'Another model named "{work.model}" made this work. It may come out differently.')
        if work.label is not None and not 0 <= work.label < len(trained.card.classes):
            odd.append(f'It names class {work.label}, which "{trained.card.title}" does not have. Any class is used.')
        if odd:
            self._messages.show_message(" ".join([*odd, "Its file is untouched."]), "warn")
        return trained

    def read_cover(self, name: str) -> np.ndarray | None:
        """Return a model's cover; None if it has none.

        It is (n, height, width, channels) uint8 for pictures, (n, samples) int16 for waves.
        """
        trained = self.find_model(name)
        if trained is None:
            return None
        if trained.path not in self._covers:
            try:
                cover = models.read_cover(trained.path)
            except BadModel:  # was reported when the folders were read; a card is shown without its cover
                cover = np.zeros((0, 1, 1, 3), np.uint8)
            self._covers[trained.path] = cover if len(cover) else None
        return self._covers[trained.path]

    def add_model(self, path: Path, on_added: Callable[[InstalledModel], object] = lambda trained: None) -> None:
        """Copy a model's file to the user's own models, call `on_added` with it, and show a message."""

        def adopted(outcome: InstalledModel | Exception) -> None:
            if isinstance(outcome, InstalledModel):
                self.refresh_models()
                if outcome.card.role == "upsampler":
                    self._messages.show_message(f'"{outcome.card.title}" was added. It draws details for other models.')
                    return
                self._messages.show_message(f'"{outcome.card.title}" was added to your models.')
                on_added(self.find_model(outcome.card.name) or outcome)
            elif isinstance(outcome, BadModel):
                self._messages.show_message(str(outcome), "failed")
            elif isinstance(outcome, NotSaved):
                self._messages.show_message(
                    outcome.message, "failed", ("Try again", lambda: self.add_model(path, on_added))
                )
            else:
                raise outcome

        self._adding.run(lambda: models.import_model(path), adopted)

    def close(self) -> None:
        """Wait until the file is copied."""
        self._adding.wait()


def _missing_model_text(work: Work) -> str:
    heat = ", ".join(f"{temperature:g}" for temperature in work.temperature)
    start = work.source or f"seed {work.seed}"
    return (
        f'This work was made with "{work.model}", which is not here. It was made from {start} at temperature {heat}. '
        "To make it again, add that model."
    )
