"""Run trained models: draw pictures from seeds, sliders, or a picture of the user."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import DecodingStep, Model
from studio.density.picture_mixture import mix_models as mixed_models
from studio.density.pyramid import Pyramid
from studio.density.threads import single_threaded
from studio.density.upsampler import Upsampler
from studio.engine import model_check
from studio.engine.followed_signal import FollowedSignal, followed_signal
from studio.engine.levels import DoesNotFit, levels_of_sound, to_arrays, to_levels
from studio.engine.training import checkpoint
from studio.library import models
from studio.library.card import Card
from studio.wire.messages import Array

OPENING_SECONDS = 0.002
"""Seconds at the beginning of a recording that are drawn at its opening temperature, if that is hotter."""


@dataclass(frozen=True)
class LoadedModel:
    """Holds a trained model that is ready to sample, and the `hash` of its file.

    It is folded, in float32, on its device.
    """

    card: Card
    hash: str
    model: Model
    directions: Tensor
    """`(n, *latent_shape)`; 1 on a slider is one standard deviation of the training data."""
    bytes_each: int
    """The approximate memory of one artwork while it is drawn."""
    parts: tuple["LoadedModel", "LoadedModel"] | None = None
    """The two models that this one mixes."""
    share: Tensor | None = None
    """`(height, width)`, the second model's share; it may be changed while a picture is drawn."""


def load_model(found: models.InstalledModel, device: torch.device, *, double: bool = False) -> LoadedModel:
    """Build a model and load its weights from its file, in float64 if `double`. A pyramid gets its upsampler.

    Raises models.BadModel if weights and card disagree, and for an upsampler, which makes nothing alone.
    """
    if found.card.role == "upsampler":
        raise models.BadModel(f'"{found.card.title}" is an upsampler. It makes nothing alone, so choose a model.')
    if (
        found.path.parent != models.shipped_folder()
    ):  # those are part of this program, and a first check takes half a second
        model_check.check_model(found)
    weights, directions = checkpoint.open_model(models.read_model(found.path))
    with single_threaded():  # many small operations: with two threads on busy cores a Glow took four times as long
        model = _build_with_weights(found, weights)
        sizes = None if directions is None else tuple(directions.shape)
        model_check.compare_directions(model, found.card, sizes, found.path.name)
        assert directions is not None, "it was compared with the card"
        if found.card.pyramid is not None:
            model, directions = _with_details(found, model, directions)
        model.to(device, torch.float64 if double else torch.float32).requires_grad_(False)
        zoo.fold(model)
        zoo.channels_last(model)
    each = _estimate_bytes(model)
    if device.type == "cpu" and not double:
        zoo.pack(model)
    return LoadedModel(found.card, found.file_hash, model, directions.to(device, model.dtype), each)


def _with_details(found: models.InstalledModel, base: Model, directions: Tensor) -> tuple[Pyramid, Tensor]:
    """Return the pyramid of a base, and its directions, which leave the details' noise unchanged.

    Raises models.BadModel if the upsampler is missing or does not fit.
    """
    details = models.find_upsampler(found.card)
    if details.path.parent != models.shipped_folder():
        model_check.check_model(details)
    weights, _ = checkpoint.open_model(models.read_model(details.path))
    upsampler = _build_with_weights(details, weights)
    assert isinstance(upsampler, Upsampler), "its card says so"
    try:
        pyramid = Pyramid(base, upsampler)
    except ValueError as error:
        raise model_check.unfit_error(found.path.name, f"names an upsampler that does not fit ({error})") from None
    still = torch.zeros(len(directions), *pyramid.shape)
    return pyramid, pyramid.join_latent(directions, still)


def _build_with_weights(found: models.InstalledModel, weights: dict[str, Tensor]) -> Model:
    """Build the model of a card with its weights. Raises models.BadModel if they disagree."""
    model = model_check.build_described(found.card, found.path.name)
    zoo.plain(model)
    model_check.compare_weights(model, {key: tuple(tensor.shape) for key, tensor in weights.items()}, found.path.name)
    model.load_state_dict(model.state_dict() | weights)
    return model


