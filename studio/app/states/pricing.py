"""What a sound that was brought in costs, sample by sample, under the model that goes on from it."""

import itertools
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.player import Player
from studio.app.states.value import Engine, State, Value
from studio.library.models import Trained
from studio.wire.messages import AnyCommand, AnyEvent, Ending, Score, Scored

MOST = 30.0
"""Seconds that are priced, up to where the model goes on."""
BLIND = 0.5
"""Seconds at the beginning of these that are told nothing of, where the model would have to know what was before."""


class Pricing(State):
    """One question at a time; a newer one takes its place. It is asked once the engine is ready."""

    def __init__(self, engine: Engine, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._player = engine, player
        self.said: Value[str] = Value("", self)
        """Whose prices these are, where it is not told by what makes the sound: `as Piano alone prices it`."""
        self._wish: tuple[str, int | None, int, int] | None = None
        self._open: tuple[str, int] | None = None
        self._ready = False
        self._jobs = itertools.count(1)
        player.leaves.connect(lambda: self.said.set(""))

    def ask(self, trained: Trained, label: int | None, end: float, mixed: bool) -> None:
        """Price what the player holds, up to a second. `mixed`: a second model decided, too, which is not asked."""
        last = min(round(end * self._player.rate), len(self._player.samples))
        first = max(last - round(MOST * self._player.rate), 0)
        self._wish = (trained.card.name, label, first, last) if last > first else None
        self.said.set(f"as {trained.card.title} alone prices it" if mixed and self._wish else "")
        self._ask()

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self._ready = status in ("Ready", "Working")
        self._ask()

    def take(self, event: AnyEvent) -> None:
        if self._open is None or getattr(event, "job", None) != self._open[0]:
            return
        _, first = self._open
        if isinstance(event, Scored):
            known = event.bits.astype(np.float32)
            if first:
                known[: round(BLIND * self._player.rate)] = np.nan
            self._player.price(first, known)
        if isinstance(event, Scored | Ending):
            self._open = None

    def lost(self, commands: Sequence[AnyCommand]) -> None:
        """The engine died; a sound can be heard without its price."""
        if self._open is not None and self._open[0] in {command.job for command in commands}:
            self._open = None

    def _ask(self) -> None:
        if self._wish is None or not self._ready:
            return
        (model, label, first, last), self._wish = self._wish, None
        job = f"price-{next(self._jobs)}"
        self._open = job, first
        sound = self._player.samples[first:last].copy()
        self._engine.send(Score(job=job, hand="price", model=model, picture=sound, label=label))
