"""A canvas is drawn at any size, row by row, with the probabilities of the model."""

import itertools

import pytest
import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive, PixelEntropies
from studio.density.canvas import FRAME, Canvas, _Frame
from studio.density.seams import OVERLAP
from studio.zoo.gated_pixelcnn import GatedPixelCNN


def model_of(
    *, classes: int = 0, levels: int = 4, channels: int = 1, borderless: bool = True, indexed: bool = False
) -> Autoregressive:
    """Return a model with weights as after some training."""
    torch.manual_seed(2)
    recipe = GatedPixelCNN(width=6, layers=2, size=3, head=6, classes=classes, borderless=borderless)
    model = recipe.build((channels, 12, 14), levels, indexed=indexed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()


def framed_pixels(canvas: Canvas, z: Tensor, c: Tensor) -> Tensor:
    """Return a canvas drawn by the plain rule, pixel by pixel, with the whole network for each pixel."""
    noise = _Frame(FRAME, 0).noise_around(z)
    seen = noise.new_zeros(len(z), canvas.conditional.inputs_per_channel, *noise.shape[2:])
    x = torch.zeros_like(noise, dtype=torch.uint8)
    for i, j in itertools.product(*map(range, noise.shape[2:])):
        numbers = canvas.net(seen, c)[:, :, i, j]
        drawn = canvas.conditional.draw_level(numbers, x[:, :0, i, j], noise[:, 0, i, j], torch.ones(len(z)))
        x[:, 0, i, j] = drawn
        seen[:, :, i, j] = canvas.conditional.network_input(x[:, :, i, j].to(z))
    return x[:, :, FRAME:, FRAME:-FRAME]


@torch.no_grad()
@pytest.mark.parametrize("indexed", [False, True])
def test_a_canvas_is_drawn_as_its_definition_says(*, indexed: bool) -> None:
    canvas = Canvas(model_of(classes=3, indexed=indexed), 7, 9)
    c = torch.tensor([2])
    z = canvas.noise([5])
    assert torch.equal(canvas.decode(z, c), framed_pixels(canvas, z, c))


@torch.no_grad()
def test_rows_come_one_after_another_and_never_change() -> None:
    canvas = Canvas(model_of(channels=3), 5, 30)
    steps = list(canvas.sample_steps([1, 2]))
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert {step.done for step in steps} == set(range(6))
    for step in steps:
        assert step.total == 5
        assert torch.equal(step.x[:, :, : step.done], steps[-1].x[:, :, : step.done])


@torch.no_grad()
@pytest.mark.parametrize("seamless", [False, True])
def test_a_seed_draws_the_same_canvas_in_any_batch(*, seamless: bool) -> None:
    canvas = Canvas(model_of(), 26, 27, seamless=seamless)
    together = canvas.sample([3, 4, 5])
    assert torch.equal(together[1:2], canvas.sample([4]))
    assert not torch.equal(together[0], together[1])


@torch.no_grad()
def test_the_bits_are_those_of_the_whole_picture_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(classes=3)
    x = torch.randint(0, 4, (2, 1, 40, 21), dtype=torch.uint8)
    c = torch.tensor([0, 2])
    at_once = Autoregressive((1, 40, 21), 4, model.net, model.conditional, 3)
    canvas = Canvas(model, 40, 21)
    monkeypatch.setattr("studio.density.seams.BAND", 7)
    assert torch.allclose(canvas.surprisal(x, c), at_once.surprisal(x, c), atol=1e-5)
    assert torch.allclose(canvas.log_prob(x, c), at_once.log_prob(x, c), rtol=1e-5)
    assert torch.allclose(canvas.log_prob(x), at_once.log_prob(x), rtol=1e-5)
    assert torch.allclose([*canvas.log_prob_steps(x, c)][-1], at_once.log_prob(x, c), rtol=1e-5)  # type: ignore[arg-type]


@torch.no_grad()
def test_kept_pixels_stay_and_the_rest_is_drawn_after_them() -> None:
    canvas = Canvas(model_of(), 10, 12)
    own = torch.randint(0, 4, (6, 7), dtype=torch.int)
    keep = torch.full((1, 1, 10, 12), -1)
    keep[0, 0, :6, :7] = own
    *_, last = canvas.decode_steps(canvas.noise([1]), None, 1.0, keep)
    assert torch.equal(last.x[0, 0, :6, :7].int(), own)
    assert len(last.x[0, 0, 6:].unique()) > 1


@torch.no_grad()
def test_a_temperature_that_changes_while_it_is_drawn_applies_from_the_next_row() -> None:
    canvas = Canvas(model_of(), 6, 20)
    usual = canvas.sample([1])
    temperature = torch.ones(canvas.latent_shape)
    for step in canvas.sample_steps([1], None, temperature):
        if step.done == 3:
            temperature[:, 3:] = 0.0
    assert torch.equal(step.x[:, :, :3], usual[:, :, :3])
    assert not torch.equal(step.x[:, :, 3:], usual[:, :, 3:])


@torch.no_grad()
def test_the_entropy_of_every_pixel_of_a_canvas_is_recorded() -> None:
    canvas = Canvas(model_of(), 5, 9)
    entropies = PixelEntropies(torch.full((1, 5, 9), torch.nan))
    for _ in canvas.decode_steps(canvas.noise([1]), None, 1.0, None, entropies):
        pass
    assert ((entropies.bits > 0) & (entropies.bits <= 2)).all()


@torch.no_grad()
def test_a_seamless_canvas_forms_row_by_row_and_is_wrapped_at_the_end() -> None:
    canvas = Canvas(model_of(channels=3), 26, 28, seamless=True)
    *steps, last = canvas.sample_steps([1])
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (last.done, last.total, last.x.shape) == (last.total, steps[0].total, (1, 3, 26, 28))
    for step in steps:
        assert torch.equal(step.x[:, :, : step.done], steps[-1].x[:, :, : step.done])
    assert torch.equal(last.x[:, :, OVERLAP:, OVERLAP:], steps[-1].x[:, :, OVERLAP:, OVERLAP:])
    assert not torch.equal(last.x, steps[-1].x)


def test_sizes_and_models_that_do_not_suit_are_refused() -> None:
    with pytest.raises(ValueError, match="learned with borders"):
        Canvas(model_of(borderless=False), 20, 20)
    with pytest.raises(ValueError, match="26 pixels a side or more, and 25 × 40"):
        Canvas(model_of(), 40, 25, seamless=True)
