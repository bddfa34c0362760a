"""A flow that learns artworks plus Gaussian noise prices, draws and restores them."""

import json
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from studio import cli, zoo
from studio.density.bijections.bijection import Bijection
from studio.density.flow import Flow
from studio.library import models
from studio.zoo.glow import Glow
from studio.zoo.maf import MAF

SIGMA = 0.1
SPREAD = 0.2
"""The standard deviation of the known artworks from 0 to 1, before noise is added."""


class Whitening(Bijection):
    """Divides by the deviation of normal artworks plus noise, so that the flow is their exact density."""

    def __init__(self) -> None:
        super().__init__()
        self.deviation = torch.nn.Parameter(torch.tensor(math.hypot(SPREAD, SIGMA)))

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x / self.deviation, -x[0].numel() * self.deviation.log().expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z * self.deviation


def known_flow(levels: int = 65_536) -> Flow:
    return Flow((1, 4, 4), levels, Whitening(), noise=SIGMA).double().eval()


@torch.no_grad()
def test_a_price_is_that_of_the_picture_plus_the_noise() -> None:
    flow = known_flow(levels=16)
    x = torch.randint(0, 16, (3, 1, 4, 4), dtype=torch.uint8)
    u = flow.draw_points((3, 1, 4, 4), dtype=torch.float64)
    y = (x + u) / 16 - 0.5
    deviation = math.hypot(SPREAD, SIGMA)
    of_y = -0.5 * (y / deviation).square() - math.log(deviation) - 0.5 * math.log(2 * math.pi)
    expected = of_y.flatten(1).sum(1) - 16 * math.log(16)  # a density over levels, not over [0, 1]
    assert torch.allclose(flow.log_prob(x, u=u), expected, rtol=1e-6)
    many = flow.draw_points((100_000,), torch.Generator().manual_seed(1), torch.float64)
    assert (float(many.mean()), float(many.std())) == pytest.approx((0.5, SIGMA * 16), abs=0.02)


def test_what_is_drawn_is_the_mean_of_the_pictures_that_noise_could_have_made_it_from() -> None:
    """Of normal artworks, this mean is y · s² / (s² + σ²)."""
    flow = known_flow()
    with torch.inference_mode():
        z = flow.noise([1, 2, 3])
        drawn = flow.decode(z).double() / flow.levels - 0.5
    noisy = z * math.hypot(SPREAD, SIGMA)
    shrunk = (noisy * SPREAD**2 / (SPREAD**2 + SIGMA**2)).clamp(-0.5, 0.5)
    assert torch.allclose(drawn, shrunk, atol=2 / flow.levels)


@torch.no_grad()
def test_the_latent_of_a_picture_gives_it_back_and_its_neighbours_are_denoised() -> None:
    flow = known_flow(levels=256)
    x = torch.randint(0, 256, (5, 1, 4, 4), dtype=torch.uint8)
    z = flow.encode(x)
    assert torch.equal(flow.decode(z), x)
    shrink = SPREAD**2 / (SPREAD**2 + SIGMA**2)
    shrunk = ((x.double() + 0.5) / 256 - 0.5) * shrink
    near = z + 0.5 / 256 / math.hypot(SPREAD, SIGMA)  # half a level brighter
    assert float((flow.decode(near).double() / 256 - 0.5 - shrunk).abs().max()) < 1.5 / 256
    other = flow.encode(x, u=flow.dequantisation_points(x, 7))
    assert not torch.equal(other, z)
    assert torch.equal(flow.decode(other), x)


@torch.no_grad()
def test_drawing_in_training_mode_leaves_the_statistics() -> None:
    flow = MAF(layers=1, hidden=(8,), noise=SIGMA).build((1, 2, 4))
    before = {name: tensor.clone() for name, tensor in flow.named_buffers()}
    flow.train().sample([1, 2])
    assert flow.training
    assert all(torch.equal(before[name], tensor) for name, tensor in flow.named_buffers())


@pytest.mark.parametrize("coupling", ["affine", "additive"])
@pytest.mark.parametrize("classes", [0, 3])
def test_a_packed_glow_has_the_gradient_of_the_plain_one(coupling: Literal["affine", "additive"], classes: int) -> None:
    recipe = Glow(
        scales=2, depth=3, width=16, coupling=coupling, classes=classes, class_in_couplings=classes > 0, noise=SIGMA
    )
    torch.manual_seed(1)
    flow = recipe.build((1, 8, 12))
    c = torch.arange(5) % classes if classes else None
    with torch.no_grad():
        flow.loss(torch.randint(0, 256, (5, 1, 8, 12), dtype=torch.uint8), c)
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    h = 0.3 * torch.randn(5, 1, 8, 12)

    def slope(part: slice = slice(None)) -> Tensor:
        y = h[part].clone().requires_grad_()
        z, ladj = flow.bijection(y, None if c is None else c[part])
        (found,) = torch.autograd.grad((ladj - 0.5 * z.square().sum((1, 2, 3))).sum(), y)
        return found

    plain = slope()
    zoo.fold(flow.eval().requires_grad_(False))
    zoo.pack(flow)
    packed = slope()
    assert torch.allclose(packed, plain, rtol=1e-3, atol=1e-3 * float(plain.abs().max()))
    assert torch.equal(slope(slice(2, 3)), packed[2:3]), "a picture is the same bit for bit in any batch"


def test_a_trained_file_says_whose_density_it_is_and_restores_a_picture(
    tiny_noise: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = models.find_model(tiny_noise).card
    assert card.held_out_text.endswith("bits per dimension, density of the picture plus noise 0.1")
    assert card.short_held_out_text.endswith("bits per dimension, with noise 0.1")
    assert card.paper_figure == ""
    picture = tmp_path / "own.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(picture)
    assert cli.main(["invert", tiny_noise, str(picture), "--out", str(tmp_path / "back")]) == 0
    (back,) = (tmp_path / "back").glob("*.png")
    assert np.array_equal(np.asarray(Image.open(back).convert("L")), np.asarray(Image.open(picture)))
    capsys.readouterr()
    assert cli.main(["score", tiny_noise, str(picture)]) == 0
    assert "density of the picture plus noise 0.1" in capsys.readouterr().out
    assert cli.main(["score", tiny_noise, str(picture), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["noise"] == SIGMA
    assert cli.main(["sample", tiny_noise, "-n", "2", "--seed", "5", "--out", str(tmp_path / "drawn")]) == 0
