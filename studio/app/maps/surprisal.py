"""Asks for the surprisal of each pixel in the visible pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Signal

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, State, Value
from studio.app.core.request import Request
from studio.app.maps.colour_range import ColourRange
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import AnyCommand, AnyEvent, Array, Failed, Score, Scored

MAX_MAPS = 1024
"""The most maps that are kept. If more pictures are visible, the first ones get a map."""


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """Describes a visible picture, with the model and class for its map."""

    picture: Array
    """(height, width, channels) uint8. It is compared by identity (see `studio.app.core.observable.is_same`)."""
    model: str
    label: int | None = None


@dataclass(frozen=True, eq=False)
class SurprisalMap:
    """Holds the surprisal of each pixel of a picture."""

    picture: Array
    bits: Array
    """(height, width) float32."""
    bound: bool
    """Whether only the sum of the bits has a meaning. Each pixel then has a share of it."""
    model: str
    with_noise: bool = False
    """Whether the bits are those of the picture plus noise."""


class SurprisalMaps(State):
    """Holds the maps of every panel. It asks for one map at a time, for the newest picture first."""

    map_arrived = Signal(object)
    """Carries a SurprisalMap as soon as it is known."""

    def __init__(self, engine: EngineProtocol, messages: Messages) -> None:
        super().__init__()
        self._messages = messages
        self.on: Value[bool] = Value(False, self)
        self.fields = (Field.of("on", self.on, bool),)
        self._range = ColourRange(self)
        self.scale: Value[ColourScale | None] = self._range.scale
        """The scale of all compared pictures; None until there is a map."""
        self.set_range = self._range.set_range
        self.hovered_bits: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._shown: tuple[ShownPicture, ...] = ()
        self._maps: dict[int, SurprisalMap] = {}
        self._refused: dict[int, Array] = {}
        """Pictures without an answer. The engine is asked again once the overlay is switched on again."""
        self._requested: ShownPicture
        """The picture whose map was requested last."""
        self._model = ""
        self._request = Request(engine, "surprise", "latest", self)
        self._request.answered.connect(self._use_answer)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._refuse_lost)
        engine.status_changed.connect(self._ask)

    def set_on(self, on: bool) -> None:
        """Show the map over pictures, or the pictures alone."""
        self._refused.clear()
        self.hovered_bits.set(None)
        if self.on.set(on):
            self._ask()

    def set_shown(self, shown: Sequence[ShownPicture]) -> None:
        """Set the pictures that the open panel shows, the most urgent first.

        There are none while the user moves a control, because maps would delay its pictures.
        """
        self._shown = tuple(shown[:MAX_MAPS])
        if self._shown and self._shown[0].model != self._model:
            self._model = self._shown[0].model
            self._range.clear_scale()
            self.fit_scale()
        self._ask()

    def map_of(self, picture: Array | None) -> SurprisalMap | None:
        """Return the map of a picture, if it is known and the overlay is on."""
        return self._maps.get(id(picture)) if self.on.get() else None

    def fit_scale(self) -> None:
        """Fit the scale to the visible pictures."""
        known_maps = [map for map in (self._maps.get(id(each.picture)) for each in self._shown) if map is not None]
        if known_maps:
            self._range.fit_maps([map.bits for map in known_maps], known_maps[0].bound, known_maps[0].with_noise)

    def set_hovered(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """Set the pixel under the pointer. Without a picture there is none."""
        map = self.map_of(picture)
        self.hovered_bits.set(float(map.bits[row, column]) if map is not None else None)

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def _use_answer(self, event: AnyEvent) -> None:
        if isinstance(event, Scored):
            asked = self._requested
            self._add_map(SurprisalMap(asked.picture, event.bits, event.is_bound, asked.model, event.noise > 0))
        else:
            self._refuse(self._requested)
        self._ask()

    def _show_stop(self) -> None:
        self._refuse(self._requested, *self._shown)  # the user stopped the maps of these pictures

    def _show_failure(self, event: Failed) -> None:
        self._refuse(self._requested)
        text = f"{event.reason} The picture is shown without its map. {event.hint}".strip()
        self._messages.show_message(text, "failed", until=(self.on.changed,))
        self._ask()

    def _refuse_lost(self) -> None:
        """Do not ask again by itself: the question may have ended the engine."""
        self._refuse(self._requested)

    def _refuse(self, *shown: ShownPicture) -> None:
        self._refused |= {id(each.picture): each.picture for each in shown}

    def _add_map(self, map: SurprisalMap) -> None:
        self._maps[id(map.picture)] = map
        while len(self._maps) > MAX_MAPS:
            del self._maps[next(iter(self._maps))]
        if map.model == self._model:
            self._range.include_map(map.bits, map.bound, map.with_noise)
        self.map_arrived.emit(map)

    def _ask(self) -> None:
        if self.on.get() and self._request.ready:
            self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        """Ask for the map of the first visible picture without one."""
        known = self._maps.keys() | self._refused.keys()
        next_picture = next((each for each in self._shown if id(each.picture) not in known), None)
        if next_picture is None or not self.on.get():
            return None
        self._requested = next_picture
        picture = np.ascontiguousarray(next_picture.picture)
        return Score(job=job, control="surprise", model=next_picture.model, picture=picture, label=next_picture.label)
