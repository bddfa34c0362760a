"""The networks of PixelRNN (van den Oord, Kalchbrenner and Kavukcuoglu, 2016, arXiv:1601.06759, sections 3.1 to 3.5).

    [o, f, i, g] = K_is * x + K_ss * h',  c = σ(f) c' + σ(i) tanh(g),  h = σ(o) tanh(c)

with h' and c' found at pixels before. K_is is a masked convolution of the input, taken for all pixels at once. K_ss
looks at states, and has to wait for them:

    Row LSTM            h' at the three pixels above, c' at the one above: a pixel sees a triangle, and its row's past
    Diagonal BiLSTM     h' to the left and above, c' to the left; and the same from the right. What comes from the
                        right is moved down by a row, so that a pixel sees all before it, and never itself

States above the first row, or beside the first column, are learned. Whatever else lies outside is zeros.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from studio.nets.masked_convolution import MaskedConv, colours_of
from studio.nets.pixel_schedule import lstm_cell
from studio.nets.pixelcnn import FIRST_KERNEL_SIZE, OutputHead

CellName = Literal["row", "diagonal"]


class RowLSTM(nn.Module):
    """Computes x + B₁ h, `(B, 2 · n, H, W)` to the same. It runs row by row.

    Arguments
        n: features of the state, which belong to colours in contiguous groups, as those of x do
    """

    def __init__(self, n: int, colours: int) -> None:
        super().__init__()
        outside = colours_of(2 * n, colours)
        inside = colours_of(n, colours)
        self.of_input = MaskedConv(outside, inside.repeat(4), 3, above=False)
        self.of_state = nn.Parameter(torch.randn(3 * n, 4 * n) / (3 * n) ** 0.5)  # left, middle, right
        self.first = nn.Parameter(torch.zeros(2, n))  # h, c
        self.out = MaskedConv(inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        gates = self.of_input(x).permute(2, 0, 3, 1)  # (H, B, W, 4 n)
        h, c = self.first[:, None, None].expand(-1, *gates.shape[1:3], -1)
        found = []
        for row in gates.unbind():
            above = torch.cat((pad(h, (0, 0, 1, -1)), h, pad(h, (0, 0, -1, 1))), 2)
            h, c = lstm_cell(row + above @ self.of_state, c)
            found.append(h)
        y: Tensor = x + self.out(torch.stack(found).permute(1, 3, 0, 2))
        return y


class DiagonalBiLSTM(nn.Module):
    """Computes x + B₁ (h from the left + h from the right), `(B, 2 · n, H, W)` to the same. h from the right is moved
    down by a row.

    The pixels of a diagonal, i + j = d, do not depend on each other, and are computed together. From the right it is
    the same on mirrored pictures, at the same time.
    """

    def __init__(self, n: int, colours: int) -> None:
        super().__init__()
        outside = colours_of(2 * n, colours)
        inside = colours_of(n, colours)
        self.from_left, self.from_right = (MaskedConv(outside, inside.repeat(4)) for _ in range(2))
        # For both ways: first the weights for the neighbour in the row, then for the one above.
        self.of_state = nn.Parameter(torch.randn(2, 2 * n, 4 * n) / (2 * n) ** 0.5)
        self.first = nn.Parameter(torch.zeros(2, 2 * n))  # h, then c
        self.out = MaskedConv(inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        gates = torch.stack((self.from_left(x), self.from_right(x).flip(3)))  # (2, B, 4 n, H, W)
        left, right = self._states(gates.permute(0, 3, 4, 1, 2)).permute(0, 3, 4, 1, 2)  # (B, n, H, W)
        y: Tensor = x + self.out(left + pad(right.flip(3), (0, 0, 1, -1)))
        return y

    def _states(self, gates: Tensor) -> Tensor:
        """Return h `(2, H, W, B, n)`. The gates `(2, H, W, B, 4 · n)` are the input's part."""
        _, height, width, count = gates.shape[:4]
        n = self.of_state.shape[1] // 2
        diagonal = (torch.arange(height)[:, None] + torch.arange(width)).flatten()
        order = diagonal.argsort(stable=True).to(gates.device)
        sizes = diagonal.bincount().tolist()
        first = self.first[:, None, None].expand(-1, 1, count, -1)
        outside = torch.zeros_like(first)  # h and c of a diagonal, from its first row to its last
        state = first[:, :0]
        found = []
        for d, part in enumerate(torch.split(gates.flatten(1, 2).index_select(1, order), sizes, 1)):
            # Until it reaches the right edge a diagonal begins in the first row, and above the bottom it ends in a new
            # one.
            state = torch.cat((*[outside] * (d < width), state, *[first] * (d < height)), 1)
            beside = state[:, 1:]
            above = state[:, :-1]
            around = torch.cat((beside[..., :n], above[..., :n]), 3).flatten(1, 2)  # (2, places · B, 2 n)
            h, c = lstm_cell(torch.baddbmm(part.flatten(1, 2), around, self.of_state).view_as(part), beside[..., n:])
            state = torch.cat((h, c), 3)
            found.append(h)
        return torch.cat(found, 1).index_select(1, order.argsort()).view(2, height, width, count, n)


class PixelRNNNetwork(nn.Module):
    """Maps pictures `(B, C, H, W)` to numbers `(B, C · each, H, W)`. Those of a colour see the ones before it.

    Arguments
        colours: C
        inputs: of the picture in all, C if each channel is one
        numbers: of a pixel in all
        cells: which way the states go
        features: h of each layer, n; 2 n outside of it
        layers: how many
        head: features of the last layer but one
    """

    def __init__(
        self, colours: int, inputs: int, numbers: int, cells: CellName, features: int, layers: int, head: int
    ) -> None:
        super().__init__()
        self.first = MaskedConv(colours_of(inputs, colours), colours_of(2 * features, colours), FIRST_KERNEL_SIZE, "A")
        layer = RowLSTM if cells == "row" else DiagonalBiLSTM
        self.layers = nn.ModuleList(layer(features, colours) for _ in range(layers))
        self.head = OutputHead(2 * features, head, numbers, colours)

    def forward(self, seen: Tensor, c: Tensor | None = None) -> Tensor:
        x = self.first(seen)
        for layer in self.layers:
            x = layer(x)
        numbers: Tensor = self.head(x)
        return numbers
