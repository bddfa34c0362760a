"""Run the layers of a WaveNet as matrix products over rows, one row for each sample, with channels innermost.

    x_l[t] = P_l h_l[t - d_l] + N_l h_l[t] + base_l[t]            from the past and from now
    z_l = tanh(first half of x_l) ⊙ σ(second half of x_l)
    h_{l+1} = h_l + U_l z_l + shift_l,   sums = Σ_l S_l z_l

The past is the same matrix, read d rows earlier, so nothing is gathered for a product. The halves of x_l are two
matrices, because torch takes three times as long for tanh and σ of parts of rows. Time is divided into tiles that stay
in a core's cache, and a tile goes through all layers before the next one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

TILE_NUMBERS = 2**17
"""How many numbers of a layer's input are a tile on a processor, for each thread.

With 48 channels, a quarter of it and twice as many took longer: calls cost more, or the cache is too small.
"""

Queues = list[Tensor]
"""The past of each layer: its last d inputs, `(B, channels, d)`."""


class LayerSpan(NamedTuple):
    """States what the layers are run over.

    Attributes
        dilations: d of each layer
        sounds: how many. Row t · sounds + i is sample t of sound i
        nothing: for each sound, how many of the first places are before its beginning, where every layer's input is
            zero; None if there are none
        frames: for each place the frame of the condition that it is predicted from; None if one frame serves all
    """

    dilations: tuple[int, ...]
    sounds: int = 1
    nothing: tuple[int, ...] | None = None
    frames: Tensor | None = None


class LayerWeights(NamedTuple):
    """Holds the weights of all layers, each matrix from input to output.

    Attributes
        filters: `(layers, 2, 2, channels, channels)`: from the past and from now, each to the halves tanh and σ
        residual, shift: U `(layers - 1, channels, channels)` and `(layers - 1, channels)`
        skip: S `(layers, channels, skip)`
    """

    filters: Tensor
    residual: Tensor
    shift: Tensor
    skip: Tensor


def run_layers(h: Tensor, base: Tensor, weights: LayerWeights, span: LayerSpan) -> Tensor:
    """Return the sums `(T · sounds, skip)`.

    Arguments
        h: the first layer's input `((T + Σ d) · sounds, channels)`
        base: `(layers, 2, frames, sounds, channels)`
    """
    sums: Tensor = WaveNetLayers.apply(span, h, base, *weights)  # type: ignore[no-untyped-call]
    return sums


@torch.no_grad()
def continue_layers(h: Tensor, base: Tensor, weights: LayerWeights, span: LayerSpan, queues: Queues) -> Tensor:
    """Return the sums as `run_layers` does. The input `(T · sounds, channels)` follows the queues, and is added."""
    pasts = [queue.permute(2, 0, 1).flatten(0, 1) for queue in queues]  # (d · sounds, channels)
    inputs = [torch.cat((past, h if layer == 0 else torch.empty_like(h))) for layer, past in enumerate(pasts)]
    sums = _run_forwards(span, inputs, [], base, weights)
    for queue, past, given in zip(queues, pasts, inputs, strict=True):
        last = given[-len(past) :].view(-1, span.sounds, given.shape[1])
        queue.copy_(last.permute(1, 2, 0))
    return sums


class WaveNetLayers(torch.autograd.Function):
    """Runs all layers as `run_layers` does, with their gradients."""

    @staticmethod
    def forward(ctx: Any, span: LayerSpan, h: Tensor, base: Tensor, *weights: Tensor) -> Tensor:
        inputs = [h]
        gates = []
        for d in span.dilations:
            count = len(inputs[-1]) - d * span.sounds
            gates.append(h.new_empty(2, count, h.shape[1]))
            inputs.append(h.new_empty(count, h.shape[1]))
        inputs.pop()
        sums = _run_forwards(span, inputs, gates, base, LayerWeights(*weights))
        ctx.span = span
        ctx.save_for_backward(base, *weights, *inputs, *gates)
        return sums

    @staticmethod
    def backward(ctx: Any, dsums: Tensor) -> tuple[Tensor | None, ...]:
        base, filters, residual, shift, skip, *kept = ctx.saved_tensors
        inputs = kept[: len(filters)]
        gates = kept[len(filters) :]
        weights = LayerWeights(filters, residual, shift, skip)
        return None, *_run_backwards(ctx.span, inputs, gates, base, weights, dsums.contiguous())


class _Rows:
    """Finds rows in the inputs of the layers. Row 0 is the first row of the result.

    Attributes
        sounds: how many sounds
        past: for each layer, how many rows earlier its past is
        before: for each layer, how many rows before row 0 it computes
        lead: for each layer, how many rows of its input are before row 0
        end: the number of rows of the result
        first: the first row that any sound has
        step: rows of a tile
    """

    def __init__(self, inputs: Sequence[Tensor], span: LayerSpan) -> None:
        self.sounds = span.sounds
        self._frames = span.frames
        self.past = [d * span.sounds for d in span.dilations]
        self.end = len(inputs[-1]) - self.past[-1]
        self.lead = [len(given) - self.end for given in inputs]
        self.before = [lead - past for lead, past in zip(self.lead, self.past, strict=True)]
        self._starts = [places * span.sounds - self.lead[0] for places in span.nothing or ()]
        self.first = min(self._starts, default=-self.lead[0])
        self.step = self.end + self.lead[0]
        if inputs[0].device.type == "cpu":
            samples = TILE_NUMBERS * torch.get_num_threads() // (inputs[0].shape[1] * span.sounds)
            self.step = min(self.step, max(samples, 1) * span.sounds)

    def tiles(self, first: int) -> Iterator[tuple[int, int]]:
        """Yield first row and end of each tile, from a row on. Row 0 begins a tile."""
        for start, end in ((max(first, self.first), 0), (max(first, self.first, 0), self.end)):
            for low in range(start, end, self.step):
                yield low, min(low + self.step, end)

    def frames(self, low: int, count: int) -> Tensor | None:
        """Return the frames of the samples of rows; None if there is only one."""
        if self._frames is None:
            return None
        return self._frames.narrow(0, len(self._frames) + (low - self.end) // self.sounds, count // self.sounds)

    def empty(self, rows: Tensor, low: int) -> None:
        """Set rows from `low` on to zero if they are before the beginning of their sound."""
        for sound, start in enumerate(self._starts):
            if start > low:
                rows.view(-1, self.sounds, rows.shape[1])[: (start - low) // self.sounds, sound] = 0


def _run_forwards(
    span: LayerSpan, inputs: Sequence[Tensor], gates: Sequence[Tensor], base: Tensor, weights: LayerWeights
) -> Tensor:
    """Fill the inputs of all layers but the first, and the gates if there are any; return the sums.

    Gates are tanh and σ, `(2, rows, channels)` for each layer.
    """
    rows = _Rows(inputs, span)
    base_of = base.unbind()
    past_filters, now_filters = (each.unbind() for each in weights.filters.unbind(1))
    residual, shift, skip = (each.unbind() for each in weights[1:])
    twice = [given.expand(2, -1, -1) for given in inputs]
    sums = inputs[0].new_zeros(rows.end, weights.skip.shape[2])
    desk = inputs[0].new_empty(3, rows.step, inputs[0].shape[1])
    if span.nothing is not None:
        for given, lead in zip(inputs[1:], rows.lead[1:], strict=True):
            given[: max(rows.first + lead, 0)] = 0
    for start, end in rows.tiles(rows.first):
        for layer, given in enumerate(inputs):
            low = max(start, -rows.before[layer])
            count = end - low
            if count <= 0:
                continue
            at = low + rows.lead[layer]
            past = twice[layer].narrow(1, at - rows.past[layer], count)
            now = twice[layer].narrow(1, at, count)
            gate = gates[layer].narrow(1, low + rows.before[layer], count) if gates else desk[:2].narrow(1, 0, count)
            added = _base_of_rows(base_of[layer], rows.frames(low, count), count)
            torch.baddbmm(added, past, past_filters[layer], out=gate).baddbmm_(now, now_filters[layer])
            tanh, sigmoid = gate.unbind()
            z = torch.mul(tanh.tanh_(), sigmoid.sigmoid_(), out=desk[2].narrow(0, 0, count))
            if layer < len(residual):
                h = inputs[layer + 1].narrow(0, low + rows.lead[layer + 1], count)
                torch.add(given.narrow(0, at, count), shift[layer], out=h).addmm_(z, residual[layer])
                rows.empty(h, low)
            if low >= 0:
                sums.narrow(0, low, count).addmm_(z, skip[layer])
    return sums


def _base_of_rows(base: Tensor, frames: Tensor | None, count: int) -> Tensor:
    """Return `(2, frames, sounds, channels)` for rows, `(2, count, channels)`."""
    if frames is not None:
        return base.index_select(1, frames).flatten(1, 2)
    return base[:, 0] if base.shape[2] == 1 else base.repeat(1, count // base.shape[2], 1, 1).flatten(1, 2)


def _run_backwards(
    span: LayerSpan,
    inputs: Sequence[Tensor],
    gates: Sequence[Tensor],
    base: Tensor,
    weights: LayerWeights,
    dsums: Tensor,
) -> tuple[Tensor, ...]:
    """Return the gradients of the first layer's input, of base and of all weights.

    One matrix holds the gradient of h_{l+1} and becomes that of h_l, tile after tile. A tile only changes rows that no
    later tile reads.
    """
    rows = _Rows(inputs, span)
    channels = inputs[0].shape[1]
    dbase = torch.zeros_like(base, memory_format=torch.contiguous_format)
    dfilters = base.new_zeros(len(inputs), 2, channels, 2 * channels)  # from the past and from now to both halves
    dothers = [torch.zeros_like(each, memory_format=torch.contiguous_format) for each in weights[1:]]
    dresidual, dshift, dskip = (each.unbind() for each in dothers)
    dpast_filters, dnow_filters = (each.unbind() for each in dfilters.unbind(1))
    back = weights.filters.mT.flatten(2, 3).contiguous()  # (layers, 2, 2 · channels, channels)
    past_back, now_back = (each.unbind() for each in back.unbind(1))
    residual, skip = (each.mT.contiguous().unbind() for each in (weights.residual, weights.skip))
    dh_of_all = torch.zeros_like(inputs[0])
    desk = dsums.new_empty(3, rows.step, channels)
    both = dsums.new_empty(rows.step, 2 * channels)
    for layer in reversed(range(len(inputs))):
        transposed = inputs[layer].t()
        for low, end in rows.tiles(-rows.before[layer]):
            count = end - low
            at = low + rows.lead[layer]
            tanh, sigmoid = gates[layer].narrow(1, low + rows.before[layer], count).unbind()
            z, dz, factor = desk.narrow(1, 0, count).unbind()
            torch.mul(tanh, sigmoid, out=z)
            dh = dh_of_all.narrow(0, low + rows.lead[0], count)
            if low >= 0:
                dsum = dsums.narrow(0, low, count)
                dskip[layer].addmm_(z.t(), dsum)
                torch.mm(dsum, skip[layer], out=dz)
            if layer < len(residual):
                rows.empty(dh, low)
                dresidual[layer].addmm_(z.t(), dh)
                dshift[layer].add_(dh.sum(0))
                torch.addmm(dz, dh, residual[layer], beta=float(low >= 0), out=dz)
            dx = both.narrow(0, 0, count)
            dtanh, dsigmoid = dx.chunk(2, 1)
            torch.mul(dz, torch.addcmul(sigmoid, z, tanh, value=-1, out=factor), out=dtanh)
            torch.mul(dz, torch.addcmul(z, z, sigmoid, value=-1, out=factor), out=dsigmoid)
            _add_to_base(dbase[layer], rows.frames(low, count), dx)
            dpast_filters[layer].addmm_(transposed.narrow(1, at - rows.past[layer], count), dx)
            dnow_filters[layer].addmm_(transposed.narrow(1, at, count), dx)
            dh.addmm_(dx, now_back[layer])
            dh_of_all.narrow(0, low + rows.lead[0] - rows.past[layer], count).addmm_(dx, past_back[layer])
    dfilters = dfilters.view(len(inputs), 2, channels, 2, channels).transpose(2, 3)
    return dh_of_all, dbase, dfilters, *dothers


def _add_to_base(dbase: Tensor, frames: Tensor | None, dx: Tensor) -> None:
    """Add the gradient of rows to that of `(2, frames, sounds, channels)`."""
    _, _, sounds, channels = dbase.shape
    by_sound = dx.view(-1, sounds, 2, channels)
    if frames is None:
        dbase[:, 0].add_(by_sound.sum(0).transpose(0, 1))
    else:
        dbase.index_add_(1, frames, by_sound.permute(2, 0, 1, 3))
