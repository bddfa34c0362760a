"""What a job draws by, and how a hand changes it while the job draws."""

import numpy as np
import torch
from torch import Tensor

from studio.engine import sampling
from studio.engine.artworks import Misfit
from studio.engine.sampling import Loaded
from studio.wire import messages as wire

HOTTEST = 4.0


class Steering:
    """The temperature of every entry of a picture. A model that draws pixel by pixel reads a row's when it draws it.

    So a change between two rows holds from the next row on, and the rows above keep what they were drawn at. A model
    that makes the whole picture at once reads it when a group begins.
    """

    def __init__(self, loaded: Loaded, command: wire.Sample | wire.Complete) -> None:
        """Raises Misfit where the model cannot draw by it."""
        self._loaded, self._first = loaded, command.temperature
        self._by_rows = loaded.model.keeps and len(loaded.model.shape) == 3
        self._asked, self._factors = command.temperature, command.heat
        self._wish = self._heat(self._asked, self._factors)
        self._began, self._rows = self._asked, 0
        self._now = self._wish.clone()

    def turn(self, command: wire.Steer) -> None:
        """Takes a wish in. Raises Misfit, and then nothing has changed."""
        asked = self._asked if command.temperature is None else command.temperature
        factors = self._factors if command.heat is None else command.heat
        self._wish = self._heat(asked, factors)
        self._asked, self._factors = asked, factors

    def begin(self) -> Tensor:
        """A new group draws by what is wished for now: temperatures `latent_shape`; `follow` changes them."""
        self._began, self._rows, self._now = self._asked, 0, self._wish.clone()
        return self._now

    def follow(self, rows: int) -> None:
        """So many rows are drawn; those below are to be by the newest wish. Before the next is begun."""
        if self._by_rows and rows > self._rows:
            self._rows = rows
            self._now[:, rows:] = self._wish[:, rows:]

    def temperature(self) -> tuple[float, ...] | None:
        """What the group began with, where it is not what the job did."""
        return self._began if self._began != self._first else None

    def map(self) -> wire.Array | None:
        """What each pixel `(H, W)` was drawn at, where that was not the temperature that the group began with."""
        if torch.equal(self._now, self._heat(self._began, None)):
            return None
        return self._now[0].float().cpu().numpy().copy()

    def _heat(self, temperature: tuple[float, ...], factors: wire.Array | None) -> Tensor:
        heat = sampling.temperature_of(self._loaded.model, temperature)
        if factors is None:
            return heat
        return (heat * self._factors_of(factors)).clamp(max=HOTTEST)

    def _factors_of(self, factors: wire.Array) -> Tensor:
        """A painted temperature, checked, as a tensor `(H, W)`."""
        model = self._loaded.model
        if not self._by_rows:
            raise Misfit(
                f'"{self._loaded.card.title}" does not draw row by row and has one temperature for all of it; '
                "take a model that draws pixel by pixel to paint where it is calm and where it is wild"
            )
        if factors.shape != model.shape[1:]:
            raise Misfit(f"the temperature is painted on {factors.shape}, but the picture is {model.shape[1:]}")
        if not np.isfinite(factors).all() or factors.min() < 0 or factors.max() > HOTTEST:
            raise Misfit(f"a painted temperature goes from 0 to {HOTTEST:g}, and this one does not")
        return torch.from_numpy(factors.astype(np.float32)).to(model.scale_of.device, model.dtype)
