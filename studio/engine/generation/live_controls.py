"""Apply live changes of temperature and mixture to a job while it draws."""

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.engine.generation import sampling
from studio.engine.generation.sampling import LoadedModel
from studio.engine.levels import DoesNotFit
from studio.wire import messages as wire

MAX_TEMPERATURE = 4.0

Number = TypeVar("Number")
ControlValue = tuple[Number, wire.Array | None, Tensor]
"""A number, its factor at each pixel, and the product of both."""


class LiveControls:
    """Holds the temperature of every pixel and, for two mixed models, the second model's share.

    A model that draws pixel by pixel reads the values of a row when it draws it. So a change between two rows applies
    from the next row on, and the rows above keep their values. A model that draws the whole picture at once reads the
    values when a group begins.
    """

    def __init__(self, loaded: LoadedModel, command: wire.DrawPictures) -> None:
        """Raises DoesNotFit if the model cannot draw with these values."""
        self._loaded = loaded
        self._by_rows = isinstance(loaded.model, Autoregressive)
        self._temperature = _LiveControl(command.temperature, command.temperature_map, self._temperature_of_pixels)
        self._share = (
            None
            if loaded.share is None
            else _LiveControl(command.share, command.share_map, self._share_of_pixels, loaded.share)
        )
        self._rows = 0
        self._entropies = PixelEntropies(torch.empty(0), self._check_entropy(command.report_entropy))

    def adjust(self, command: wire.Adjust) -> None:
        """Accept an edit. Raises DoesNotFit, and then nothing has changed."""
        if command.label is not None or command.allowed_seconds is not None or command.seed is not None:
            raise DoesNotFit("the class of a picture cannot change while it is drawn")
        requested = self._temperature.value_with(command.temperature, command.temperature_map)
        is_recorded = (
            self._entropies.is_recorded
            if command.report_entropy is None
            else self._check_entropy(command.report_entropy)
        )
        if self._share is not None:
            self._share.requested = self._share.value_with(command.share, command.share_map)
        elif command.share is not None or command.share_map is not None:
            raise DoesNotFit("no second model is mixed in, so there is no share")
        self._temperature.requested = requested
        self._entropies.is_recorded = is_recorded

    def begin_group(self) -> Tensor:
        """Begin a group with the newest values: temperatures of `latent_shape`, which `follow` changes."""
        self._rows = 0
        for control in self._controls():
            control.begin_group()
        return self._temperature.current

    def apply_below(self, rows: int) -> None:
        """Apply the newest values below the rows that are drawn. Call it before the next row is begun."""
        if self._by_rows and rows > self._rows:
            self._rows = rows
            for control in self._controls():
                control.current[..., rows:, :] = control.requested[2][..., rows:, :]

    def record_entropies(self, count: int) -> PixelEntropies:
        """Record the entropies of a new group of pictures. `adjust` turns recording on or off."""
        model = self._loaded.model
        places = model.shape[1:] if self._by_rows else ()
        none = torch.full((count, *places), math.nan, device=model.scale_of.device)
        self._entropies = PixelEntropies(none, self._entropies.is_recorded)
        return self._entropies

    def entropy_of_rows(self, rows: int) -> wire.Array | None:
        """Return the entropies of the drawn rows, as a PicturesPreview holds them."""
        return self._entropies.bits[:, :rows].cpu().numpy().copy() if self._entropies.is_recorded else None

    def settings_as_drawn(self) -> dict[str, Any]:
        """Return the values that the group was drawn with, as fields of a PicturesPreview."""
        fields: dict[str, Any] = {
            "temperature": self._temperature.number_as_drawn(),
            "temperature_map": self._temperature.map_as_drawn(),
        }
        if self._share is not None:
            fields |= {"share": self._share.number_as_drawn(), "share_map": self._share.map_as_drawn()}
        return fields

    def _check_entropy(self, requested: bool) -> bool:
        """Raise DoesNotFit if the model does not draw single pixels."""
        if requested and not self._by_rows:
            raise DoesNotFit(
                f'"{self._loaded.card.title}" does not draw pixel by pixel, so its pixels have no uncertainty. '
                "Choose a model that does"
            )
        return requested

    def _controls(self) -> "list[_LiveControl[Any]]":
        return [self._temperature] if self._share is None else [self._temperature, self._share]

    def _temperature_of_pixels(self, temperature: tuple[float, ...], factors: wire.Array | None) -> Tensor:
        temperatures = sampling.temperature_tensor(self._loaded.model, temperature)
        if factors is None:
            return temperatures
        return (temperatures * self._check_map(factors, "temperature", MAX_TEMPERATURE)).clamp(max=MAX_TEMPERATURE)

    def _share_of_pixels(self, share: float, factors: wire.Array | None) -> Tensor:
        even = torch.full_like(self._temperature.current[0], share)
        return even if factors is None else even * self._check_map(factors, "share", 1.0)

    def _check_map(self, factors: wire.Array, what: str, most: float) -> Tensor:
        """Check a painted map and return it as a tensor `(H, W)`."""
        model = self._loaded.model
        if not self._by_rows:
            raise DoesNotFit(
                f'"{self._loaded.card.title}" does not draw row by row, so it has only one {what}. '
                "Choose a model that draws pixel by pixel"
            )
        if factors.shape != model.shape[1:]:
            raise DoesNotFit(f"the {what} is painted on {factors.shape}, but the picture is {model.shape[1:]}")
        if not np.isfinite(factors).all() or factors.min() < 0 or factors.max() > most:
            raise DoesNotFit(f"a painted {what} must lie between 0 and {most:g}")
        return torch.from_numpy(factors.astype(np.float32)).to(model.scale_of.device, model.dtype)


class _LiveControl(Generic[Number]):
    """Holds one live value: a tensor whose last dimensions are the picture's rows and columns.

    Arguments
        number, factors: the values requested first
        whole: makes the tensor of both. Raises DoesNotFit
        now: the tensor that is drawn with; the control makes its own if this is None
    """

    def __init__(
        self,
        number: Number,
        factors: wire.Array | None,
        whole: Callable[[Number, wire.Array | None], Tensor],
        now: Tensor | None = None,
    ) -> None:
        self._first = number
        self._whole = whole
        self.requested: ControlValue[Number] = (number, factors, whole(number, factors))
        self._began = number
        self.current = self.requested[2].clone() if now is None else now

    def value_with(self, number: Number | None, factors: wire.Array | None) -> ControlValue[Number]:
        """Return the requested value with the parts that are not None replaced. Raises DoesNotFit."""
        number = self.requested[0] if number is None else number
        factors = self.requested[1] if factors is None else factors
        return number, factors, self._whole(number, factors)

    def begin_group(self) -> None:
        self._began = self.requested[0]
        self.current.copy_(self.requested[2])

    def number_as_drawn(self) -> Number | None:
        """Return the number that the group began with. It is None if the job began with it, too."""
        return self._began if self._began != self._first else None

    def map_as_drawn(self) -> wire.Array | None:
        """Return what each pixel `(H, W)` was drawn with. It is None if that equals the group's first number."""
        if torch.equal(self.current, self._whole(self._began, None)):
            return None
        places = self.current if self.current.dim() == 2 else self.current[0]
        return places.float().cpu().numpy().copy()