class ModelCache:
    """Keeps at most `most` models in memory, the most recently used last.

    A model's twin in float64 counts as another.
    """

    def __init__(self, device: torch.device, most: int = 4) -> None:
        self.device = device
        self.capacity = most
        self._loaded: dict[tuple[str, bool], LoadedModel] = {}
        self._found: dict[str, tuple[models.InstalledModel, str]] = {}
        """The model of each name, and the hash of its file when its card was read."""

    def get_model(self, name: str, *, double: bool = False) -> LoadedModel:
        """Return the model of that name. Raises models.BadModel if it is missing or its file is damaged."""
        found = self._find_model(name)
        key = (found.file_hash, double)
        if key not in self._loaded:
            self._loaded[key] = load_model(found, self.device, double=double)
        self._loaded[key] = self._loaded.pop(key)
        while len(self._loaded) > self.capacity:
            del self._loaded[next(iter(self._loaded))]
        return self._loaded[key]

    def _find_model(self, name: str) -> models.InstalledModel:
        # Reading every card of every folder again would cost a dragged slider its 50 ms.
        known, read = self._found.get(name, (None, ""))
        if known is None or not known.path.is_file() or known.file_hash != read:
            known = models.find_model(name)
            self._found[name] = known, known.file_hash
        return known


def _estimate_bytes(model: Model) -> int:
    """Estimate the bytes of one artwork: about 16 tensors of the widest layer live at once."""
    maps = max((m.shape[0] for m in model.parameters() if m.dim() == 4), default=1)
    units = max((m.shape[0] for m in model.parameters() if m.dim() == 2), default=1)
    return 16 * max(maps * math.prod(model.shape[1:]), units, math.prod(model.shape)) * model.dtype.itemsize


def mix_loaded(one: LoadedModel, other: LoadedModel) -> LoadedModel:
    """Mix two models at every pixel, with a share of 0 at first. Raises DoesNotFit if they cannot be mixed."""
    a = one.model
    b = other.model
    for loaded in (one, other):
        if not isinstance(loaded.model, Autoregressive):
            raise DoesNotFit(
                f'"{loaded.card.title}" does not draw pixel by pixel, so it cannot be mixed. '
                "Choose two models that draw pixel by pixel in one size"
            )
    if (a.shape, a.levels) != (b.shape, b.levels):
        sizes = [
            f'"{each.card.title}" makes {each.card.size_text} of {each.model.levels} levels' for each in (one, other)
        ]
        raise DoesNotFit(f"{sizes[0]}, and {sizes[1]}, so they cannot be mixed. Choose two models of one size")
    if one.card.palette != other.card.palette:
        raise DoesNotFit(
            f'"{one.card.title}" and "{other.card.title}" draw in different palettes, so they cannot be mixed. '
            "Choose two models with one palette"
        )
    assert isinstance(a, Autoregressive), "it was checked above"
    assert isinstance(b, Autoregressive), "it was checked above"
    share = torch.zeros(a.shape[1:], device=a.scale_of.device, dtype=a.dtype)
    each = one.bytes_each + other.bytes_each
    return replace(one, model=mixed_models(a, b, share), bytes_each=each, parts=(one, other), share=share)


def classes_for(loaded: LoadedModel, seeds: Sequence[int], label: int | None) -> Tensor | None:
    """Return the class of each seed's artwork, `(n,)`; None if the model has no classes.

    It is the requested class, or each seed's own.

    If two models are mixed, the second uses its class with the name of the first's. If it has no class of that name, or
    the first has no classes, it uses the seed's own.

    Raises DoesNotFit if the model does not have the requested class.
    """
    if loaded.parts is not None:
        one, other = loaded.parts
        of_one = classes_for(one, seeds, label)
        of_other = classes_for(other, seeds, None)
        if of_one is None or of_other is None:
            return of_other if of_one is None else of_one
        names = list(other.card.classes)
        same = [names.index(name) if name in names else -1 for name in one.card.classes]
        named = of_one.new_tensor(same)[of_one]
        return of_one * other.model.classes + torch.where(named < 0, of_other, named)
    count = len(loaded.card.classes)
    if label is not None and label >= count:
        had = f"has {count} classes, 0 to {count - 1}" if count else "has no classes"
        raise DoesNotFit(f'"{loaded.card.title}" {had}, but class {label} was requested')
    if label is None:
        return loaded.model.draw_classes(seeds)
    return torch.full((len(seeds),), label, device=loaded.model.scale_of.device)


