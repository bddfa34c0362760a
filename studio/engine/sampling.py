"""Trained models at work: pictures from seeds, from sliders, and from a picture of one's own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from torch import Tensor

from studio import zoo
from studio.density.model import Model
from studio.engine import checkpoint
from studio.library import models
from studio.library.card import Card
from studio.wire.messages import Array


@dataclass(frozen=True)
class Loaded:
    """A trained model, ready to sample: folded, in float32, on its device; `hash` of its file."""

    card: Card
    hash: str
    model: Model
    directions: Tensor
    """`(n, *latent_shape)`; 1 on a slider is one standard deviation of the training data."""
    bytes_each: int
    """About how much memory one artwork takes while it is drawn."""


class Misfit(ValueError):
    """Something asked of a model does not fit it; the sentence names what."""


def load(found: models.Trained, device: torch.device, *, double: bool = False) -> Loaded:
    """Builds and fills a model from its file, in float64 if `double`. Raises models.BadModel where weights and card
    disagree."""
    weights, directions = checkpoint.open_model(models.read(found.path))
    try:
        model = zoo.recipe(found.card.recipe).build(found.card.shape, found.card.levels)
    except (msgspec.ValidationError, ValueError) as error:
        raise models.BadModel(
            f'The card in "{found.path.name}" describes no model ({error}). It was not opened. Fetch it again.'
        ) from None
    zoo.plain(model)
    _fill(model, weights, found.path.name)
    dtype = torch.float64 if double else torch.float32
    model.to(device, dtype).requires_grad_(False)
    zoo.fold(model)
    zoo.channels_last(model)
    each = _bytes_each(model)
    if device.type == "cpu" and not double:
        zoo.pack(model)
    return Loaded(found.card, found.hash, model, directions.to(device, dtype), each)


def _fill(model: Model, weights: dict[str, Tensor], name: str) -> None:
    """Puts weights in place. Raises models.BadModel, with counts, where they are not those of this model."""
    wanted = model.state_dict()
    needed = {k for k, t in wanted.items() if t.is_floating_point()}
    odd = {k for k in needed & weights.keys() if weights[k].shape != wanted[k].shape}
    counts = {"missing": needed - weights.keys(), "unknown": weights.keys() - wanted.keys(), "of another size": odd}
    faults = ", ".join(f"{len(keys):,} {what}" for what, keys in counts.items() if keys)
    if faults:
        raise models.BadModel(
            f'The weights in "{name}" do not fit its card ({faults}). It was not opened. Fetch it again.'
        )
    model.load_state_dict(wanted | weights)


class Shelf:
    """The models in use, newest last; at most `most` stay in memory. A model's twin in float64 counts as another."""

    def __init__(self, device: torch.device, most: int = 4) -> None:
        self.device, self.most = device, most
        self._loaded: dict[tuple[str, bool], Loaded] = {}
        self._found: dict[str, tuple[models.Trained, str]] = {}
        """Each name's model, and the hash of its file when its card was read."""

    def take(self, name: str, *, double: bool = False) -> Loaded:
        """The model of that name. Raises models.BadModel where there is none or its file is not sound."""
        found = self._find(name)
        key = (found.hash, double)
        if key not in self._loaded:
            self._loaded[key] = load(found, self.device, double=double)
        self._loaded[key] = self._loaded.pop(key)
        while len(self._loaded) > self.most:
            del self._loaded[next(iter(self._loaded))]
        return self._loaded[key]

    def _find(self, name: str) -> models.Trained:
        # Reading every card of every folder again would cost a dragged slider its 50 ms.
        known, read = self._found.get(name, (None, ""))
        if known is None or not known.path.is_file() or known.hash != read:
            known = models.find(name)
            self._found[name] = known, known.hash
        return known


def _bytes_each(model: Model) -> int:
    """About 16 tensors as wide as the widest convolution live at once while an artwork is drawn."""
    widest = max((m.out_channels for m in model.modules() if isinstance(m, torch.nn.Conv2d)), default=1)
    return 16 * widest * math.prod(model.shape[1:]) * model.dtype.itemsize


