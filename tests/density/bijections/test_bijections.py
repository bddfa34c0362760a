"""Each bijection has a correct inverse and log-determinant, and its own properties."""

import math

import pytest
import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection, Chain, Flattened, OnPart
from studio.density.bijections.coupling import Additive, Affine, ChannelCoupling, MaskedCoupling, checkerboard
from studio.density.bijections.linear import ActNorm, BatchNorm, InvertibleConv, Squeeze
from studio.density.bijections.vector_transforms import DiagonalScale, OddEven


def net(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels_in, 6, 3, padding=1), nn.Tanh(), nn.Conv2d(6, channels_out, 3, padding=1))


def settled_norm(moved: Tensor | None = None) -> BatchNorm:
    norm = BatchNorm(2, moved)
    norm(torch.randn(16, 2, 2, 4) * 3 + 1)
    return norm


def started_actnorm() -> ActNorm:
    norm = ActNorm(2)
    norm(torch.randn(64, 2, 2, 4) * 3 + 1)
    return norm


def started_scale() -> DiagonalScale:
    scale = DiagonalScale(16)
    scale(torch.randn(64, 16) * 3 + 1)
    return scale


CASES = {
    "additive, checkerboard": lambda: MaskedCoupling(checkerboard(2, 4), net(2, 2), Additive()),
    "affine, checkerboard": lambda: MaskedCoupling(checkerboard(2, 4, True), net(2, 4), Affine(0.8)),
    "additive, channel": lambda: ChannelCoupling(False, net(1, 1), Additive()),
    "affine, channel": lambda: ChannelCoupling(True, net(1, 2), Affine(1.0)),
    "batch norm": settled_norm,
    "batch norm, half": lambda: settled_norm(1 - checkerboard(2, 4)),
    "actnorm": started_actnorm,
    "1x1": lambda: InvertibleConv(2, plu=False),
    "1x1, PLU": lambda: InvertibleConv(2),
    "squeeze, plain": lambda: Squeeze("plain"),
    "squeeze, diagonal": lambda: Squeeze("diagonal"),
    "within": lambda: OnPart(Squeeze("diagonal"), ChannelCoupling(False, net(2, 4), Affine(1.0)), part=0.5),
    "chain": lambda: Chain([InvertibleConv(2), started_actnorm(), OnPart(Squeeze(), InvertibleConv(8))]),
    "chain in a chain": lambda: Chain(
        [InvertibleConv(2), OnPart(Squeeze(), Chain([InvertibleConv(8), InvertibleConv(8)]))]
    ),
    "within, in steps": lambda: OnPart(Squeeze(), Chain([InvertibleConv(4), InvertibleConv(4)]), part=0.5),
    "flattened": lambda: Flattened(Chain([started_scale(), OddEven()])),
}


@pytest.fixture(params=CASES, ids=str)
def bijection(request: pytest.FixtureRequest) -> Bijection:
    torch.manual_seed(0)
    made: Bijection = CASES[request.param]()
    return made.double().eval()