def followed_signal_of(loaded: LoadedModel) -> FollowedSignal | None:
    """Return what a model follows of a recording; None for nothing."""
    if not isinstance(loaded.model, AutoregressiveSound) or not loaded.model.follows_signal:
        return None
    return followed_signal(zoo.recipe_from_fields(loaded.card.recipe), loaded.card.sample_rate, loaded.model.levels)


def condition_of(loaded: LoadedModel, classes: Tensor | None, x: Tensor) -> Tensor | None:
    """Return the condition under which artworks x `(n, *shape)` are priced.

    It is their classes; of a model that follows a signal also the signal of each recording.
    """
    model = loaded.model
    follow = followed_signal_of(loaded)
    if follow is None or not isinstance(model, AutoregressiveSound):
        return classes
    signals = torch.stack([follow.of_levels(each) for each in x])
    return model.condition(None if classes is None else classes.expand(len(x)), signals, len(x))


@torch.inference_mode()
def draw_artworks(
    loaded: LoadedModel,
    seeds: Sequence[int],
    temperature: float | Tensor,
    label: int | None = None,
    entropies: PixelEntropies | None = None,
) -> Iterator[tuple[Array, int, int] | None]:
    """Draw artworks of seeds `(n, *artwork shape)`, with the steps done and in all.

    Yields None after a part of a step. The temperature, a number or `latent_shape`, may be changed between two steps,
    as `Model.decode_steps` says. A model that draws pixel by pixel fills in `entropies`.
    """
    model = loaded.model
    c = classes_for(loaded, seeds, label)
    if isinstance(model, AutoregressiveSound):
        c = model.condition(c, count=len(seeds))
    if isinstance(model, Autoregressive):
        steps = model.decode_steps(model.noise(seeds), c, temperature, entropies=entropies)
    else:
        steps = model.sample_steps(seeds, c, temperature)
    yield from previews_of_steps(steps, loaded)


def recording_temperatures(
    model: AutoregressiveSound, samples: int, rate: int, temperature: float, opening: float
) -> Tensor:
    """Return the temperature of each sample of a new recording, `(samples,)`.

    Arguments
        rate: in Hz
        opening: the lowest temperature in the first OPENING_SECONDS
    """
    found = torch.full((samples,), temperature, device=model.scale_of.device, dtype=model.dtype)
    found[: round(OPENING_SECONDS * rate)] = max(temperature, opening)
    return found


def previews_of_steps(steps: Iterator[DecodingStep], loaded: LoadedModel) -> Iterator[tuple[Array, int, int] | None]:
    """Turn the steps of a decoding into previews, as `draw_artworks` yields them."""
    before = 0
    for step in steps:
        yield (arrays_of_levels(loaded, step.x), step.done, step.total) if step.done > before else None
        before = step.done


@torch.inference_mode()
def score_artworks(
    loaded: LoadedModel, arrays: Array, seeds: Sequence[int], label: int | None = None
) -> Iterator[tuple[list[float], None] | None]:
    """Compute the log_prob in nats of each artwork given its class.

    It yields None after each small step, then the result.
    """
    model = loaded.model
    x = levels_of_artworks(loaded, arrays)
    for found in model.log_prob_steps(x, condition_of(loaded, classes_for(loaded, seeds, label), x)):
        yield None if found is None else ([float(p) for p in found], None)


def levels_of_artworks(loaded: LoadedModel, arrays: Array) -> Tensor:
    """Return artworks `(n, *artwork shape)` as levels on the model's device. Raises DoesNotFit."""
    model = loaded.model
    if not isinstance(model, AutoregressiveSound):
        return to_levels(arrays, model.shape, model.levels, loaded.card.palette).to(model.scale_of.device)
    if arrays.dtype != np.int16 or arrays.ndim != 2 or not arrays.size:
        raise DoesNotFit(f"the sound is {arrays.shape[1:]} of {arrays.dtype}, but the model works on 16-bit samples")
    return levels_of_sound(arrays, model.levels).to(model.scale_of.device)


def arrays_of_levels(loaded: LoadedModel, x: Tensor) -> Array:
    """Return levels `(n, *shape)` as artworks for the user, in the colours of the model's palette if it has one."""
    return to_arrays(x, loaded.model.levels, loaded.card.palette)


