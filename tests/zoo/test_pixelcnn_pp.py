"""PixelCNN++'s recipe makes the right models and refuses others."""

import pytest
import torch

from studio import zoo
from studio.density.autoregressive import Autoregressive
from studio.zoo.pixelcnn_pp import PixelCNNPP


@pytest.mark.parametrize(("shape", "said"), [((3, 30, 32), "32 × 30 pixels"), ((1, 28, 26), "26 × 28 pixels")])
def test_pictures_that_cannot_be_halved_twice_are_refused(shape: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=f"{said} cannot be halved twice; take whole multiples of 4"):
        PixelCNNPP(filters=4, resnets=1).build(shape)


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels were asked for"):
        PixelCNNPP(filters=4, resnets=1).build((2, 8, 8))


@torch.no_grad()
def test_a_file_holds_its_weights_multiplied_out_and_draws_the_same() -> None:
    torch.manual_seed(0)
    recipe = PixelCNNPP(filters=6, resnets=1, mixture=2, classes=2)
    model, other = recipe.build((1, 8, 8), 16), recipe.build((1, 8, 8), 16)
    c = torch.tensor([0, 1, 1, 0])
    model.train().log_prob(torch.randint(0, 16, (4, 1, 8, 8), dtype=torch.uint8), c)
    for each in (model, other):
        zoo.plain(each.eval())
    weights = {key: tensor for key, tensor in model.state_dict().items() if tensor.is_floating_point()}
    assert not any(key.endswith((".g", ".v")) for key in weights)
    other.load_state_dict(weights, strict=False)
    zoo.fold(other)
    assert isinstance(other, Autoregressive)
    assert torch.equal(other.sample(range(4), c), model.sample(range(4), c))
