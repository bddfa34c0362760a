"""What a job draws by, and how a hand changes it while the job draws."""

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from studio.density.autoregressive import PixelEntropies
from studio.engine.generation import sampling
from studio.engine.generation.sampling import Loaded
from studio.engine.levels import Misfit
from studio.wire import messages as wire

MAX_TEMPERATURE = 4.0

Number = TypeVar("Number")
Wish = tuple[Number, wire.Array | None, Tensor]
"""A number, what it is multiplied by at each pixel, and what comes of both."""


class Steering:
    """The temperature of every pixel, and of two models that are mixed the second's share.

    A model that draws pixel by pixel looks at a row's when it draws it. So a change between two rows holds from the
    next row on, and the rows above keep what they were drawn by. A model that makes the whole picture at once looks
    when a group begins.
    """

    def __init__(self, loaded: Loaded, command: wire.DrawPictures) -> None:
        """Raises Misfit where the model cannot draw by it."""
        self._loaded = loaded
        self._by_rows = loaded.model.can_inpaint and len(loaded.model.shape) == 3
        self._heat = _Dial(command.temperature, command.temperature_map, self._heated)
        self._share = (
            None if loaded.share is None else _Dial(command.share, command.share_map, self._shared, loaded.share)
        )
        self._rows = 0
        self._doubts = PixelEntropies(torch.empty(0), self._may_watch(command.report_entropy))

    def turn(self, command: wire.Adjust) -> None:
        """Takes a wish in. Raises Misfit, and then nothing has changed."""
        if command.label is not None or command.allowed_seconds is not None or command.seed is not None:
            raise Misfit("the kind of a picture is not changed while it is drawn")
        wished = self._heat.wished(command.temperature, command.temperature_map)
        watched = (
            self._doubts.is_recorded if command.report_entropy is None else self._may_watch(command.report_entropy)
        )
        if self._share is not None:
            self._share.wish = self._share.wished(command.share, command.share_map)
        elif command.share is not None or command.share_map is not None:
            raise Misfit("no second model is mixed in, so there is no share to change")
        self._heat.wish, self._doubts.is_recorded = wished, watched

    def begin(self) -> Tensor:
        """A new group draws by what is wished for now: temperatures `latent_shape`; `follow` changes them."""
        self._rows = 0
        for dial in self._dials():
            dial.begin()
        return self._heat.now

    def follow(self, rows: int) -> None:
        """So many rows are drawn; those below are to be by the newest wish. Before the next is begun."""
        if self._by_rows and rows > self._rows:
            self._rows = rows
            for dial in self._dials():
                dial.now[..., rows:, :] = dial.wish[2][..., rows:, :]

    def doubts(self, count: int) -> PixelEntropies:
        """Those of a new group of so many pictures; `turn` has them watched or not."""
        model = self._loaded.model
        places = model.shape[1:] if self._by_rows else ()
        none = torch.full((count, *places), math.nan, device=model.scale_of.device)
        self._doubts = PixelEntropies(none, self._doubts.is_recorded)
        return self._doubts

    def doubt_of(self, rows: int) -> wire.Array | None:
        """How open the pixels of the rows that are drawn were, as a Drawn says it."""
        return self._doubts.bits[:, :rows].cpu().numpy().copy() if self._doubts.is_recorded else None

    def as_drawn(self) -> dict[str, Any]:
        """What the group was drawn by, as fields of a Drawn."""
        fields: dict[str, Any] = {"temperature": self._heat.number_as_drawn(), "heat": self._heat.map_as_drawn()}
        if self._share is not None:
            fields |= {"share": self._share.number_as_drawn(), "shares": self._share.map_as_drawn()}
        return fields

    def _may_watch(self, wished: bool) -> bool:
        """Raises Misfit where no pixel is drawn on its own."""
        if wished and not self._by_rows:
            raise Misfit(
                f'"{self._loaded.card.title}" does not draw pixel by pixel, so no pixel of it is open for a while; '
                "take a model that does"
            )
        return wished

    def _dials(self) -> "list[_Dial[Any]]":
        return [self._heat] if self._share is None else [self._heat, self._share]

    def _heated(self, temperature: tuple[float, ...], factors: wire.Array | None) -> Tensor:
        heat = sampling.temperature_of(self._loaded.model, temperature)
        if factors is None:
            return heat
        return (heat * self._painted(factors, "temperature", MAX_TEMPERATURE)).clamp(max=MAX_TEMPERATURE)

    def _shared(self, share: float, factors: wire.Array | None) -> Tensor:
        even = torch.full_like(self._heat.now[0], share)
        return even if factors is None else even * self._painted(factors, "share", 1.0)

    def _painted(self, factors: wire.Array, what: str, most: float) -> Tensor:
        """What was painted, checked, as a tensor `(H, W)`."""
        model = self._loaded.model
        if not self._by_rows:
            raise Misfit(
                f'"{self._loaded.card.title}" does not draw row by row and has one {what} for all of it; '
                "take a model that draws pixel by pixel to paint where it is calm and where it is wild"
            )
        if factors.shape != model.shape[1:]:
            raise Misfit(f"the {what} is painted on {factors.shape}, but the picture is {model.shape[1:]}")
        if not np.isfinite(factors).all() or factors.min() < 0 or factors.max() > most:
            raise Misfit(f"a painted {what} goes from 0 to {most:g}, and this one does not")
        return torch.from_numpy(factors.astype(np.float32)).to(model.scale_of.device, model.dtype)


class _Dial(Generic[Number]):
    """Something that a picture is drawn by: a tensor whose last dimensions are the picture's rows and columns.

    Arguments
        number, factors: as they are asked for at first
        whole: the tensor of both. Raises Misfit
        now: where what is drawn by is to stand; a tensor of the dial's own where there is none
    """

    def __init__(
        self,
        number: Number,
        factors: wire.Array | None,
        whole: Callable[[Number, wire.Array | None], Tensor],
        now: Tensor | None = None,
    ) -> None:
        self._first, self._whole = number, whole
        self.wish: Wish[Number] = (number, factors, whole(number, factors))
        self._began = number
        self.now = self.wish[2].clone() if now is None else now

    def wished(self, number: Number | None, factors: wire.Array | None) -> Wish[Number]:
        """The wish, with what is not None in its place. Raises Misfit."""
        number = self.wish[0] if number is None else number
        factors = self.wish[1] if factors is None else factors
        return number, factors, self._whole(number, factors)

    def begin(self) -> None:
        self._began = self.wish[0]
        self.now.copy_(self.wish[2])

    def number_as_drawn(self) -> Number | None:
        """What the group began with, where it is not what the job did."""
        return self._began if self._began != self._first else None

    def map_as_drawn(self) -> wire.Array | None:
        """What each pixel `(H, W)` was drawn by, where that was not the number that the group began with."""
        if torch.equal(self.now, self._whole(self._began, None)):
            return None
        places = self.now if self.now.dim() == 2 else self.now[0]
        return places.float().cpu().numpy().copy()
