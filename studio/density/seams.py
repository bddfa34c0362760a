"""Make opposite edges of a picture continue each other, by cuts that the model prices.

A picture is drawn with some more columns than it needs. These continue its right edge (A), and the first columns have
to follow there, too (B). Where they overlap, the picture may change from A to B at any column. Let N(t) be the pixels
that p(x_t) depends on. A straight cut at column r costs in row i

    e(r, i) = Σ_j log2 p(x_ij | N) - log2 p(x_ij | N cut at r)        over the columns beside the cut

more bits than both sides as they were drawn. So e is exact for a straight cut. The cut is the path r(i), one column a
row at most, with the least Σ_i e(r(i), i). Then the same is done with rows. Paths of least cost through an overlap are
due to Efros and Freeman, Image quilting for texture synthesis and transfer, 2001; there the cost is a difference of
colours.
"""

from collections.abc import Generator

import torch
from torch import Tensor
from torch.nn.functional import pad

from studio.density.autoregressive import Autoregressive

OVERLAP = 16
"""Rows or columns in which a picture may change from one side of a seam to the other."""
BAND = 64
"""Rows whose bits are computed together, to save memory."""


def least_side(reach: int) -> int:
    """Return how many pixels a side needs, so that the bits beside a cut do not depend on the same side's other end."""
    return 2 * reach + OVERLAP


def surprisal_in_bands(model: Autoregressive, reach: int, x: Tensor, c: Tensor | None) -> Generator[None, None, Tensor]:
    """Compute the bits `(1, C, H, W)` of a picture band by band, each with the rows above that it depends on."""
    bands = []
    for top in range(0, x.shape[2], BAND):
        first = max(top - reach, 0)
        bits = Autoregressive.surprisal(model, x[:, :, first : top + BAND], c)
        bands.append(bits[:, :, top - first :])
        yield
    return torch.cat(bands, 2)


def wrapped_surprisal(model: Autoregressive, reach: int, x: Tensor, c: Tensor | None) -> Tensor:
    """Return the bits `(B, C, H, W)` of pictures if what lies beyond an edge is the opposite side."""
    wrapped = pad(x.float(), (reach, reach, reach, 0), mode="circular").to(x.dtype)
    return Autoregressive.surprisal(model, wrapped, c)[..., reach:, reach:-reach]


def wrap_columns(
    model: Autoregressive, reach: int, x: Tensor, c: Tensor | None, frame: int = 0
) -> Generator[None, None, Tensor]:
    """Cut a picture so that its left edge follows the right one. Returns `(1, C, H, W)`.

    Arguments
        x: `(1, C, H, frame + W + OVERLAP)`
        frame: columns before the picture, which its first pixels depend on
    """
    cut = cheapest_path((yield from column_costs(model, reach, x, c, frame)))  # (H,)
    x = x[..., frame:]
    width = x.shape[3] - OVERLAP
    follows = torch.arange(OVERLAP, device=x.device) < cut[:, None]  # (H, OVERLAP)
    first = torch.where(follows, x[..., width:], x[..., :OVERLAP])
    return torch.cat((first, x[..., OVERLAP:width]), 3)


def column_costs(
    model: Autoregressive, reach: int, x: Tensor, c: Tensor | None, frame: int = 0
) -> Generator[None, None, Tensor]:
    """Return e `(H, OVERLAP + 1)` of a picture x as `wrap_columns` takes it."""
    usual = (yield from surprisal_in_bands(model, reach, x, c)).sum(1)[0, :, frame:]  # (H, W + OVERLAP)
    x = x[..., frame:]
    width = x.shape[3] - OVERLAP
    costs = []
    for r in range(OVERLAP + 1):
        window = torch.cat((x[..., width + r - 2 * reach : width + r], x[..., r : r + 2 * reach]), 3)
        bits = (yield from surprisal_in_bands(model, reach, window, c)).sum(1)[0, :, reach:-reach]
        before = torch.cat((usual[:, width + r - reach : width + r], usual[:, r : r + reach]), 1)
        costs.append((bits - before).sum(1))
    return torch.stack(costs, 1)


def wrap_rows(
    model: Autoregressive, reach: int, x: Tensor, c: Tensor | None, frame: int = 0
) -> Generator[None, None, Tensor]:
    """Cut a picture whose columns are wrapped so that its top follows the last row. Returns `(1, C, H, W)`.

    Arguments
        x: `(1, C, frame + H + OVERLAP, W)`
        frame: rows above the picture, which its first pixels depend on
    """
    cut = cheapest_ring((yield from row_costs(model, reach, x, c, frame)))  # (W,)
    x = x[:, :, frame:]
    height = x.shape[2] - OVERLAP
    follows = torch.arange(OVERLAP, device=x.device)[:, None] < cut  # (OVERLAP, W)
    first = torch.where(follows, x[:, :, height:], x[:, :, :OVERLAP])
    return torch.cat((first, x[:, :, OVERLAP:height]), 2)


def row_costs(
    model: Autoregressive, reach: int, x: Tensor, c: Tensor | None, frame: int = 0
) -> Generator[None, None, Tensor]:
    """Return e `(W, OVERLAP + 1)` of a picture x as `wrap_rows` takes it."""
    wide = pad(x.float(), (reach, reach, 0, 0), mode="circular").to(x.dtype)
    usual = (yield from surprisal_in_bands(model, reach, wide, c)).sum(1)[0, frame:, reach:-reach]  # (H + OVERLAP, W)
    wide = wide[:, :, frame:]
    height = wide.shape[2] - OVERLAP
    costs = []
    for r in range(OVERLAP + 1):
        window = torch.cat((wide[:, :, height + r - reach : height + r], wide[:, :, r : r + reach]), 2)
        bits = (yield from surprisal_in_bands(model, reach, window, c)).sum(1)[0, reach:, reach:-reach]
        costs.append((bits - usual[r : r + reach]).sum(0))
    return torch.stack(costs, 1)


def cheapest_path(costs: Tensor, first: int | None = None) -> Tensor:
    """Return the path `(n,)` of least cost through `(n, places)`, one place a step at most.

    With `first` it begins there and ends at most one place beside it.
    """
    costs = costs.double().cpu()
    total = costs[0].clone()
    if first is not None:
        total[torch.arange(len(total)) != first] = torch.inf
    steps = []
    for row in costs[1:]:
        beside = torch.stack((pad(total[:-1], (1, 0), value=torch.inf), total, pad(total[1:], (0, 1), value=torch.inf)))
        least, step = beside.min(0)
        steps.append(step - 1)
        total = least + row
    if first is not None:
        total[(torch.arange(len(total)) - first).abs() > 1] = torch.inf
    place = int(total.argmin())
    path = [place]
    for step in reversed(steps):
        place += int(step[place])
        path.append(place)
    return torch.tensor(path[::-1], device=costs.device)


def cheapest_ring(costs: Tensor) -> Tensor:
    """Return the path `(n,)` of least cost through `(n, places)` whose end meets its beginning."""
    paths = [cheapest_path(costs, first) for first in range(costs.shape[1])]
    each = torch.arange(len(costs))
    found: Tensor = min(paths, key=lambda path: float(costs.cpu()[each, path].sum()))
    return found.to(costs.device)
