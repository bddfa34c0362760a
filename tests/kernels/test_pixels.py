"""A compiled schedule gives torch's numbers in any batch and with any number of threads."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from studio.nets import pixelcnn_pp_schedule, pixelcnn_schedule
from studio.nets.pixel_schedule import (
    BufferWindow,
    OperationName,
    PixelSchedule,
    RowBuffer,
    ScheduleRunner,
    dot_operation,
    function_operation,
    scratch_window,
)
from studio.nets.pixelcnn import GatedPixelCNNNetwork
from studio.nets.pixelcnn_pp import PixelCNNPPNetwork
from studio.nets.pixelrnn import PixelRNNNetwork
from studio.zoo.compiled.pixels import CompiledSteppers


def schedule_of(name: str, width: int) -> PixelSchedule:
    """Return the schedule of a network with weights as after some training."""
    torch.manual_seed(0)
    net: nn.Module = {
        "shifted": lambda: PixelCNNPPNetwork(3, 7, 2, 9, classes=3),
        "row": lambda: PixelRNNNetwork(3, 3, 6, "row", 7, 2, 9),
        "diagonal": lambda: PixelRNNNetwork(3, 3, 6, "diagonal", 7, 2, 9),
        "gated": lambda: GatedPixelCNNNetwork(3, 3, 6, 7, 3, 5, 9, classes=3),
    }[name]()
    for parameter in net.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    write = pixelcnn_pp_schedule.pixelcnn_pp_schedule if name == "shifted" else pixelcnn_schedule.pixelcnn_schedule
    return write(net.eval(), width)


def compiled(schedule: PixelSchedule, seen: Tensor, c: Tensor | None) -> ScheduleRunner:
    found = CompiledSteppers()(schedule, seen, c)
    assert found is not None
    return found


def played(
    schedule: PixelSchedule, x: Tensor, c: Tensor | None, player: Callable[..., ScheduleRunner] = compiled
) -> Tensor:
    """Return all numbers `(H · W, B, n)`, with pixels shown as they come."""
    seen = torch.zeros_like(x)
    (height, width) = x.shape[2:]
    step = player(schedule, seen, c)
    found = []
    for i, j in itertools.product(range(height), range(width)):
        found.append(step(i, j))
        seen[:, :, i, j] = x[:, :, i, j]
    return torch.stack(found)


@torch.no_grad()
@pytest.mark.parametrize("name", ["shifted", "row", "diagonal", "gated"])
def test_the_compiled_schedule_gives_torchs_numbers_in_any_batch(name: str) -> None:
    schedule = schedule_of(name, 8)
    x = torch.randn(6, 3, 8, 8)
    c = torch.tensor([0, 2, 1, 1, 0, 2])
    together = played(schedule, x, c)
    assert torch.allclose(together, played(schedule, x, c, ScheduleRunner), atol=1e-5)
    assert torch.equal(played(schedule, x[1:2], c[1:2]), together[:, 1:2])
    assert torch.equal(played(schedule, x[2:], c[2:]), together[:, 2:])


@torch.no_grad()
def test_two_threads_give_the_same_result_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = schedule_of("shifted", 4)
    x = torch.randn(9, 3, 4, 4)
    c = torch.arange(9) % 3
    alone = played(schedule, x, c)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert torch.equal(played(schedule, x, c), alone)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["same", "relu", "concat_elu", "gate", "tanh_gate"])
def test_every_activation_equals_torchs_for_numbers_of_any_size(kind: OperationName) -> None:
    seen = RowBuffer(12, 4)
    x = torch.randn(2, 12, 1, 4) * torch.tensor([1e-6, 1.0, 30.0, 1e4])
    size = {"concat_elu": 24, "gate": 6, "tanh_gate": 6}.get(kind, 12)
    out = scratch_window(size)
    twice = scratch_window(size)
    columns = [function_operation(kind, out, BufferWindow(seen)), function_operation("same", twice, out, out)]
    ignored = dot_operation(scratch_window(1), scratch_window(1), out, torch.zeros(size, 1))
    schedule = PixelSchedule(seen, twice, rows=[], columns=[*columns, ignored])
    shown = []
    for player in (compiled, ScheduleRunner):
        step = player(schedule, x, None)
        shown.append(torch.stack([step(0, j) for j in range(1, 4)]))
    assert torch.allclose(*shown, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_only_float32_on_the_processor_is_compiled() -> None:
    schedule = schedule_of("row", 4)
    x = torch.randn(2, 3, 4, 4)
    assert CompiledSteppers()(schedule, x, None) is not None
    assert CompiledSteppers()(schedule, x.double(), None) is None


@torch.no_grad()
def test_the_compiled_form_of_a_schedule_is_made_once() -> None:
    schedule = schedule_of("row", 4)
    x = torch.randn(2, 3, 4, 4)
    player = CompiledSteppers()
    first, second = (player(schedule, x, None) for _ in range(2))
    other = player(schedule_of("row", 4), x, None)
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.tape is second.tape  # type: ignore[attr-defined]
    assert other.tape is not first.tape  # type: ignore[attr-defined]
