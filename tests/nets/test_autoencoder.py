"""Networks of a VAE have sizes that fit, and start as they should."""

import pytest
import torch

from studio.nets.autoencoder import AutoencoderBlock, DecoderNetwork, EncoderNetwork


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 28, 28), (3, 32, 32), (3, 8, 4)])
def test_an_encoder_and_a_decoder_have_the_right_shapes(shape: tuple[int, int, int]) -> None:
    encoder = EncoderNetwork(shape, 4, 1, 16, 7)
    decoder = DecoderNetwork(5, 16, 4, 1, 2 * shape[0], *shape[1:])
    assert encoder(torch.randn(3, *shape)).shape == (3, 7)
    assert decoder(torch.randn(3, 5)).shape == (3, 2 * shape[0], *shape[1:])


def test_every_parameter_has_a_gradient() -> None:
    torch.manual_seed(0)
    encoder = EncoderNetwork((1, 8, 8), 4, 2, 16, 6)
    decoder = DecoderNetwork(6, 16, 4, 2, 1, 8, 8)
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        parameter.data += 0.1 * torch.randn_like(parameter)
    decoder(encoder(torch.randn(16, 1, 8, 8))).square().sum().backward()
    still = [
        name for net in (encoder, decoder) for name, p in net.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert still == []


def test_a_block_starts_as_the_identity_and_the_encoder_with_zeros() -> None:
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(AutoencoderBlock(4)(x), x)
    assert not EncoderNetwork((1, 8, 8), 4, 1, 16, 6)(torch.randn(2, 1, 8, 8)).any()
