"""Compiled schedules beside torch's: equal numbers, in any batch, by any number of threads."""

import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn

from studio.kernels import pixels
from studio.nets import recurrent_schedule, shifted_schedule
from studio.nets.recurrent import PixelRNN
from studio.nets.schedule import Buffer, Kind, Player, Schedule, Window, apply, dot, scratch
from studio.nets.shifted import ShiftedNet
from studio.zoo.pixel_by_pixel import Compiled


def schedule_of(name: str, width: int) -> Schedule:
    """The schedule of a network as after some training."""
    torch.manual_seed(0)
    net: nn.Module = ShiftedNet(3, 7, 2, 9, classes=3) if name == "shifted" else PixelRNN(3, 6, name, 7, 2, 9)  # type: ignore[arg-type]
    for parameter in net.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    write = shifted_schedule.schedule if name == "shifted" else recurrent_schedule.schedule
    return write(net.eval(), width)


def played(schedule: Schedule, x: Tensor, c: Tensor | None, player: type[Player] | Compiled) -> Tensor:
    """All numbers `(H · W, B, n)`, with pixels seen as they come."""
    seen, (height, width) = torch.zeros_like(x), x.shape[2:]
    step, found = player(schedule, seen, c), []
    for i, j in itertools.product(range(height), range(width)):
        found.append(step(i, j))
        seen[:, :, i, j] = x[:, :, i, j]
    return torch.stack(found)


@torch.no_grad()
@pytest.mark.parametrize("name", ["shifted", "row", "diagonal"])
def test_compiled_it_finds_torchs_numbers_and_the_same_in_any_batch(name: str) -> None:
    schedule, x, c = schedule_of(name, 8), torch.randn(6, 3, 8, 8), torch.tensor([0, 2, 1, 1, 0, 2])
    together = played(schedule, x, c, Compiled())
    assert torch.allclose(together, played(schedule, x, c, Player), atol=1e-5)
    assert torch.equal(played(schedule, x[1:2], c[1:2], Compiled()), together[:, 1:2])
    assert torch.equal(played(schedule, x[2:], c[2:], Compiled()), together[:, 2:])


@torch.no_grad()
def test_two_threads_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, x, c = schedule_of("shifted", 4), torch.randn(9, 3, 4, 4), torch.arange(9) % 3
    alone = played(schedule, x, c, Compiled())
    monkeypatch.setattr(pixels, "ALONE", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert torch.equal(played(schedule, x, c, Compiled()), alone)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["same", "relu", "concat_elu", "gate", "tanh_gate"])
def test_every_kind_bends_numbers_of_any_size_as_torch_does(kind: Kind) -> None:
    seen, x = Buffer(12, 4), torch.randn(2, 12, 1, 4) * torch.tensor([1e-6, 1.0, 30.0, 1e4])
    size = {"concat_elu": 24, "gate": 6, "tanh_gate": 6}.get(kind, 12)
    out, sums = scratch(size), scratch(size)
    schedule = Schedule(
        Buffer(12, 4),
        sums,
        rows=[],
        columns=[
            apply(kind, out, Window(seen)),
            apply("same", sums, out, out),
            dot(scratch(1), scratch(1), out, torch.zeros(size, 1)),
        ],
    )
    schedule = dataclasses.replace(schedule, seen=seen)
    shown = []
    for player in (Compiled(), Player):
        step = player(schedule, x, None)
        shown.append(torch.stack([step(0, j) for j in range(1, 4)]))
    assert torch.allclose(*shown, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_only_float32_on_the_processor_is_compiled() -> None:
    schedule, x = schedule_of("row", 4), torch.randn(2, 3, 4, 4)
    assert type(Compiled()(schedule, x, None)) is not Player
    assert type(Compiled()(schedule, x.double(), None)) is Player
