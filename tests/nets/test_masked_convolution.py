"""A causal convolution gives the same in steps and at once, and no row depends on its place."""

import pytest
import torch
from torch import Tensor

from studio.nets.gated_layer import GatedLayer
from studio.nets.masked_convolution import (
    PICTURES_PER_GROUP,
    MaskedConv,
    RowConv,
    RowProduct,
    colours_of,
    step_in_groups,
)


def test_features_belong_to_colours_in_contiguous_groups() -> None:
    assert colours_of(6, 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert colours_of(8, 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert colours_of(4, 1).tolist() == [0] * 4


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("mask", ["A", "B"])
@pytest.mark.parametrize("size", [1, 3, 5])
@torch.no_grad()
def test_a_masked_convolution_runs_pixel_by_pixel(size: int, mask: str, above: bool) -> None:
    torch.manual_seed(0)
    conv = MaskedConv(colours_of(5, 3), colours_of(7, 3), size, mask, above=above).double()  # type: ignore[arg-type]
    conv.bias.normal_()
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    y = conv(x)
    steps = conv.steps(2, 6)
    for i in range(4):
        steps.next_row()
        for j in range(6):
            steps.at_column(j, torch.randn(2, 5, dtype=torch.float64))  # the earlier value of this column is forgotten
            assert torch.allclose(steps.at_column(j, x[:, :, i, j]), y[:, :, i, j], atol=1e-12)


@torch.no_grad()
def test_a_masked_convolution_equals_a_full_one_with_zeros_at_masked_weights() -> None:
    torch.manual_seed(0)
    conv = MaskedConv(colours_of(3, 3), colours_of(6, 3), 3, "A").double()
    assert conv.above is not None
    whole = torch.zeros(6, 3, 3, 3, dtype=torch.float64)
    whole[:, :, :1] = conv.above
    whole[:, :, 1, 0] = conv.left[:, :, 0, 0]
    for out, colour in enumerate((0, 0, 1, 1, 2, 2)):
        whole[out, :colour, 1, 1] = conv.left[out, :colour, 0, 1]
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    assert torch.allclose(conv(x), torch.nn.functional.conv2d(x, whole, conv.bias, padding=1), atol=1e-12)


@torch.no_grad()
def test_a_row_convolution_runs_row_by_row() -> None:
    torch.manual_seed(0)
    conv = RowConv(3, 4, 5).double()
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    y = conv(x)
    steps = conv.steps(2, 4)
    for i in range(6):
        assert torch.allclose(steps(x[:, :, i].transpose(1, 2)), y[:, :, i].transpose(1, 2), atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_gated_layer_goes_row_by_row_and_pixel_by_pixel(first: bool, last: bool) -> None:
    torch.manual_seed(0)
    inputs = 3 if first else 8
    layer = GatedLayer(inputs, 8, 3, 5, first=first, last=last, classes=2).double()
    for parameter in layer.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    v, h = torch.randn(2, 2, inputs, 4, 5, dtype=torch.float64)
    c = torch.tensor([1, 0])
    (down, across) = layer(v, h, c)
    steps = layer.steps(2, 5, c)
    for i in range(4):
        if i:
            found = steps.row(v[:, :, i - 1].transpose(1, 2))
            assert last or torch.allclose(found, down[:, :, i - 1].transpose(1, 2), atol=1e-12)
        for j in range(5):
            assert torch.allclose(steps.at(j, h[:, :, i, j]), across[:, :, i, j], atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("outputs", [1, 5, 11, 32, 100])
@pytest.mark.parametrize("inputs", [3, 21, 192, 960])
def test_a_row_of_a_product_does_not_depend_on_its_place(inputs: int, outputs: int) -> None:
    torch.manual_seed(0)
    product = RowProduct(torch.randn(outputs, inputs, 1, 1))
    for columns in (1, 7, 28):
        mine = torch.randn(columns, inputs)
        found = []
        for place in range(PICTURES_PER_GROUP):
            x = torch.randn(PICTURES_PER_GROUP, columns, inputs)
            x[place] = mine
            found.append(product(x)[place])
        assert all(torch.equal(one, found[0]) for one in found)


def test_groups_are_always_of_one_size_and_see_what_is_filled_in() -> None:
    def make(seen: Tensor, c: Tensor | None) -> object:
        assert len(seen) == PICTURES_PER_GROUP
        assert c is not None
        return lambda i, j: seen[:, :, i, j] + 10 * seen[:, :, max(i - 1, 0), j] + 100 * c[:, None]

    seen = torch.zeros(11, 2, 3, 3)
    c = torch.arange(11)
    step = step_in_groups(make, seen, c)  # type: ignore[arg-type]
    for i in range(3):
        for j in range(3):
            seen[:, :, i, j] = torch.randn(11, 2)
            wanted = seen[:, :, i, j] + 10 * seen[:, :, max(i - 1, 0), j] + 100 * c[:, None]
            assert torch.equal(step(i, j), wanted)


def test_an_even_kernel_has_no_middle() -> None:
    with pytest.raises(ValueError, match="4 pixels has no middle"):
        MaskedConv(colours_of(2, 1), colours_of(2, 1), 4)
