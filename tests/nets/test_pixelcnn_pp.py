"""PixelCNN++'s network sees the right pixels, starts as it should, and its weight norms multiply out."""

import copy
import itertools

import pytest
import torch
from torch import Tensor

from studio.nets.convolution import fold, plain
from studio.nets.pixelcnn_pp import AROUND, BESIDE, GatedResnet, PixelCNNPPNetwork, ShiftedConv, StreamState, concat_elu


def entries(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(channels: int = 2, resnets: int = 2, classes: int = 0) -> PixelCNNPPNetwork:
    """Return a network with weights as after some training, in float64."""
    torch.manual_seed(0)
    net = PixelCNNPPNetwork(channels, 4, resnets, 5, classes=classes)
    net.train()(torch.randn(16, channels, 8, 8), torch.zeros(16, dtype=torch.long) if classes else None)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return net.double().eval()


@pytest.mark.parametrize(("height", "width", "resnets"), [(8, 8, 2), (12, 4, 2), (4, 12, 3)])
def test_a_pixel_sees_all_pixels_before_it_and_none_after(height: int, width: int, resnets: int) -> None:
    net = made(resnets=resnets)
    places = height * width
    found = torch.autograd.functional.jacobian(lambda x: net(x).abs().sum(1)[0], entries(1, 2, height, width))
    sees = found[:, :, 0].abs().sum(2).view(places, places) > 0
    assert torch.equal(sees, torch.ones(places, places).tril(-1).bool())


def test_the_network_reaches_as_far_as_its_convolutions() -> None:
    # Smaller sizes show the second row nothing. So up to the right it sees a column more for the first convolution, for
    # the four of two resnets and, by the last skip, for five more.
    net = made(resnets=2)
    (slopes,) = torch.autograd.grad(net(x := entries(1, 2, 4, 20).requires_grad_())[0, :, 1, 0].abs().sum(), x)
    assert (slopes[0, :, 0].abs().sum(0) > 0).tolist() == [True] * 11 + [False] * 9


@torch.no_grad()
@pytest.mark.parametrize(
    ("step", "size"),
    [
        *itertools.product(["same"], [AROUND, BESIDE, (1, 3), (2, 1), (1, 1)]),
        *itertools.product(["halve", "double"], [AROUND, BESIDE]),
    ],
)
def test_a_shifted_convolution_sums_over_rows_above_and_neighbouring_columns(step: str, size: tuple[int, int]) -> None:
    conv = ShiftedConv(2, 3, size, halve=step == "halve", double=step == "double").double().eval()
    for parameter in conv.parameters():
        parameter.copy_(entries(*parameter.shape))
    x = entries(1, 2, 4, 6)
    (rows, columns) = size
    weight = conv.g[:, None, None, None] * conv.v / conv.v.square().sum((1, 2, 3), keepdim=True).sqrt()
    high, wide = {"same": (4, 6), "halve": (2, 3), "double": (8, 12)}[step]
    expected = conv.b[:, None, None].repeat(1, high, wide)
    for i, j, a, b in itertools.product(range(4), range(6), range(rows), range(columns)):
        if step == "double":  # a pixel affects four below and right of it, and one more on its left
            y = 2 * i + a
            z = 2 * j + b - (columns - 1) // 2
        else:  # the pixel at (i, j) is seen by those below and beside it
            y = i - a + rows - 1
            z = j - b + columns // 2
            if step == "halve":
                if y % 2 or z % 2:
                    continue
                y = y // 2
                z = z // 2
        if y < high and 0 <= z < wide:
            expected[:, y, z] += weight[:, :, a, b] @ x[0, :, i, j]
    assert torch.allclose(conv(x)[0], expected, atol=1e-12)


@torch.no_grad()
def test_a_first_batch_sets_mean_and_variance_of_every_convolution_once() -> None:
    torch.manual_seed(0)
    net = GatedResnet(6, AROUND, skips=1, dropout=0.0, classes=0).train()
    x = 3 * torch.randn(32, 6, 8, 8) + 1
    skip = torch.randn(32, 12, 8, 8)
    net(StreamState(x, concat_elu(x)), [skip], None)
    first = net.first(concat_elu(x))
    assert torch.allclose(first.mean((0, 2, 3)), torch.zeros(6), atol=1e-4)
    assert torch.allclose(first.std((0, 2, 3)), torch.ones(6), atol=1e-2)
    assert net.nin is not None
    second = net.second(concat_elu(first + net.nin(skip)))
    assert torch.allclose(second.std((0, 2, 3)), torch.full((12,), 0.1), atol=1e-3)

    before = copy.deepcopy(net.state_dict())
    other = GatedResnet(6, AROUND, skips=1, dropout=0.0, classes=0).train()
    other.load_state_dict(before)
    for resnet in (net, other):
        resnet(StreamState(5 * x, concat_elu(5 * x)), [skip], None)
        assert all(torch.equal(before[key], value) for key, value in resnet.state_dict().items())


@torch.no_grad()
def test_a_channel_that_is_always_the_same_starts_finite() -> None:
    net = PixelCNNPPNetwork(1, 4, 1, 5).train()
    assert bool(torch.isfinite(net(torch.ones(8, 1, 8, 8))).all())
    assert max(float(conv.g.max()) for conv in net.modules() if isinstance(conv, ShiftedConv)) <= 100


@torch.no_grad()
@pytest.mark.parametrize("way", [plain, fold])
def test_multiplying_weight_norms_out_keeps_the_map(way: object) -> None:
    net = made()
    x = entries(2, 2, 8, 4)
    before = net(x)
    count = sum(p.numel() for p in net.parameters())
    way(net)  # type: ignore[operator]
    assert torch.allclose(net(x), before, atol=1e-12)
    assert not any(key.endswith((".v", ".g")) for key in net.state_dict())
    assert sum(p.numel() for p in net.parameters()) == count - sum(
        len(conv.b) for conv in net.modules() if isinstance(conv, ShiftedConv)
    )
    other = PixelCNNPPNetwork(2, 4, 2, 5).double()
    plain(other)
    other.load_state_dict(net.state_dict())
    other.train().double()(x)  # weights that were initialised are not initialised again
    assert torch.equal(other.eval()(x), net(x))


@torch.no_grad()
def test_a_class_moves_every_pixel_and_dropout_single_values() -> None:
    net = made(classes=3)
    x = entries(1, 2, 8, 8)
    one, two = (net(x, torch.tensor([c])) for c in (0, 2))
    assert bool(((one - two).abs().sum(1) > 0).all())
    resnet = GatedResnet(6, BESIDE, skips=0, dropout=0.25, classes=0).train()
    left = resnet.dropout(torch.ones(16, 12, 16, 16))
    assert left.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(left.mean()) == pytest.approx(1, abs=0.02)
    assert float((left == 0).float().mean((2, 3)).std()) < 0.05  # no whole channels
    assert torch.equal(resnet.eval().dropout(left), left)


def test_the_paper_sized_network_has_the_authors_number_of_parameters() -> None:
    assert sum(p.numel() for p in PixelCNNPPNetwork(3, 160, 5, 100).parameters()) == 53_659_080
