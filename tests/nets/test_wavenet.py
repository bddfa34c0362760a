"""A WaveNet's network equals one written from the paper's equations, sample by sample."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d

from studio.nets.wavenet import WaveNetNetwork
from studio.nets.wavenet_layers import LayerSpan, LayerWeights, run_layers

DILATIONS = (1, 2, 4, 1, 2, 4)
FIELD = 15
KINDS: list[dict[str, Any]] = [
    {},
    {"levels": 1000},
    {"classes": (3, 2)},
    {"local": 3, "hop": 4},
    {"levels": 1000, "classes": (4,), "local": 2, "hop": 5},
]


def made(dtype: torch.dtype = torch.float64, levels: int = 9, **words: Any) -> WaveNetNetwork:
    """Return a small network with weights as after some training."""
    torch.manual_seed(0)
    net = WaveNetNetwork(levels, DILATIONS, 4, 6, 5, **words)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return net.to(dtype)


def lively(net: WaveNetNetwork) -> WaveNetNetwork:
    """Return the network with every relu active, so that every dependence is visible."""
    net.skip_bias.data += 9
    net.a_bias.data += 99
    return net


def sounds(net: WaveNetNetwork, count: int = 3, samples: int = 40) -> tuple[Tensor, Tensor | None]:
    """Return levels `(count, samples)` and a condition for them."""
    x = torch.randint(0, net.levels, (count, samples), generator=torch.Generator().manual_seed(1))
    kinds = torch.arange(count) % math.prod(net.classes) if net.classes else None
    if not net.local:
        return x, kinds
    signal = torch.randn(count, net.local, -(-samples // net.hop)).to(net.bias)
    if kinds is None:
        return x, signal
    turning = (kinds[:, None, None] + torch.arange(signal.shape[2])) % math.prod(net.classes)
    return x, torch.cat((turning.to(signal), signal), 1)


def as_the_paper_says(net: WaveNetNetwork, x: list[int], c: Tensor | None) -> Tensor:
    """Return numbers `(T, numbers)` of one sound, as the paper defines them.

    It is a recursion over layers and time, with zeros before the beginning.
    """
    known: dict[tuple[int, int], Tensor] = {}
    width = net.channels

    def base(layer: int, t: int) -> Tensor:
        found = net.bias[layer]
        if c is None:
            return found
        column = c if c.dim() == 0 else c[:, t // net.hop]
        if net.classes:
            number = int(column if c.dim() == 0 else column[0])
            for table in reversed(net.kinds):
                found = found + table[number % len(table)][layer]
                number //= len(table)
        if net.follow is not None:
            found = found + net.follow[layer] @ column[-net.local :]
        return found

    def gated(layer: int, t: int) -> Tensor:
        past = net.filters[layer][:, :width]
        now = net.filters[layer][:, width:]
        pre = past @ hidden(layer, t - net.dilations[layer]) + now @ hidden(layer, t) + base(layer, t)
        return torch.tanh(pre[:width]) * torch.sigmoid(pre[width:])

    def hidden(layer: int, t: int) -> Tensor:
        if t < 0:
            return torch.zeros(width, dtype=net.bias.dtype)
        if (layer, t) not in known:
            if layer:
                below = hidden(layer - 1, t)
                known[layer, t] = below + net.residual[layer - 1] @ gated(layer - 1, t) + net.shift[layer - 1]
            else:
                before = x[t - 1] if t else net.levels // 2
                known[0, t] = (
                    net.first[before] if net.levels <= 256 else net.first[0] * (2 * before / (net.levels - 1) - 1)
                )
        return known[layer, t]

    found = []
    for t in range(len(x)):
        sums = net.skip_bias
        for layer, weight in enumerate(net.skip.split(width, 1)):
            sums = sums + weight @ gated(layer, t)
        found.append(net.b @ torch.relu(net.a @ torch.relu(sums) + net.a_bias) + net.b_bias)
    return torch.stack(found)


@torch.no_grad()
@pytest.mark.parametrize("words", KINDS)
def test_the_network_equals_the_papers(words: dict[str, Any]) -> None:
    net = made(**words)
    x, c = sounds(net)
    numbers = net(x, c)
    for i in range(len(x)):
        expected = as_the_paper_says(net, x[i].tolist(), None if c is None else c[i])
        assert torch.allclose(numbers[i].t(), expected, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("words", KINDS)
def test_parts_and_single_samples_give_the_same_numbers(words: dict[str, Any], dtype: torch.dtype) -> None:
    net = made(dtype, **words)
    close = 1e-5 if dtype == torch.float32 else 1e-9
    x, c = sounds(net)
    numbers = net(x, c)
    queues = net.queues(len(x))
    found = []
    last = None
    at = 0
    for part in x.split((1, 17, 5, 17), 1):
        found.append(net.continue_numbers(net.previous_levels(part, last), queues, c, at))
        last = part[:, -1:]
        at = at + part.shape[1]
    assert torch.allclose(torch.cat(found, 2), numbers, atol=close)
    steps = net.steps(net.queues(len(x)), c, 0, len(x))
    before = net.previous_levels(x)
    found = [steps(before[:, t]) for t in range(23)]
    steps = net.steps(steps.queues(), c, 23, len(x))  # continued in the middle of every ring
    found += [steps(before[:, t]) for t in range(23, x.shape[1])]
    assert torch.allclose(torch.stack(found, 2), numbers, atol=close)


@torch.no_grad()
def test_a_part_with_its_context_equals_that_part_of_the_whole() -> None:
    """This also holds if the part begins before the sound does: then its past is empty, as the sound's is."""
    net = made(classes=(3,))
    assert net.field == FIELD
    x, c = sounds(net)
    parts = torch.full((3, FIELD + 9), -1)
    begins = (0, 6, 31)
    for sound, begin in enumerate(begins):
        known = x[sound, max(begin - FIELD, 0) : begin + 9]
        parts[sound, -len(known) :] = known
    whole = net(x, c)
    found = net.numbers_after_context(parts, c)
    for sound, begin in enumerate(begins):
        assert torch.allclose(found[sound], whole[sound, :, begin : begin + 9], atol=1e-12)