def entries(count: int = 3) -> Tensor:
    return torch.randn(count, 2, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_inverse_undoes_the_map(bijection: Bijection) -> None:
    x = entries()
    z, _ = bijection(x)
    assert z.numel() == x.numel()
    assert float((bijection.inverse(z) - x).abs().max()) < 1e-10


def test_the_log_determinant_equals_autograds(bijection: Bijection) -> None:
    x = entries(2)
    ladj = bijection(x)[1].detach()
    for one, given in zip(x, ladj, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: bijection(v.view(1, 2, 2, 4))[0].flatten(), one.flatten()
        )
        assert float(torch.linalg.slogdet(jacobian)[1] - given) == pytest.approx(0, abs=1e-10)


@torch.no_grad()
def test_steps_end_in_the_inverse(bijection: Bijection) -> None:
    z = entries()
    z = bijection(z)[0]
    steps = list(bijection.inverse_steps(z))
    assert len(steps) == bijection.steps
    assert torch.equal(steps[-1], bijection.inverse(z))


@torch.no_grad()
def test_steps_forward_end_in_the_map_and_its_log_determinant(bijection: Bijection) -> None:
    x = entries()
    z, ladj = bijection(x)
    *_, (ended, price) = bijection.forward_steps(x)
    assert torch.equal(ended, z)
    assert torch.equal(price, ladj)


@torch.no_grad()
def test_log_scales_stay_bounded_for_any_network_output() -> None:
    transform = Affine(1e6, bound=2.0)
    s, _ = transform(torch.tensor([[[[1e9]], [[-1e9]], [[0.0]], [[0.0]]]]))
    assert s is not None
    assert float(s.abs().max()) <= 2.0


def test_a_checkerboard_alternates_and_flips() -> None:
    mask = checkerboard(3, 4)
    assert mask[0].tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    assert torch.equal(mask + checkerboard(3, 4, flip=True), torch.ones(1, 3, 4))


def test_the_diagonal_squeeze_keeps_a_checkerboard_in_its_first_half() -> None:
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    half = Squeeze("diagonal")(picture)[0][:, :2]
    kept = torch.zeros(16)
    kept[half.flatten().long()] = 1
    assert torch.equal(kept.view(4, 4), checkerboard(4, 4)[0])


@torch.no_grad()
def test_entries_that_are_factored_out_stay_unchanged() -> None:
    within = OnPart(Squeeze("diagonal"), started_actnorm_of(4), part=0.5)
    x = torch.randn(2, 2, 4, 4)
    z, _ = within(x)
    board = checkerboard(4, 4).bool().expand(2, 2, 4, 4)
    assert torch.equal(z[~board], x[~board])
    assert not bool((z[board] == x[board]).any())


def started_actnorm_of(channels: int) -> ActNorm:
    norm = ActNorm(channels)
    norm(torch.randn(64, channels, 2, 2) * 3 + 1)
    return norm.eval()


@torch.no_grad()
def test_batch_norm_uses_only_moments_of_the_moved_entries() -> None:
    moved = 1 - checkerboard(4, 4)
    norm = BatchNorm(2, moved, momentum=1.0)
    x = torch.randn(8, 2, 4, 4) * 3 + 5
    z, _ = norm(x)
    values = z[:, 0][moved.bool().expand(8, 4, 4)]
    assert float(values.mean()) == pytest.approx(0, abs=1e-5)
    assert float(values.var(correction=0)) == pytest.approx(1, abs=1e-3)
    assert torch.equal(z * checkerboard(4, 4), x * checkerboard(4, 4))


@torch.no_grad()
def test_batch_norm_trains_with_batch_moments_and_evaluates_with_running_averages() -> None:
    norm = BatchNorm(1, momentum=0.1, eps=0.0)
    x = torch.tensor([[3.0], [7.0]])
    for _ in range(200):
        norm(torch.tensor([[90.0], [110.0]]))
    z, ladj = norm(x)
    assert z[:, 0].tolist() == pytest.approx([-1, 1], abs=1e-4)
    assert ladj.tolist() == pytest.approx([-math.log(2)] * 2, abs=1e-4)
    # Once more it followed: 0.9 · 100 + 0.1 · 5, and a variance of 0.9 · 100 + 0.1 · 4.
    z, ladj = norm.eval()(x)
    assert z[:, 0].tolist() == pytest.approx([(3 - 90.5) / 90.4**0.5, (7 - 90.5) / 90.4**0.5], abs=1e-4)
    assert ladj.tolist() == pytest.approx([-0.5 * math.log(90.4)] * 2, abs=1e-4)


def test_actnorm_is_initialised_once_from_the_first_training_batch() -> None:
    norm = ActNorm(2)
    first = torch.randn(64, 2, 4, 4) * 3 + 5
    norm.eval()
    assert torch.equal(norm(first)[0], first), "sampling must never start it"
    norm.train()
    z = norm(first)[0].detach()
    assert float(z.mean()) == pytest.approx(0, abs=1e-5)
    assert float(z.std()) == pytest.approx(1, abs=1e-3)
    b = norm.b.clone()
    norm(torch.randn(64, 2, 4, 4))
    assert torch.equal(norm.b, b)


@torch.no_grad()
def test_a_whole_plu_weight_keeps_its_determinant() -> None:
    conv = InvertibleConv(6, generator=torch.Generator().manual_seed(0)).double()
    assert float(torch.linalg.slogdet(conv.weight())[1]) == pytest.approx(float(conv.log_s.sum()), abs=1e-6)
