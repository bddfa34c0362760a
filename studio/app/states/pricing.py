"""What a sound that was brought in costs, sample by sample, under the model that goes on from it."""

import itertools
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.player import Player
from studio.app.states.value import Engine, State
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
        self._wish: tuple[str, int | None, int, int] | None = None
        self._open: tuple[str, int] | None = None
        self._ready = False
        self._jobs = itertools.count(1)

    def ask(self, model: str, label: int | None, end: float) -> None:
        """Price what the player holds, up to a second."""
        last = min(round(end * self._player.rate), len(self._player.samples))
        first = max(last - round(MOST * self._player.rate), 0)
        self._wish = (model, label, first, last) if last > first else None
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