@torch.no_grad()
def test_a_sample_only_changes_later_ones_within_the_field() -> None:
    net = lively(made(levels=1000))
    x, _ = sounds(net, 1)
    for t in (0, 3, 20):
        other = x.clone()
        other[0, t] = (x[0, t] + 500) % 1000
        moved = ((net(x) - net(other)).abs() > 1e-12).any(1)[0]
        assert moved.tolist() == [t < s <= t + FIELD for s in range(40)]


@torch.no_grad()
def test_a_frame_of_the_signal_acts_from_the_first_sample_that_it_predicts() -> None:
    net = lively(made(local=2, hop=4))
    x, c = sounds(net, 1)
    assert c is not None
    other = c.clone()
    other[0, :, 3] += 1
    moved = ((net(x, c) - net(x, other)).abs() > 1e-12).any(1)[0]
    assert moved.tolist() == [12 <= s < 16 + FIELD - 2 for s in range(40)]


@pytest.mark.parametrize("words", [{}, {"levels": 1000, "classes": (3, 2)}])
def test_numbers_and_gradients_equal_those_of_convolutions(words: dict[str, Any]) -> None:
    """The convolutions run over whole sounds with time innermost, in the layout of the paper's figures."""
    net = made(torch.float32, **words)
    x, c = sounds(net, samples=2000)
    parts = torch.cat((torch.full((3, FIELD), -1), x), 1)
    parts[1:, :FIELD] = x[1:, :FIELD]  # the first sound has no past
    found = []
    for numbers in (net.numbers_after_context(parts, c), by_convolutions(net, parts, c)):
        net.zero_grad()
        torch.autograd.backward((numbers * torch.linspace(-1, 1, numbers.numel()).view_as(numbers)).sum())
        found.append((numbers.detach(), *(parameter.grad for parameter in net.parameters())))
    for ours, expected in zip(*found, strict=True):
        assert ours is not None and expected is not None
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def by_convolutions(net: WaveNetNetwork, parts: Tensor, c: Tensor | None) -> Tensor:
    """Return what `numbers_after_context` returns, from torch's convolutions of `(B, channels, T)`."""
    nothing = (parts < 0).sum(1)
    at = torch.arange(parts.shape[1] - 1)
    seen = torch.where(at == nothing[:, None] - 1, net.levels // 2, parts[:, :-1].clamp(min=0))
    if net.levels <= 256:
        h = net.first[seen].transpose(1, 2)
    else:
        h = net.first.t() * (2 * seen[:, None] / (net.levels - 1) - 1)
    sums = torch.zeros(())
    base = net.base(c, len(parts))
    count = parts.shape[1] - FIELD
    for layer, d in enumerate(net.dilations):
        h = h * (at[-h.shape[2] :] >= nothing[:, None] - 1)[:, None]
        weight = net.filters[layer].view(-1, 2, net.channels).transpose(1, 2)
        low, high = (conv1d(h, weight, dilation=d) + base[:, layer]).chunk(2, 1)
        z = torch.tanh(low) * torch.sigmoid(high)
        sums = sums + conv1d(z[..., -count:], torch.split(net.skip, net.channels, 1)[layer][..., None])
        if layer < len(net.residual):
            h = h[..., d:] + conv1d(z, net.residual[layer][..., None], net.shift[layer])
    sums = conv1d(torch.relu(sums + net.skip_bias[:, None]), net.a[..., None], net.a_bias)
    return conv1d(torch.relu(sums), net.b[..., None], net.b_bias)


@pytest.mark.parametrize("framed", [False, True])
def test_gradients_of_the_layers_are_right(framed: bool) -> None:
    torch.manual_seed(0)
    dilations = (1, 2, 1)
    frames = torch.arange(9) // 3 if framed else None
    sizes = ((18, 2), (3, 2, 3 if framed else 1, 2, 2), (3, 2, 2, 2, 2), (2, 2, 2), (2, 2), (3, 2, 3))
    given = [torch.randn(size, dtype=torch.float64).requires_grad_() for size in sizes]
    span = LayerSpan(dilations, 2, (3, 0), frames)
    there = torch.ones(9, 2, 1, dtype=torch.float64)
    there[:3, 0] = 0

    def sums(h: Tensor, base: Tensor, *weights: Tensor) -> Tensor:
        return run_layers((h.view(9, 2, 2) * there).flatten(0, 1), base, LayerWeights(*weights), span)

    assert torch.autograd.gradcheck(sums, given)