def to_levels(pictures: Array, model: Model) -> Tensor:
    """Pictures `(n, H, W, C)` uint8 as levels `(n, C, H, W)`. Raises Misfit where the size is another."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != _outward(model.shape):
        wanted, given = _outward(model.shape), pictures.shape[1:]
        raise Misfit(f"the picture is {given} of {pictures.dtype}, but the model works on {wanted} of uint8")
    return torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).to(model.scale_of.device)


def _outward(shape: tuple[int, ...]) -> tuple[int, ...]:
    channels, height, width = shape
    return height, width, channels


def to_pictures(levels: Tensor) -> Array:
    """Levels `(n, C, H, W)` as pictures `(n, H, W, C)` uint8."""
    pictures: Array = np.ascontiguousarray(levels.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy())
    return pictures


@torch.inference_mode()
def draw(loaded: Loaded, seeds: Sequence[int], temperature: Sequence[float]) -> Iterator[tuple[Array, int, int]]:
    """Pictures of seeds `(n, H, W, C)`, with the steps done and in all, after each step."""
    model = loaded.model
    heat = _temperature(model, temperature)
    for step in model.sample_steps(seeds, temperature=heat):
        yield to_pictures(step.x), step.done, step.total


@torch.inference_mode()
def price(loaded: Loaded, pictures: Array) -> Iterator[list[float] | None]:
    """log_prob in nats of each picture: None after each small step, then the result."""
    for found in loaded.model.log_prob_steps(to_levels(pictures, loaded.model)):
        yield None if found is None else [float(p) for p in found]


@torch.inference_mode()
def shape_by_hand(loaded: Loaded, start: Tensor, sliders: Sequence[float], temperature: Sequence[float]) -> Array:
    """The picture `(H, W, C)` of z = temperature · start + Σ slider · direction, with start `latent_shape`."""
    if len(sliders) > len(loaded.directions):
        raise Misfit(f"{len(sliders)} sliders were given, but the model has {len(loaded.directions)} directions")
    z = start[None] * _temperature(loaded.model, temperature)
    if sliders:
        weights = torch.tensor(sliders, dtype=z.dtype, device=z.device)
        z = z + torch.tensordot(weights, loaded.directions[: len(sliders)].to(z.dtype), 1)
    picture: Array = to_pictures(loaded.model.decode(z))[0]
    return picture


def start_of(loaded: Loaded, seed: int, latent: Array | None) -> Tensor:
    """Where sliders begin, `latent_shape`: the seed's noise, or the latent of a picture that was opened."""
    if latent is None:
        return loaded.model.noise([seed])[0]
    if latent.shape != loaded.model.latent_shape:
        raise Misfit(f"the latent has the shape {latent.shape}, but the model's is {loaded.model.latent_shape}")
    if not np.isfinite(latent).all():
        raise Misfit("the latent holds numbers that are not finite")
    return torch.from_numpy(latent.copy()).to(loaded.model.scale_of.device, loaded.model.dtype)


def _temperature(model: Model, temperature: Sequence[float]) -> Tensor:
    try:
        return model.temperature_by_scale(temperature)
    except ValueError as error:
        raise Misfit(str(error)) from None


@dataclass(frozen=True)
class Inverse:
    """A picture's latent `latent_shape`, and how truly it comes back."""

    latent: Array
    differing: int
    largest: int
    bits: float


@torch.inference_mode()
def invert(loaded: Loaded, picture: Array) -> Iterator[Inverse | None]:
    """Encodes a picture `(H, W, C)`, decodes it again and compares: None after each small step, then the result."""
    model = loaded.model
    x = to_levels(picture[None], model)
    z = model.encode(x)
    apart = torch.zeros_like(x, dtype=torch.int32)
    for step in model.decode_steps(z):
        yield None
        apart = (step.x.int() - x.int()).abs()
    finite = bool(torch.isfinite(z).all())
    log_prob = torch.tensor([math.nan])
    for found in model.log_prob_steps(x):
        yield None
        log_prob = log_prob if found is None else found
    bits = -float(log_prob[0]) / math.log(2)
    yield Inverse(
        z[0].cpu().numpy(),
        int((apart > 0).sum()) if finite else apart.numel(),
        int(apart.max()),
        bits if math.isfinite(bits) else 0.0,
    )
