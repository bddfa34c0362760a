"""A WaveNet equals the PyPI package wavenet-vocoder with the same weights, to 1e-9 in float64."""

import pytest
import torch
from torch import Tensor

from studio.nets.wavenet import WaveNetNetwork

peers = pytest.importorskip("wavenet_vocoder")
modules = pytest.importorskip("wavenet_vocoder.modules")

LAYERS, CHANNELS, SKIP, LEVELS = 6, 8, 12, 16


@torch.no_grad()
def the_same(peer: torch.nn.Module, gin: int) -> WaveNetNetwork:
    """Return our network with the peer's weights.

    The peer multiplies the stream by √½ after every layer and the sum of skips by √½ at every addition. Here these
    factors are part of the weights.
    """
    net = WaveNetNetwork(LEVELS, [1, 2, 4] * 2, CHANNELS, SKIP, LEVELS, (3,) if gin else ()).double()
    half = 0.5**0.5
    last = LAYERS - 1
    net.first.copy_(peer.first_conv.weight[:, :, 0].t() + peer.first_conv.bias)
    skips = []
    for layer, part in enumerate(peer.conv_layers):
        shrunk = half**layer  # our stream is larger than the peer's by that much
        net.filters[layer] = torch.cat((part.conv.weight[:, :, 0], part.conv.weight[:, :, 1]), 1) * shrunk
        net.bias[layer] = part.conv.bias
        if gin:
            spoken = peer.embed_speakers.weight @ part.conv1x1g.weight[:, :, 0].t()
            net.kinds[0][:, layer] = spoken + part.conv1x1g.bias
        if layer < last:
            net.residual[layer] = part.conv1x1_out.weight[:, :, 0] / shrunk
            net.shift[layer] = part.conv1x1_out.bias / shrunk
        faded = half ** (LAYERS - max(layer, 1))
        skips.append(part.conv1x1_skip.weight[:, :, 0] * faded)
        net.skip_bias += part.conv1x1_skip.bias * faded
    net.skip.copy_(torch.cat(skips, 1))
    _, a, _, b = peer.last_conv_layers
    for mine, theirs in ((net.a, a), (net.b, b)):
        mine.copy_(theirs.weight[:, :, 0])
    net.a_bias.copy_(a.bias)
    net.b_bias.copy_(b.bias)
    return net


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize("gin", [0, 5])
def test_numbers_equal_the_peers_at_once_and_sample_by_sample(gin: int) -> None:
    torch.manual_seed(0)
    words = {"gin_channels": gin, "n_speakers": 3} if gin else {}
    peer = peers.WaveNet(
        out_channels=LEVELS, layers=LAYERS, stacks=2, residual_channels=CHANNELS, gate_channels=2 * CHANNELS,
        skip_out_channels=SKIP, kernel_size=2, dropout=0.0, weight_normalization=False, **words,
    ).double().eval()  # fmt: skip
    peer.make_generation_fast_()
    for parameter in peer.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
    net = the_same(peer, gin)
    x = torch.randint(0, LEVELS, (1, 60))
    c = torch.tensor([2]) if gin else None
    before = net.previous_levels(x)  # silence first, as the peer is told to begin
    seen = torch.nn.functional.one_hot(before, LEVELS).double().transpose(1, 2)
    theirs = peer(seen, g=None if c is None else c[:, None])
    assert torch.allclose(net(x, c), theirs, atol=1e-9)
    steps = net.steps(net.queues(1), c, 0, 1)
    found = torch.stack([steps(before[:, t]) for t in range(60)], 2)
    assert torch.allclose(found, incremental(peer, seen, c), atol=1e-9)


def incremental(peer: torch.nn.Module, seen: Tensor, c: Tensor | None) -> Tensor:
    found: Tensor = peer.incremental_forward(
        seen[:, :, :1],
        test_inputs=seen,
        T=seen.shape[2],
        g=None if c is None else c[:, None],
        softmax=False,
        quantize=False,
    )
    return found
