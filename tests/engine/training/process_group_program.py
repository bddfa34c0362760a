"""Compare the gradient of two processes with that of one. The test starts this program by torch.distributed.run."""

import copy
import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.levels import TrainingExamples
from studio.engine.training import distributed, gradients
from studio.engine.training.recordings import CutExamples

EXCHANGE = "bytes of every process"
ROWS = 7
"""A number of rows that two processes cannot halve."""
RECIPES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "statistics of batches": ((3, 8, 8), {"family": "realnvp", "scales": 1, "width": 4, "blocks": 1}),
    "statistics of vectors": ((1, 8, 8), {"family": "maf", "layers": 2, "hidden": [16]}),
    "dropout of waves": ((64,), {"family": "realnvp", "width": 16, "dropout": 0.3}),
    "dropout of pictures": ((3, 8, 8), {"family": "pixelcnn_pp", "filters": 4, "resnets": 1, "dropout": 0.3}),
    "activation normalisation": ((3, 8, 8), {"family": "glow", "scales": 1, "depth": 2, "width": 8}),
    "classes": ((3, 8, 8), {"family": "glow", "scales": 1, "depth": 1, "width": 8, "classes": 3}),
    "free bits": ((1, 8, 8), {"family": "vae_flow", "hidden": 16, "free_bits": 0.2}),
    "cuts of recordings": ((64,), {"family": "wavenet", "cycles": 1, "layers": 2, "channels": 8, "skip": 8}),
    "followed recordings": (
        (64,),
        {"family": "wavenet", "cycles": 1, "layers": 2, "channels": 8, "skip": 8, "follows_loudness": True, "hop": 16},
    ),
}


class SharedModel:
    """Is a run of which only the model is shared."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def contents(self) -> distributed.Checkpoint:
        return dict(self.model.state_dict()), {}

    def restore(self, found: distributed.Checkpoint | None) -> bool:
        assert found is not None
        self.model.load_state_dict(found[0])
        return True


def compare(group: distributed.ProcessGroup, shape: tuple[int, ...], recipe: dict[str, Any]) -> float:
    """Return the largest difference of loss, gradients and statistics, each relative to the largest of its kind."""
    model = zoo.recipe_from_fields(recipe).build(shape, 256)
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():  # layers that begin at zero would hide others
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=stream)
    batch = make_batch(model, stream)
    model.train()
    torch.manual_seed(2)
    gradients.compute_gradients(model, batch, 1, bf16=False)  # initialises what depends on data
    model.zero_grad()
    shared = copy.deepcopy(model)
    if not group.is_first:  # all continue with what the first process has
        with torch.no_grad():
            for parameter in shared.parameters():
                parameter += 1
    torch.manual_seed(3)
    loss = gradients.compute_gradients(model, batch, 1, bf16=False)
    group.connect_run(SharedModel(shared))
    torch.manual_seed(3 + group.rank)
    group.begin_step(torch.device("cpu"), ends_early=False)
    whole = group.backward(shared, batch, bf16=False)
    group.end_step()
    both = [gradients_of(model), gradients_of(shared)]
    buffers = [list(each.buffers()) for each in (model, shared)]
    return max(abs(loss / whole - 1), difference(*both), difference(*buffers))


def gradients_of(model: Model) -> list[Tensor]:
    """Return all gradients."""
    return [p.grad for p in model.parameters() if p.grad is not None]


def difference(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest entry."""
    one, other = (torch.cat([each.double().flatten() for each in side]) for side in (some, others))
    return float((one - other).abs().max() / one.abs().max().clamp(min=1e-12)) if len(one) else 0.0


def make_batch(model: Model, stream: torch.Generator) -> TrainingExamples:
    """Return examples at random; of cuts, some end early."""
    if not isinstance(model, AutoregressiveSound):
        x = torch.randint(model.levels, (ROWS, *model.shape), generator=stream, dtype=torch.int32)
        return TrainingExamples(x, torch.randint(model.classes, (ROWS,), generator=stream) if model.classes else None)
    x = torch.randint(256, (ROWS, model.receptive_field + 32), generator=stream, dtype=torch.int32)
    for row in range(ROWS):
        x[row, x.shape[1] - 4 * row :] = -1
    signals = torch.randn(ROWS, model.net.local, 3, generator=stream)
    return CutExamples(x, model.condition(None, signals, ROWS))


def main() -> None:
    torch.set_num_threads(1)
    with distributed.join_process_group() as group:
        found = {name: compare(group, shape, recipe) for name, (shape, recipe) in RECIPES.items()}
        found[EXCHANGE] = float(group.exchange_bytes(b"rows" * group.rank) != [b"", b"rows"])
    if group.is_first:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
