"""Model a picture as a chain of conditionals: each sub-pixel is given all sub-pixels before it.

    ln p(x) = Σ_t ln p(x_t | x_1 … x_{t-1})
    x_t = F_t⁻¹(Φ(z_t)),  z_t ~ N(0, 1),  F_t the sum of p(· | x_1 … x_{t-1}) up to a level

row by row from the top, pixel by pixel from the left, red before green before blue (van den Oord, Kalchbrenner and
Kavukcuoglu, Pixel Recurrent Neural Networks, 2016, arXiv:1601.06759, section 2). So a latent has an entry for every
sub-pixel and determines the picture, and log p(x) is exact. The latent of an encoded picture is standard noise, too,
if the model knows such pictures well.

A network must offer
    net(seen, c) → numbers `(B, conditional.numbers, H, W)` of pictures as `conditional.network_input` gives them,
        `(B, C · conditional.inputs_per_channel, H, W)`. The numbers at a pixel depend only on the pixels before it. If
        `conditional.colours_by_net`, the numbers of a sub-pixel depend also on the sub-pixels before it in the same
        pixel.
    net.stepper(seen, c) → step(i, j) → numbers `(B, conditional.numbers)` at row i and column j. This is optional: it
        reuses earlier results instead of computing the whole network at every pixel. The caller fills `seen` between
        the calls, which come in order: once for each pixel or, if `conditional.colours_by_net`, once for each
        sub-pixel, with all before it set. What is still to come is 0 and must be ignored. Pictures of a batch must
        not change each other's rounding: a matrix product rounds by its size, so each picture needs its own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from studio.density.conditional import Conditional
from studio.density.model import DecodingStep, Model
from studio.density.threads import single_threaded

Stepper = Callable[[int, int], Tensor]
EDGE_SHARE = 0.1
"""The share of the whole picture in the loss of a model without borders. The rest is the picture without its margin."""
PIXELS_PER_STEP = 4
"""Number of pixels of a row that are drawn in one step, measured in tests/benchmarks/previews.py."""


def uncached_stepper(net: nn.Module, seen: Tensor, c: Tensor | None) -> Stepper:
    """Return a stepper that computes the whole network at every pixel. Every faster stepper must equal it."""

    def step(i: int, j: int) -> Tensor:
        kinds = [None] * len(seen) if c is None else torch.split(c, 1)
        each = zip(torch.split(seen, 1), kinds, strict=True)
        return torch.cat([net(one, kind)[:, :, i, j] for one, kind in each])

    return step


@dataclass
class PixelEntropies:
    """Collects the entropy in bits of every pixel just before it is drawn, at its temperature.

        H_t = -Σ_x p(x | x_1 … x_{t-1}) log2 p(x | x_1 … x_{t-1})

    It is exact. The entropy of a pixel is the sum over its colours, each given those drawn before it. The entropy of a
    later pixel cannot be known yet, because it depends on pixels that are still to come.

    Attributes
        bits: `(B, H, W)`; NaN if a pixel is still to come, is kept, or was drawn while `is_recorded` was False
        is_recorded: whether entropies are computed; it may be changed between two steps
    """

    bits: Tensor
    is_recorded: bool = True

    def add_entropy(self, i: int, j: int, bits: Tensor, free: Tensor) -> None:
        """Add the entropy `(B,)` of one sub-pixel, in those pictures in which the pixel is `free` `(B,)`."""
        before = self.bits[:, i, j]
        self.bits[:, i, j] = torch.where(free, before.nan_to_num() + bits.to(before), before)


class Autoregressive(Model):
    """Computes log p(x) exactly by the chain rule.

    Arguments
        shape: (channels, height, width)
        net: computes the numbers of every pixel, as the head of this file describes
        conditional: turns the numbers into probabilities
        classes: number of classes that the network knows. Without a class, log p(x) is that of the even mixture of
            all, p(x) = Σ p(x | c) / classes. Encoding and decoding need a class.
        margin: the reach of the network for a model without borders, which `density.canvas` describes; else 0
        class_dropout: the share of training pictures whose class is dropped: the network is told `dropped_class`, one
            more class than the model has. So it also learns p(x) of all pictures, which `density.sharpening` needs

    Raises ValueError if a margin leaves nothing of the pictures to learn from, or if there is no class to drop.
    """

    scales_noise = False
    can_inpaint = True

    def __init__(
        self,
        shape: Sequence[int],
        levels: int,
        net: nn.Module,
        conditional: Conditional,
        classes: int = 0,
        margin: int = 0,
        class_dropout: float = 0.0,
    ) -> None:
        super().__init__(shape, levels, shape, exact=True, classes=classes)
        if class_dropout and not classes:
            raise ValueError("there is no class to drop; take one class or more, or a class dropout of 0")
        _, height, width = self.shape
        if height <= margin or width <= 2 * margin:
            raise ValueError(
                f"without borders it sees {margin} pixels far, so it learns from pictures of {2 * margin + 1} × "
                f"{margin + 1} pixels or more, and {width} × {height} were given; "
                "choose fewer layers, a smaller kernel or larger pictures"
            )
        self.net = net
        self.conditional = conditional
        self.margin = margin
        self.class_dropout = class_dropout

    @property
    def dropped_class(self) -> int:
        """Return the number that stands for no class, if `class_dropout` is above 0."""
        return self.classes

    def stepper(self, seen: Tensor, c: Tensor | None) -> Stepper:
        """Return the network's own stepper if it has one, else the plain one."""
        own = getattr(self.net, "stepper", None)
        if not callable(own):
            return uncached_stepper(self.net, seen, c)
        cached: Stepper = own(seen, c)
        return cached

    def _log_probs(self, x: Tensor, c: Tensor | None) -> Tensor:
        """Return ln p of every sub-pixel in nats, `(B, *shape)`; in training without the floor."""
        self._check_class(c)
        numbers = self.net(self.conditional.network_input(x.to(self.dtype)), c)
        return self.conditional.log_prob(x, numbers.to(self.dtype), floor=not self.training)

    def _check_class(self, c: Tensor | None) -> None:
        if self.classes and c is None:
            raise ValueError(f"this model has {self.classes} classes, and none was given")

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return -self._log_probs(x, c) / math.log(2)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if self.classes and c is None:
            return torch.logsumexp(self.log_prob_of_classes(x), 1) - math.log(self.classes)
        return self._log_probs(x, c).flatten(1).sum(1)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the mean bits per dimension; without borders mainly those of pixels that see all in their reach.

        In training the class of some pictures is dropped.
        """
        if self.training and self.class_dropout and c is not None:
            is_dropped = torch.rand(c.shape, device=c.device) < self.class_dropout
            c = c.masked_fill(is_dropped, self.dropped_class)
        if not self.margin:
            return super().loss(x, c)
        bits = self.surprisal(x, c)
        inside = bits[:, :, self.margin :, self.margin : -self.margin]
        return (1 - EDGE_SHARE) * inside.mean() + EDGE_SHARE * bits.mean()

    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        found = []
        for i in range(len(x)):
            found.append(self.log_prob(x[i : i + 1], None if c is None else c[i : i + 1]))
            yield None
        yield torch.cat(found)

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, z = self.encode_steps(x, c)
        assert z is not None, "the last step is the latent"
        return z

    @torch.no_grad()
    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Encode pixel by pixel in the same way as decoding, so that decoding restores every bit of the picture."""
        z = torch.zeros(x.shape, device=x.device, dtype=self.dtype)
        seen = self._unseen(z)
        places = self._places_in_levels()
        for k, i, j, numbers in self._sub_pixels(seen, c):
            u = places[k, i, j].expand(len(x))
            z[:, k, i, j] = self.conditional.noise_of_level(numbers, x[:, :k, i, j], x[:, k, i, j], u)
            self._show(seen, x, k, i, j)
            if self._ends_step(k, j):
                yield None
        yield z

    def _unseen(self, z: Tensor) -> Tensor:
        """Return the network's input for pictures with latents z before anything of them is known."""
        count, channels, height, width = z.shape
        return z.new_zeros(count, channels * self.conditional.inputs_per_channel, height, width)

    def _show(self, seen: Tensor, x: Tensor, k: int, i: int, j: int) -> None:
        """Set channel k of a pixel in the network's input `seen` to its level in x."""
        inputs = self.conditional.inputs_per_channel
        shown = self.conditional.network_input(x[:, k : k + 1, i, j].to(seen.dtype))
        seen[:, k * inputs : (k + 1) * inputs, i, j] = shown

    def _places_in_levels(self) -> Tensor:
        """Return where in its level's interval the noise of each sub-pixel lies, from 0 to 1, `shape`.

        All pictures share one draw, so that similar pictures have similar latents.
        """
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    @torch.no_grad()
    def decode_steps(
        self,
        z: Tensor,
        c: Tensor | None = None,
        temperature: float | Tensor = 1.0,
        keep: Tensor | None = None,
        entropies: PixelEntropies | None = None,
    ) -> Iterator[DecodingStep]:
        """Decode as `Model.decode_steps` does. `entropies` are filled in while their `is_recorded` is True."""
        _, height, width = self.shape
        temperature = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        free, x = self._known_levels(z, keep)
        drawn = free.any(0).tolist()
        seen = self._unseen(z)
        so_far = x.clone()
        for k, i, j, numbers in self._sub_pixels(seen, c):
            place = x[:, k, i, j]
            if drawn[k][i][j]:
                asked = numbers, x[:, :k, i, j], z[:, k, i, j], temperature[:, k, i, j]
                with single_threaded():
                    if entropies is not None and entropies.is_recorded:
                        new, bits = self.conditional.draw_level_with_entropy(*asked)
                        entropies.add_entropy(i, j, bits, free[:, k, i, j])
                    else:
                        new = self.conditional.draw_level(*asked)
                place.copy_(torch.where(free[:, k, i, j], new.to(x.dtype), place))
            self._show(seen, x, k, i, j)
            if self._ends_step(k, j):
                if j == width - 1:  # a copy at every step of a large picture would take longer than drawing it
                    so_far = x.clone()
                yield DecodingStep(so_far, i + (j == width - 1), height)

    def _ends_step(self, k: int, j: int) -> bool:
        """Return whether a step ends with this sub-pixel: each takes a few pixels of a row, so that none lasts long."""
        channels, _, width = self.shape
        return k == channels - 1 and (j == width - 1 or j % PIXELS_PER_STEP == PIXELS_PER_STEP - 1)

    def _known_levels(self, z: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return where the model may draw, and the levels as far as they are known, both `(B, *shape)`."""
        if keep is None:
            return torch.ones_like(z, dtype=torch.bool), torch.zeros_like(z, dtype=torch.uint8)
        if keep.shape != z.shape:
            raise ValueError(f"what is to be kept is {tuple(keep.shape)}, but the pictures are {tuple(z.shape)}")
        if int(keep.max()) >= self.levels:
            raise ValueError(f"a level of {int(keep.max())} is to be kept, but there are {self.levels}")
        return keep < 0, keep.clamp(min=0).to(torch.uint8)

    def _sub_pixels(self, seen: Tensor, c: Tensor | None) -> Iterator[tuple[int, int, int, Tensor]]:
        """Yield channel, row and column of every sub-pixel in order, with the numbers of its pixel `(B, numbers)`."""
        self._check_class(c)
        channels, height, width = self.shape
        step = self.stepper(seen, c)
        for i, j in product(range(height), range(width)):
            numbers = step(i, j)
            yield 0, i, j, numbers
            for k in range(1, channels):
                if self.conditional.colours_by_net:
                    numbers = step(i, j)
                yield k, i, j, numbers
