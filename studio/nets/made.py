"""A network whose outputs of each entry see only the entries before it in an order.

    h = relu(b + W x),  o = b' + W' h,  with W and W' zero wherever degrees forbid

Entry number i of the order (from 1) has degree i, a hidden unit a degree from 1 to D - 1. A unit sees the
units of the layer below whose degree is at most its own; the outputs of entry i see hidden units of a degree
below i (Germain, Gregor, Murray and Larochelle, MADE: Masked Autoencoder for Distribution Estimation, 2015,
arXiv:1502.03509, equations 12 and 13).
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

Degrees = Literal["sequential", "random"]

Activation = Literal["relu", "tanh"]


class MADE(nn.Module):
    """Maps `(B, D)` to `(B, outputs, D)`: o[:, :, i] depends only on the x before entry i.

    The first layer reads entries in their order, and hidden units are sorted by degree, so that every row of a mask is
    ones, then zeros; `reach` is the number of ones. Only weights that a mask keeps exist: `weights` holds them row by
    row, layer by layer. That is half of what dense layers would store, and the form that the one-pass inverse reads.

    Arguments
        entries: D
        hidden: the units of each hidden layer
        outputs: numbers for each entry; the last layer starts at zero
        order: `(D,)`, which entry comes first, second, …; None: as they stand
        degrees: of hidden units: evenly spread over 1 … D - 1, or drawn by `seed`
        classes: how many values a condition c may take; one-hot, it enters the first layer without a mask
    """

    order: Tensor

    def __init__(
        self,
        entries: int,
        hidden: Sequence[int],
        outputs: int = 2,
        order: Tensor | None = None,
        *,
        degrees: Degrees = "sequential",
        activation: Activation = "relu",
        classes: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.entries = entries
        self.outputs = outputs
        self.activation = activation
        self.register_buffer("order", torch.arange(entries) if order is None else order, persistent=False)

        generator = torch.Generator().manual_seed(seed)
        hidden_degrees = list[Tensor]()
        with torch.device("cpu"):  # numbers are needed even if only the sizes of weights are requested
            for units in hidden:
                least = int(hidden_degrees[-1][0]) if hidden_degrees else 1
                hidden_degrees.append(_degrees(least, entries, units, degrees, generator))
        self.degrees = [torch.arange(entries) + 1, *hidden_degrees]
        last = hidden_degrees[-1]
        inner = [torch.searchsorted(a, b, right=True) for a, b in itertools.pairwise(hidden_degrees)]
        outer = torch.searchsorted(last.to(self.order.device), self.order.argsort().repeat(outputs), right=True)
        self.reach = [hidden_degrees[0], *inner, outer]
        """The number of ones in each row of each layer's mask. A unit of the first layer sees entries up to its degree.
        """
        self.counts = [*(int(reach.sum()) for reach in self.reach[:-1]), outputs * int((entries - last).sum())]
        """The number of weights of each layer."""

        self.shapes = [(len(b), len(a)) for a, b in itertools.pairwise([*self.degrees, self.order.repeat(outputs)])]
        started = [_start(reach, count) for reach, count in zip(self.reach, self.counts[:-1], strict=False)]
        self.weights = nn.Parameter(torch.cat([*started, torch.zeros(self.counts[-1])]))
        self.biases = nn.Parameter(torch.zeros(sum(rows for rows, _ in self.shapes)))
        self.kinds = nn.Parameter(torch.randn(classes, hidden[0]) / (entries + 1) ** 0.5) if classes else None
        self._dense: list[Tensor] | None = None
        self._places: dict[torch.device, list[Tensor]] = {}

    def matrices(self) -> list[Tensor]:
        """Return the masked weights of each layer, `(units, units below)`."""
        if self._dense is not None:
            return self._dense
        w: Tensor = self.weights
        if torch.is_autocast_enabled(w.device.type):
            w = w.to(torch.get_autocast_dtype(w.device.type))
        parts = torch.split(w, self.counts)
        places = self._places_on(w.device)
        return [_Spread.apply(*each) for each in zip(parts, places, self.shapes, strict=True)]  # type: ignore[no-untyped-call]

    def _places_on(self, device: torch.device) -> list[Tensor]:
        """Return where each layer's weights lie in its matrix.

        They are no buffers: those would be copied with every averaged step.
        """
        if device not in self._places:
            masks = [
                torch.arange(columns) < reach[:, None]
                for (_, columns), reach in zip(self.shapes, self.reach, strict=True)
            ]
            self._places[device] = [mask.flatten().nonzero()[:, 0].to(device) for mask in masks]
        return self._places[device]

    @torch.no_grad()
    def fold(self) -> None:
        """Lay the matrices out once, for inference only."""
        self._dense = self.matrices()
        self._places.clear()

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        h = x.index_select(1, self.order)
        for layer, (w, b) in enumerate(zip(self.matrices(), self._biases(), strict=True)):
            if layer:
                h = self._activate(h)
            h = nn.functional.linear(h, w, b)  # (B, units)
            if layer == 0 and self.kinds is not None and c is not None:
                h = h + self.kinds[c]
        return h.view(len(x), self.outputs, self.entries)

    def _biases(self) -> tuple[Tensor, ...]:
        return torch.split(self.biases, [rows for rows, _ in self.shapes])

    def _activate(self, h: Tensor) -> Tensor:
        return torch.relu(h) if self.activation == "relu" else torch.tanh(h)

    @torch.no_grad()
    def solve_in_order(self, rows: int, entry: Callable[[int, Tensor], Tensor], c: Tensor | None = None) -> Tensor:
        """Solve x `(rows, D)` entry by entry in their order.

        `entry(i, o)` returns x_i `(rows,)` of o `(rows, outputs)`. A hidden unit is final once the entries up to its
        degree are, and is computed once, so that this costs one pass in all. Compiled loops save the time that each of
        its D · (layers + 1) small products takes to start.
        """
        matrices = self.matrices()
        biases = [b.expand(rows, -1) for b in self._biases()]
        if self.kinds is not None and c is not None:
            biases[0] = biases[0] + self.kinds[c]
        layers = [w.new_zeros(rows, len(degrees)) for w, degrees in zip(matrices, self.degrees, strict=True)]
        upto = torch.arange(self.entries + 1)
        known = [torch.searchsorted(degrees, upto, right=True).tolist() for degrees in self.degrees]
        last = matrices[-1].view(self.outputs, self.entries, -1)
        for d, i in enumerate(self.order.tolist()):
            n = known[-1][d]
            o = biases[-1][:, i :: self.entries] + layers[-1][:, :n] @ last[:, i, :n].T
            layers[0][:, d] = entry(i, o)
            for below, above in itertools.pairwise(range(len(layers))):
                n = known[below][d + 1]
                a = known[above][d]
                b = known[above][d + 1]
                if b > a:
                    sums = biases[below][:, a:b] + layers[below][:, :n] @ matrices[below][a:b, :n].T
                    layers[above][:, a:b] = self._activate(sums)
        return layers[0].index_select(1, self.order.argsort())


class _Spread(torch.autograd.Function):
    """Places weights `(n,)` in a matrix that is zero elsewhere.

    Torch's own gradient of `scatter` takes twice as long forwards and three times as long backwards (measured on one
    core for 1568 × 700 weights, half of them zero).
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.places = places
        return weights.new_zeros(shape[0] * shape[1]).scatter_(0, places, weights).view(shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.reshape(-1).index_select(0, ctx.places), None, None


def _degrees(least: int, entries: int, units: int, how: Degrees, generator: torch.Generator) -> Tensor:
    """Return degrees `(units,)` of a hidden layer, ascending.

    least: the least degree of the layer below; a unit of a lower degree would see nothing
    """
    top = max(entries - 1, 1)
    if how == "sequential":
        return 1 + torch.arange(units) * top // units
    return torch.randint(min(least, top), top + 1, (units,), generator=generator).sort().values


def _start(reach: Tensor, count: int) -> Tensor:
    """Return initial weights of a layer, normal with variance 1 / (inputs + 1).

    Only the inputs that a unit really has are counted.
    """
    weights = torch.randn(count)
    if weights.is_meta:  # only their number is requested
        return weights
    return weights * (reach + 1).rsqrt().repeat_interleave(reach)


class MaskedLinear(nn.Linear):
    """Computes y = (mask · W) x + b. The mask has the weight's shape."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class ContextMADE(nn.Module):
    """Maps z `(B, D)` and a context `(B, context)` to `(B, D, 2)`.

    o[:, i] sees only those z that come before entry i.

    Arguments
        entries: D
        context: how many numbers of context there are
        hidden: units of the hidden layer, spread evenly over the degrees 0 … D - 1
        reverse: the order is from the last entry to the first
    """

    def __init__(self, entries: int, context: int, hidden: int, *, reverse: bool = False) -> None:
        super().__init__()
        place = torch.arange(entries)
        place = place.flip(0) if reverse else place
        degrees = torch.arange(hidden) * entries // hidden
        self.inputs = MaskedLinear((place < degrees[:, None]).float())
        self.context = nn.Linear(context, hidden, bias=False)
        self.outputs = MaskedLinear((degrees <= place[:, None]).float().repeat_interleave(2, 0))
        nn.init.normal_(self.outputs.weight, std=0.1 / hidden**0.5)
        nn.init.zeros_(self.outputs.bias)

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        h = nn.functional.elu(self.inputs(z) + self.context(context))
        result: Tensor = self.outputs(h).view(len(z), -1, 2)
        return result
