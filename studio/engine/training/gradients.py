"""Compute the gradients of a batch in as little memory as there is.

If memory runs out, the batch is divided into parts and the gradients of the parts are added. The sum is that of the
whole batch, except for rounding, and for what a model computes from a whole batch: statistics of batch norm, and free
bits of a VAE.
"""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from studio.density.model import Model
from studio.engine.device import MEMORY_SHARE, free_memory, release_memory, rounding_settings
from studio.engine.errors import is_out_of_memory
from studio.engine.levels import TrainingExamples

MEASURED_EXAMPLES = 2
"""How many examples are measured to find out how many fit."""

Found = TypeVar("Found")


class NotEnoughMemory(RuntimeError):
    """Reports in sentences that memory is too short even for a single example at a time."""

    def __init__(self) -> None:
        super().__init__(
            "This computer has too little memory for this model, even for a single example. "
            "What was saved is kept. Close other programs, or choose a smaller preset"
        )


def compute_gradients(model: Model, batch: TrainingExamples, parts: int, *, bf16: bool) -> float:
    """Compute the gradients of a batch in some parts; return its loss in bits per dimension."""
    model.zero_grad(set_to_none=True)
    device = batch.x.device
    weight = max(batch.weight(model), 1)
    # A counter of steps counts the batch, not its parts.
    counters = [buffer for buffer in model.buffers() if not buffer.is_floating_point()] if parts > 1 else []
    before = [counter.clone() for counter in counters]
    total = torch.zeros((), device=device)
    for number, part in enumerate(batch.batches(-(-len(batch) // parts))):
        if number:
            for counter, earlier in zip(counters, before, strict=True):
                counter.copy_(earlier)
        with rounding_settings():
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = part.loss(model) * (part.weight(model) / weight)
            torch.autograd.backward(loss)
        total += loss.detach()
    return total.item()


def with_smaller_batches(attempt: Callable[[int], Found], size: int, device: torch.device) -> Found:
    """Call `attempt` with a batch size, which is halved each time that memory runs out.

    Raises NotEnoughMemory if it runs out for single examples, too.
    """
    while True:
        try:
            return attempt(size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the `except` block, whose traceback still holds the tensors.
        if size == 1:
            raise NotEnoughMemory
        size = -(-size // 2)
        release_memory(device)


def parts_that_fit(model: Model, few: TrainingExamples, batch: int) -> int:
    """Return the number of parts in which a batch fits into its share of the memory.

    The bytes that a few examples keep for their gradients are measured; the model and the random numbers stay as they
    were. A processor does not refuse memory that it does not have, so waiting for a shortage would be too late there.
    """
    device = few.x.device
    measured = copy.deepcopy(model).train()
    sizes: dict[int, int] = {}
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices),
        torch.autograd.graph.saved_tensors_hooks(note_sizes(sizes), lambda tensor: tensor),
    ):
        few.loss(measured)
    own = {parameter.untyped_storage().data_ptr() for parameter in measured.parameters()}
    each = sum(size for place, size in sizes.items() if place not in own) / len(few)
    parts = 1
    while parts < batch and each * batch / parts > MEMORY_SHARE * free_memory(device):
        parts *= 2
    return min(parts, batch)


def parts_text(why: str, parts: int) -> str:
    """Return the sentence for a batch that is computed in parts."""
    return f"{why}, so each batch is computed in {parts} parts. The result is the same."


def note_sizes(sizes: dict[int, int]) -> Callable[[Tensor], Tensor]:
    """Return a hook that notes the bytes of each tensor kept for the gradients, by its address."""

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    return note


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the random state of the processor, and of the graphics device if one is used."""
    found = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        found["random_device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        found["random_device"] = torch.mps.get_rng_state()
    return found


def restore_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Restore what `random_state` returned. A state of another kind of device is ignored."""
    torch.set_rng_state(state["random"])
    own = state.get("random_device")
    if own is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(own, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(own)
