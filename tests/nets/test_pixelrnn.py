"""PixelRNN's layers equal the paper's equations, pixel by pixel."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.nets.masked_convolution import MaskedConv
from studio.nets.pixelrnn import CellName, DiagonalBiLSTM, PixelRNNNetwork, RowLSTM

Array = NDArray[np.float64]


def entries(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def learned(module: nn.Module) -> nn.Module:
    """Give a module weights as after some training: nothing is zero."""
    for seed, parameter in enumerate(module.double().parameters()):
        parameter.data = 0.5 * entries(*parameter.shape, seed=seed)
    return module


def seen_by(conv: MaskedConv, x: Array, colours: int) -> Array:
    """Apply a masked convolution to a row's past and each pixel: `(in, H, W)` → `(out, H, W)`."""
    left = conv.left.detach().numpy()
    bias = conv.bias.detach().numpy()
    outputs, inputs, _, columns = left.shape
    _, height, width = x.shape
    states = outputs // 4 if outputs == 4 * (inputs // 2) else outputs  # four gates of the state's features
    result = np.zeros((outputs, height, width))
    for o, i, j in itertools.product(range(outputs), range(height), range(width)):
        result[o, i, j] = bias[o]
        for n, k in itertools.product(range(inputs), range(columns)):
            at = j + k - (columns - 1)
            itself = k == columns - 1
            later = n * colours // inputs > (o % states) * colours // states
            if at >= 0 and not (itself and later):
                result[o, i, j] += left[o, n, 0, k] * x[n, i, at]
    return result


def cell(gates: list[float], before: list[float]) -> tuple[list[float], list[float]]:
    """Return h and c of one pixel by equation 3."""
    n = len(before)
    o, f, i = ([1 / (1 + math.exp(-g)) for g in gates[k * n : (k + 1) * n]] for k in range(3))
    c = [f[k] * before[k] + i[k] * math.tanh(gates[3 * n + k]) for k in range(n)]
    return [o[k] * math.tanh(c[k]) for k in range(n)], c


def row_lstm(layer: RowLSTM, x: Array, colours: int) -> Array:
    gates = seen_by(layer.of_input, x, colours)
    weight = layer.of_state.detach().numpy()
    first_h, first_c = layer.first.detach().tolist()
    n = len(first_h)
    (_, height, width) = x.shape
    h, c = ({(-1, j): list(first) for j in range(width)} for first in (first_h, first_c))
    for i, j in itertools.product(range(height), range(width)):
        around = [value for k in (j - 1, j, j + 1) for value in h.get((i - 1, k), [0.0] * n)]
        sums = [gates[o, i, j] + sum(a * weight[m, o] for m, a in enumerate(around)) for o in range(4 * n)]
        h[i, j], c[i, j] = cell(sums, c[i - 1, j])
    found = np.array([[[h[i, j][k] for j in range(width)] for i in range(height)] for k in range(n)])
    return x + seen_by(layer.out, found, colours)


def one_way(gates: Array, weight: Array, first: list[float]) -> Array:
    """Run an LSTM from the upper left corner: pixels depend on the left and above."""
    n = len(first) // 2
    (_, height, width) = gates.shape
    h, c = ({(i, -1): own for i in range(height)} for own in (first[:n], first[n:]))
    for i, j in itertools.product(range(height), range(width)):
        around = [*h[i, j - 1], *h.get((i - 1, j), [0.0] * n)]
        sums = [gates[o, i, j] + sum(a * weight[m, o] for m, a in enumerate(around)) for o in range(4 * n)]
        h[i, j], c[i, j] = cell(sums, c[i, j - 1])
    return np.array([[[h[i, j][k] for j in range(width)] for i in range(height)] for k in range(n)])


