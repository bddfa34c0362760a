"""Complete artworks: draw the masked part and score the results."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.engine.generation import sampling
from studio.engine.generation.sampling import LoadedModel
from studio.engine.levels import DoesNotFit
from studio.wire.messages import Array


def levels_to_keep(loaded: LoadedModel, picture: Array, free: Array) -> Tensor:
    """Return the levels `(C, H, W)` of a picture, -1 in its masked part.

    The mask is `(H, W)`, above 0 in pixels that are drawn again. Raises DoesNotFit if the model can keep nothing, or if
    picture or mask do not fit.
    """
    if not loaded.model.can_inpaint:
        raise DoesNotFit(
            f'"{loaded.card.title}" draws the whole artwork at once and cannot keep a part. '
            "Choose a model that draws pixel by pixel"
        )
    x = sampling.levels_of_artworks(loaded, picture[None])[0].int()
    if free.shape != tuple(x.shape[1:]):
        height, width = x.shape[1:]
        raise DoesNotFit(f"the mask is {free.shape}, but the picture is {(height, width)}")
    if not free.any():
        raise DoesNotFit("nothing is marked, so the picture stays unchanged. Mark a part of it")
    if free.all():
        raise DoesNotFit("everything is marked, so nothing of the picture is kept. Draw new pictures instead")
    return x.masked_fill(torch.from_numpy(free.astype(bool)).to(x.device), -1)


@torch.inference_mode()
def draw_completions(
    loaded: LoadedModel,
    keep: Tensor,
    seeds: Sequence[int],
    temperature: float | Tensor,
    label: int | None = None,
    entropies: PixelEntropies | None = None,
) -> Iterator[tuple[Array, int, int] | None]:
    """Draw completions for seeds as `sampling.draw_artworks` does:

    `(n, *artwork shape)`, with the steps done and in all.
    """
    model = loaded.model
    c = sampling.classes_for(loaded, seeds, label)
    z = model.noise(seeds)
    kept = keep.expand(len(seeds), *keep.shape)
    if isinstance(model, Autoregressive):
        steps = model.decode_steps(z, c, temperature, kept, entropies)
    else:
        steps = model.decode_steps(z, c, temperature, kept)
    yield from sampling.previews_of_steps(steps, loaded)


@torch.inference_mode()
def score_completions(
    loaded: LoadedModel, keep: Tensor, arrays: Array, seeds: Sequence[int], label: int | None = None
) -> Iterator[tuple[list[float], list[float] | None] | None]:
    """Score completions of `keep` `(C, H, W)`: yield None after each small step, then two sums for each, in nats.

        ln p(x) = Σ_t ln p(x_t | x_<t)   and   Σ_{t kept, t > t₀} ln p(x_t | x_<t),  t₀ the first entry that is made

    The second is the logarithm of the weight that an importance sampler would give a completion drawn at temperature 1,
    so the heaviest completions fit best to what follows. It is None if no kept entry follows t₀, and for pyramids,
    which draw in another order.
    """
    x = sampling.levels_of_artworks(loaded, arrays)
    c = sampling.classes_for(loaded, seeds, label)
    after = entries_after_hole(keep)
    whole = []
    part = []
    for i in range(len(x)):
        nats = -math.log(2) * loaded.model.surprisal(x[i : i + 1], None if c is None else c[i : i + 1])[0].double()
        whole.append(float(nats.sum()))
        part.append(float(nats[after].sum()))
        yield None
    in_order = isinstance(loaded.model, Autoregressive)
    yield whole, part if in_order and bool(after.any()) else None


def entries_after_hole(keep: Tensor) -> Tensor:
    """Return which entries `(C, H, W)` are kept and come after the first drawn one.

    The order is row by row, pixel by pixel.
    """
    known = (keep >= 0).movedim(0, -1)  # (H, W, C), the order of drawing
    order = torch.arange(known.numel(), device=keep.device).view(known.shape)
    first = int(order[~known].min())
    return (known & (order > first)).movedim(-1, 0)


@dataclass(frozen=True)
class ArtworkScore:
    """Holds the scores of an artwork: ln p in nats, the bits, the class, and ln p given the class.

    The bits are those of each place, `(H, W)` or `(samples,)`.
    """

    log_prob: float
    bits: Array
    label: int | None
    log_prob_given_class: float | None


@torch.inference_mode()
def score_artwork(loaded: LoadedModel, array: Array, label: int | None = None) -> Iterator[ArtworkScore | None]:
    """Score an artwork: yield None after each small step, then the result.

    With classes it is the score given a class; without a given class, that of the even mixture of all classes.
    """
    x = sampling.levels_of_artworks(loaded, array[None])
    asked = sampling.classes_for(loaded, [0], label)
    if asked is None or label is not None:
        bits = yield from _bits_in_steps(loaded, x, sampling.condition_of(loaded, asked, x))
        log_prob = _total_log_prob(bits)
        yield ArtworkScore(log_prob, _bits_of_places(bits), label, None if asked is None else log_prob)
        return
    mixture = ClassMixture()
    for kind in range(loaded.model.classes):
        c = sampling.condition_of(loaded, torch.full_like(asked, kind), x)
        mixture.add_class((yield from _bits_in_steps(loaded, x, c)))
    bits = mixture.mixture_bits()
    given = max(mixture.log_probs)
    yield ArtworkScore(_total_log_prob(bits), _bits_of_places(bits), mixture.log_probs.index(given), given)


class ClassMixture:
    """Computes an artwork's bits under the even mixture of classes. It adds up the bits given each class.

        p(x_t | x_<t) = Σ_c p(x_≤t | c) / Σ_c p(x_<t | c),  x_t in the order of drawing

    So the bits of its entries sum to -log2 Σ_c p(x | c) / classes.
    """

    def __init__(self) -> None:
        self.log_probs: list[float] = []
        """ln p given each class, in nats."""
        self._known = torch.zeros(0)
        """ln Σ_c p(x_≤t | c) of each entry."""
        self._shape: tuple[int, ...] = ()

    def add_class(self, bits: Tensor) -> None:
        """Add the bits of each entry given the next class, (C, H, W) or (samples,)."""
        drawn = bits.movedim(0, -1) if bits.dim() == 3 else bits  # (H, W, C): row by row, pixel by pixel
        until = (-math.log(2) * drawn.double()).flatten().cumsum(0)
        self._known = torch.logaddexp(self._known, until) if self.log_probs else until
        self._shape = tuple(drawn.shape)
        self.log_probs.append(_total_log_prob(bits))

    def mixture_bits(self) -> Tensor:
        """Return the bits of each entry, in the shape of those that were added."""
        before = self._known.new_full((1,), math.log(len(self.log_probs)))
        found = -torch.diff(self._known, prepend=before).view(self._shape) / math.log(2)
        return found.movedim(-1, 0) if found.dim() == 3 else found


def _bits_in_steps(loaded: LoadedModel, x: Tensor, c: Tensor | None) -> Generator[None, None, Tensor]:
    """Compute the bits of each entry of one artwork, `(*shape)`, in small steps."""
    bits = torch.zeros(0)
    for found in loaded.model.surprisal_steps(x, c):
        yield None
        bits = bits if found is None else found[0].double()
    return bits


def _total_log_prob(bits: Tensor) -> float:
    return -float(bits.sum()) * math.log(2)


def _bits_of_places(bits: Tensor) -> Array:
    places = bits.sum(0) if bits.dim() == 3 else bits
    return places.float().cpu().numpy()