@torch.inference_mode()
def move_latent(loaded: LoadedModel, start: Tensor, sliders: Sequence[float], temperature: Sequence[float]) -> Tensor:
    """Return the latent z = temperature · start + Σ slider · direction. It has the shape of the start.

    Directions are differences between encoded artworks, so they have the size of those latents: the first one at 3
    changes the length of an opened picture's latent by 8 % at most with the shipped flows.

    If the temperature does not act on noise, it is left out here; `decoding_temperature` returns it.
    """
    if len(sliders) > len(loaded.directions):
        raise DoesNotFit(f"{len(sliders)} sliders were given, but the model has {len(loaded.directions)} directions")
    temperatures = temperature_tensor(loaded.model, temperature)
    z = start * temperatures if loaded.model.scales_noise else start
    if not sliders:
        return z
    weights = torch.tensor(sliders, dtype=z.dtype, device=z.device)
    found: Tensor = z + torch.tensordot(weights, loaded.directions[: len(sliders)].to(z.dtype), 1)
    return found


def decoding_temperature(loaded: LoadedModel, temperature: Sequence[float]) -> Tensor:
    """Return the temperature at which to decode what `move_latent` returns, `latent_shape`."""
    temperatures = temperature_tensor(loaded.model, temperature)
    return torch.ones_like(temperatures) if loaded.model.scales_noise else temperatures


@torch.inference_mode()
def decode_artworks(
    loaded: LoadedModel, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0
) -> Iterator[Array | None]:
    """Decode latents (n, *latent_shape) at a temperature into artworks (n, *outward shape).

    Yields None after each small step, then the result.
    """
    x = torch.zeros(0)
    for step in loaded.model.decode_steps(z, c, temperature):
        yield None
        x = step.x
    yield arrays_of_levels(loaded, x)


@torch.inference_mode()
def interpolate_latents(begin: Tensor, end: Tensor, frames: int) -> Tensor:
    """Return latents `(frames, *latent_shape)` along an arc, both ends included.

    Standard noise in many dimensions lies on a sphere. A straight line would cross its inside, where artworks are
    paler. So the direction turns evenly (Shoemake, Animating rotation with quaternion curves, 1985) and the length
    changes evenly. The latent of an opened artwork may be shorter than noise (see `encode` of its family), so the arc
    never leaves the lengths between its ends.
    """
    a = begin.double().flatten()
    b = end.double().flatten()
    t = torch.linspace(0, 1, frames, dtype=torch.float64, device=a.device)[:, None]
    lengths = (a.norm(), b.norm())
    short = min(float(length) for length in lengths)
    cosine = float((a @ b) / (lengths[0] * lengths[1])) if short > 0 else 1.0
    if short == 0 or abs(cosine) > 1 - 1e-9:
        line = a + (b - a) * t
    else:
        angle = math.acos(cosine)
        turned = torch.sin((1 - t) * angle) * (a / lengths[0]) + torch.sin(t * angle) * (b / lengths[1])
        line = turned / math.sin(angle) * (lengths[0] * (1 - t) + lengths[1] * t)
    line[0] = a
    line[-1] = b
    found: Tensor = line.to(begin.dtype).view(frames, *begin.shape)
    return found


def start_latent(loaded: LoadedModel, seed: int, latent: Array | None) -> Tensor:
    """Return the latent that sliders start from, `latent_shape`.

    It is the seed's noise, or the latent of an opened picture.
    """
    if latent is None:
        return loaded.model.noise([seed])[0]
    of_any_length = isinstance(loaded.model, AutoregressiveSound) and latent.ndim == 1 and latent.size > 0
    if latent.shape != loaded.model.latent_shape and not of_any_length:
        raise DoesNotFit(f"the latent has the shape {latent.shape}, but the model's is {loaded.model.latent_shape}")
    if not np.isfinite(latent).all():
        raise DoesNotFit("the latent holds numbers that are not finite")
    return torch.from_numpy(latent.copy()).to(loaded.model.scale_of.device, loaded.model.dtype)


def temperature_tensor(model: Model, temperature: Sequence[float]) -> Tensor:
    """Return a temperature for each entry of the latent. It is given once, or once a scale.

    Raises DoesNotFit for another count.
    """
    try:
        return model.temperature_by_scale(temperature)
    except ValueError as error:
        raise DoesNotFit(str(error)) from None