def diagonal_bilstm(layer: DiagonalBiLSTM, x: Array, colours: int) -> Array:
    (of_left, of_right) = layer.of_state.detach().numpy()
    (left, right) = layer.first.detach().tolist()
    from_left = one_way(seen_by(layer.from_left, x, colours), of_left, left)
    from_right = one_way(seen_by(layer.from_right, x, colours)[:, :, ::-1], of_right, right)[:, :, ::-1]
    moved = np.concatenate((np.zeros_like(from_right[:, :1]), from_right[:, :-1]), 1)
    return x + seen_by(layer.out, from_left + moved, colours)


@torch.no_grad()
@pytest.mark.parametrize(("height", "width", "colours"), [(4, 4, 1), (3, 5, 3), (5, 2, 3), (1, 4, 1)])
@pytest.mark.parametrize(("kind", "twin"), [(RowLSTM, row_lstm), (DiagonalBiLSTM, diagonal_bilstm)])
def test_a_layer_equals_the_papers_equations_pixel_by_pixel(
    kind: type[RowLSTM], twin: object, height: int, width: int, colours: int
) -> None:
    layer = learned(kind(3, colours))
    x = entries(2, 6, height, width)
    expected = np.stack([twin(layer, one, colours) for one in x.numpy()])  # type: ignore[operator]
    assert np.abs(layer(x).numpy() - expected).max() < 1e-9


def sees(layer: nn.Module, height: int, width: int) -> Tensor:
    """Return which pixels each pixel's features depend on, `(H · W, H · W)`."""
    found = torch.autograd.functional.jacobian(lambda x: layer(x).abs().sum(1)[0], entries(1, 6, height, width))
    return found[:, :, 0].abs().sum(2).view(height * width, -1) > 0


@pytest.mark.parametrize(("height", "width"), [(4, 4), (6, 3), (2, 7)])
def test_a_row_lstm_sees_a_triangle_and_the_last_pixel_of_each_of_its_rows(height: int, width: int) -> None:
    wanted = torch.zeros(height, width, height, width, dtype=torch.bool)
    for i, j, y, x in itertools.product(range(height), range(width), range(height), range(width)):
        wanted[i, j, y, x] = y <= i and j - (i - y) - 1 <= x <= j + i - y
    assert torch.equal(sees(learned(RowLSTM(3, 1)), height, width), wanted.flatten(2).flatten(0, 1))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (6, 3), (2, 7)])
def test_a_diagonal_bilstm_sees_all_pixels_up_to_its_own(height: int, width: int) -> None:
    found = sees(learned(DiagonalBiLSTM(3, 1)), height, width)
    assert torch.equal(found, torch.ones_like(found).tril())


@pytest.mark.parametrize(("height", "width"), [(5, 5), (7, 4), (3, 8)])
@pytest.mark.parametrize("cells", ["row", "diagonal"])
def test_numbers_of_a_colour_know_the_colours_before_it(cells: CellName, height: int, width: int) -> None:
    net = learned(PixelRNNNetwork(3, 3, 6, cells, 6, 2, 24))
    with torch.no_grad():
        net.head.first.bias += 3  # no relu is inactive
    x = entries(1, 3, height, width).requires_grad_()
    numbers = net(x).unflatten(1, (3, 2))
    i = height - 1
    j = width // 2
    for k in range(3):
        (slopes,) = torch.autograd.grad(numbers[0, k, :, i, j].sum(), x, retain_graph=True)
        felt = slopes[0].permute(1, 2, 0).flatten() != 0  # row by row, colours of a pixel side by side
        before = 3 * (i * width + j) + k
        assert not bool(felt[before:].any())
        if cells == "diagonal":
            assert bool(felt[:before].all())
        else:
            assert bool(felt[before - k - 3 : before].all())


def test_all_parameters_get_a_gradient() -> None:
    for cells in ("row", "diagonal"):
        net = learned(PixelRNNNetwork(1, 1, 1, cells, 4, 2, 24))
        net(entries(2, 1, 5, 4)).square().sum().backward()
        assert all(bool((p.grad != 0).any()) for p in net.parameters() if p.grad is not None)
        assert all(p.grad is not None for p in net.parameters())
