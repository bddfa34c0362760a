"""Surprise: what each pixel of the pictures on show costs under the model that they are looked at with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Signal

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, State, Value
from studio.app.core.request import Request
from studio.app.maps.colour_range import ColourRange
from studio.media.pictures.surprisal_map import ColourScale, bits_text, format_bits_value
from studio.wire.messages import AnyCommand, AnyEvent, Array, Failed, Score, Scored

__all__ = ["SurprisalMap", "ColourScale", "ShownPicture", "SurprisalMaps", "format_bits_value", "bits_text"]

MAX_MAPS = 1024
"""Maps that are kept; of more pictures than that on show, the first are priced."""


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """A picture on show, and the model and kind to ask about it."""

    picture: Array
    """(height, width, channels) uint8; it goes by identity, as in `studio.app.core.observable.is_same`."""
    model: str
    label: int | None = None


@dataclass(frozen=True, eq=False)
class SurprisalMap:
    """What each pixel of a picture costs."""

    picture: Array
    bits: Array
    """(height, width) float32."""
    bound: bool
    """Only their sum is a price: each pixel bears a share of it."""
    model: str


class SurprisalMaps(State):
    """The overlay of every panel: one question is open at a time, and the newest wish is the next one."""

    map_arrived = Signal(object)
    """A Map, as soon as it is known."""

    def __init__(self, engine: EngineProtocol, messages: Messages) -> None:
        super().__init__()
        self._messages = messages
        self.on: Value[bool] = Value(False, self)
        self.fields = (Field.of("on", self.on, bool),)
        self._range = ColourRange(self)
        self.scale: Value[ColourScale | None] = self._range.scale
        """Common to all pictures that are compared; None until the first map is there."""
        self.set_range = self._range.set_range
        self.hovered_bits: Value[float | None] = Value(None, self)
        """Bits of the pixel under the pointer."""
        self._shown: tuple[ShownPicture, ...] = ()
        self._maps: dict[int, SurprisalMap] = {}
        self._refused: dict[int, Array] = {}
        """Pictures that no map was given for: they are not asked about again until the overlay is switched on anew."""
        self._asked: ShownPicture
        """What was asked for last."""
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
        """What the open panel shows, the most urgent first; nothing, while a hand there must not be kept waiting."""
        self._shown = tuple(shown[:MAX_MAPS])
        if self._shown and self._shown[0].model != self._model:
            self._model = self._shown[0].model
            self._range.clear_scale()
            self.fit_scale()
        self._ask()

    def map_of(self, picture: Array | None) -> SurprisalMap | None:
        """The map of a picture, where it is known and the overlay is on."""
        return self._maps.get(id(picture)) if self.on.get() else None

    def fit_scale(self) -> None:
        """The range of what is on show now."""
        found = [map for map in (self._maps.get(id(each.picture)) for each in self._shown) if map is not None]
        if found:
            self._range.fit_maps([map.bits for map in found], found[0].bound)

    def set_hovered(self, picture: Array | None, row: int = 0, column: int = 0) -> None:
        """The pointer is over a pixel; over none where no picture is given."""
        map = self.map_of(picture)
        self.hovered_bits.set(float(map.bits[row, column]) if map is not None else None)

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def _use_answer(self, event: AnyEvent) -> None:
        if isinstance(event, Scored):
            self._add_map(SurprisalMap(self._asked.picture, event.bits, event.is_bound, self._asked.model))
        else:
            self._refuse(self._asked)
        self._ask()

    def _show_stop(self) -> None:
        self._refuse(self._asked, *self._shown)  # the user stopped the maps of these pictures

    def _show_failure(self, event: Failed) -> None:
        self._refuse(self._asked)
        said = f"{event.reason} The picture is shown without its map. {event.hint}".strip()
        self._messages.show_message(said, "failed", until=(self.on.changed,))
        self._ask()

    def _refuse_lost(self) -> None:
        """The engine died with the question open. It is not asked again by itself: it may have been the cause."""
        self._refuse(self._asked)

    def _refuse(self, *shown: ShownPicture) -> None:
        self._refused |= {id(each.picture): each.picture for each in shown}

    def _add_map(self, map: SurprisalMap) -> None:
        self._maps[id(map.picture)] = map
        while len(self._maps) > MAX_MAPS:
            del self._maps[next(iter(self._maps))]
        if map.model == self._model:
            self._range.include_map(map.bits, map.bound)
        self.map_arrived.emit(map)

    def _ask(self) -> None:
        if self.on.get() and self._request.ready:
            self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        """Ask for the first picture on show that has no map yet."""
        known = self._maps.keys() | self._refused.keys()
        asked = next((each for each in self._shown if id(each.picture) not in known), None)
        if asked is None or not self.on.get():
            return None
        self._asked = asked
        picture = np.ascontiguousarray(asked.picture)
        return Score(job=job, control="surprise", model=asked.model, picture=picture, label=asked.label)
