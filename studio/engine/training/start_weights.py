"""Start a training from the weights in a trained model's file."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from studio.engine.training.config import BadTrainingConfig

NORM_PARTS = {"original0": "original1", "original1": "original0", "g": "v", "v": "g"}
"""The names of g and v in torch's weight norm and in PixelCNN++'s own (`studio/nets/pixelcnn_pp.py`), each with the
name of the other."""
DIRECTIONS = ("original1", "v")
"""The names of v."""


@torch.no_grad()
def load_start_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of a trained model into a new one, which then counts as initialised.

    A file stores plain weights w, while some modules learn w = g · v / |v|. Raises BadTrainingConfig if weights are
    missing or of another size.
    """
    own = model.state_dict()
    state = {}
    for key, tensor in own.items():
        module, _, part = key.rpartition(".")
        if part in NORM_PARTS:
            plain = weights.get(module.removesuffix(".parametrizations.weight") + ".weight", torch.empty(0))
            sibling = own[f"{module}.{NORM_PARTS[part]}"]
            state[key] = _norm_part(part, tensor, sibling, plain.float())
        elif key in weights:
            state[key] = weights[key]
        elif tensor.is_floating_point():
            state[key] = torch.empty(0)
        else:
            state[key] = torch.ones_like(tensor) if part == "started" else tensor
    odd = [key for key, tensor in state.items() if tensor.shape != own[key].shape]
    if odd:
        raise BadTrainingConfig(f"The model to start from has another shape, at {odd[0]}. Choose another model.")
    model.load_state_dict(state)


def _norm_part(part: str, tensor: Tensor, other: Tensor, plain: Tensor) -> Tensor:
    """Return g or v of weights w = g · v / |v|. Where w is zero, v stays as it is, because it has no direction."""
    direction = tensor if part in DIRECTIONS else other
    if plain.shape != direction.shape:
        return torch.empty(0)
    length = torch.linalg.vector_norm(plain, dim=tuple(range(1, plain.dim())), keepdim=True)
    if part in DIRECTIONS:
        kept: Tensor = torch.where(length > 0, plain, direction)
        return kept
    size: Tensor = length.reshape(tensor.shape)
    return size
