"""Networks that run pixel by pixel by their schedules equal the whole network."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from studio.nets import pixelcnn_pp_schedule, pixelcnn_schedule
from studio.nets.pixel_schedule import BufferWindow, PixelSchedule, ScheduledNetwork, ScheduleRunner
from studio.nets.pixelcnn import GatedPixelCNNNetwork, PixelCNNNetwork
from studio.nets.pixelcnn_pp import PixelCNNPPNetwork
from studio.nets.pixelrnn import PixelRNNNetwork

Write = Callable[[nn.Module, int], PixelSchedule]


def pictures(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(name: str, channels: int) -> tuple[nn.Module, Write, int]:
    """Return a network, its schedule's writer, and how often a pixel is asked for.

    Its weights are as after some training, in float64.
    """
    torch.manual_seed(0)
    net: nn.Module = {
        "shifted": lambda: PixelCNNPPNetwork(channels, 5, 2, 7, classes=3),
        "row": lambda: PixelRNNNetwork(channels, channels, 2 * channels, "row", 6, 3, 9),
        "diagonal": lambda: PixelRNNNetwork(channels, channels, 2 * channels, "diagonal", 6, 3, 9),
        "masked": lambda: PixelCNNNetwork(channels, channels, 2 * channels, 6, 3, 5, 9),
        "gated": lambda: GatedPixelCNNNetwork(channels, channels, 2 * channels, 6, 4, 5, 9, classes=3),
    }[name]()
    net.train()(torch.randn(16, channels, 8, 8), torch.zeros(16, dtype=torch.long))
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    shifted = name == "shifted"
    write: Write = pixelcnn_pp_schedule.pixelcnn_pp_schedule if shifted else pixelcnn_schedule.pixelcnn_schedule
    return net.double().eval(), write, 1 if shifted else channels


NAMES = ["shifted", "row", "diagonal", "masked", "gated"]


@torch.no_grad()
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 12, 4), (2, 4, 16)])
@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_gives_the_whole_networks_numbers_pixel_by_pixel(
    name: str, channels: int, height: int, width: int
) -> None:
    net, write, asked = made(name, channels)
    x = pictures(3, channels, height, width)
    c = torch.tensor([0, 2, 1])
    whole = net(x, c)
    seen = torch.zeros_like(x)
    step = ScheduleRunner(write(net, width), seen, c)
    for i, j, k in itertools.product(range(height), range(width), range(asked)):
        own = slice(2 * k, 2 * k + 2) if asked > 1 else slice(None)
        assert torch.allclose(step(i, j)[:, own], whole[:, own, i, j], atol=1e-9, rtol=0)
        seen[:, k if asked > 1 else slice(None), i, j] = x[:, k if asked > 1 else slice(None), i, j]


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_pictures_numbers_are_the_same_to_the_last_bit_in_any_batch(name: str) -> None:
    net, write, _ = made(name, 1)
    net = net.float()
    x = pictures(5, 1, 4, 8).float()
    c = torch.tensor([0, 2, 1, 1, 0])

    def found(part: slice) -> Tensor:
        step = ScheduleRunner(write(net, 8), x[part], c[part])
        return torch.stack([step(i, j) for i, j in itertools.product(range(4), range(8))])

    together = found(slice(None))
    assert torch.equal(found(slice(2, 3)), together[:, 2:3])
    assert torch.equal(found(slice(1, 5)), together[:, 1:5])


@torch.no_grad()
def test_steps_follow_the_weights_until_they_are_folded() -> None:
    net, write, _ = made("shifted", 1)
    scheduled = ScheduledNetwork(net, write)
    x = pictures(1, 1, 4, 4)
    c = torch.tensor([0])
    before = scheduled.stepper(x, c)(0, 0)
    for parameter in net.parameters():
        parameter += 0.1
    after = scheduled.stepper(x, c)(0, 0)
    assert not torch.equal(after, before)
    scheduled.fold()
    first, second = (scheduled.stepper(x, c) for _ in range(2))
    assert isinstance(first, ScheduleRunner)
    assert isinstance(second, ScheduleRunner)
    assert torch.equal(second(0, 0), after)
    assert second.schedule is first.schedule


@torch.no_grad()
def test_a_network_uses_its_own_steps_if_nothing_is_faster() -> None:
    net, write, _ = made("masked", 1)
    x = pictures(1, 1, 4, 4)
    quick = ScheduleRunner(write(net, 4), pictures(1, 1, 4, 4), None)
    assert not isinstance(ScheduledNetwork(net, write).stepper(x, None), ScheduleRunner)
    assert not isinstance(ScheduledNetwork(net, write, lambda *_: None).stepper(x, None), ScheduleRunner)
    assert ScheduledNetwork(net, write, lambda *_: quick).stepper(x, None) is quick


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_rows_that_repeat_make_no_windows_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, write, _ = made(name, 1)
    player = ScheduleRunner(write(net, 4), pictures(1, 1, 16, 4), torch.tensor([0]))
    made_in = [0] * 16
    view = ScheduleRunner._view

    def counted(self: ScheduleRunner, window: BufferWindow, i: int, j: int, places: int) -> Tensor:
        made_in[self.row] += 1
        return view(self, window, i, j, places)

    monkeypatch.setattr(ScheduleRunner, "_view", counted)
    for i, j in itertools.product(range(16), range(4)):
        player(i, j)
    assert made_in[1] > 50, "each operation has some"
    assert made_in[12:] == [4, 4, 4, 4], "of the numbers of each pixel alone"
