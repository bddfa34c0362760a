"""The VAE family works with every posterior and network, checks sizes, and stays finite for every seed."""

import msgspec
import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.variational import Variational
from studio.zoo.vae_flow import PRESETS, VAEFlow

POSTERIORS = ["diagonal", "planar", "radial", "iaf"]


def recipe(**fields: object) -> VAEFlow:
    small = {"latent": 6, "flows": 3, "made_hidden": 16, "hidden": 32, "maps": 4, "posterior": "iaf"}
    return msgspec.convert({"family": "vae_flow", **small, **fields}, VAEFlow)


def pictures(count: int, shape: tuple[int, ...]) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def made(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, **fields: object) -> Variational:
    torch.manual_seed(1)
    model = recipe(**fields).build(shape)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.to(dtype).eval()


@torch.no_grad()
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("net", ["mlp", "convolution"])
@pytest.mark.parametrize("observation", ["bernoulli", "logistic"])
def test_every_posterior_and_network_scores_encodes_and_makes_pictures(
    posterior: str, net: str, observation: str
) -> None:
    for shape in [(1, 28, 28), (3, 8, 4)]:
        model = made(shape, posterior=posterior, net=net, observation=observation)
        x = pictures(3, shape)
        z = model.encode(x)
        assert z.shape == (3, 6)
        assert model.decode(z).shape == (3, *shape)
        assert bool(torch.isfinite(model.log_prob(x)).all())
        assert torch.equal(model.sample(range(9))[4:7], model.sample([4, 5, 6]))


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_with_convolutions_a_row_is_decoded_the_same_bit_for_bit_in_any_batch(dtype: torch.dtype) -> None:
    model = made((1, 28, 28), dtype, net="convolution", maps=16, hidden=128, observation="logistic")
    for folded in (False, True):
        if folded:
            zoo.fold(model)
            if dtype == torch.float32:
                zoo.pack(model)
        z = model.noise(range(19))
        together = model._decoded(z)
        assert torch.equal(together, torch.cat([model._decoded(row[None]) for row in z]))
        assert torch.equal(together[5:16], model._decoded(z[5:16]))


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("net", ["mlp", "convolution"])
def test_every_parameter_of_every_option_gets_a_gradient(posterior: str, net: str) -> None:
    model = made((1, 8, 8), posterior=posterior, net=net).train()
    model.loss(pictures(16, model.shape)).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert still == []


@pytest.mark.parametrize("size", [(4, 6), (7, 8), (1, 2)])
def test_sizes_that_cannot_be_halved_twice_need_dense_layers(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be halved twice; take dense layers"):
        recipe(net="convolution").build((1, *size))
    assert recipe(net="mlp").build((1, *size)).sample([1]).shape == (1, 1, *size)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_training_stays_finite_for_every_seed(posterior: str) -> None:
    x = pictures(64, (1, 8, 8))
    settings = msgspec.structs.replace(PRESETS["tiny"], posterior=posterior, made_hidden=32)
    for seed in range(20):
        torch.manual_seed(seed)
        model = settings.build((1, 8, 8)).train()
        optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
        first = last = 0.0
        for step in range(20):
            loss = model.loss(x)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            last = float(loss.detach())
            first = first or last
            assert last == last, f"seed {seed}, step {step}"
        assert last < first
