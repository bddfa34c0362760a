"""Compute the scales and shifts of couplings with convolutional networks."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import weight_norm


def _conv(channels_in: int, channels_out: int, size: int, *, zero: bool = False) -> nn.Module:
    """Return a weight-normalised convolution that keeps the picture's size; `zero`: it returns zeros at first."""
    conv = nn.Conv2d(channels_in, channels_out, size, padding=size // 2)
    nn.init.kaiming_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    normed: nn.Module = weight_norm(conv)
    if zero:
        magnitude = normed.get_parameter("parametrizations.weight.original0")
        nn.init.zeros_(magnitude)
    return normed


class ResidualBlock(nn.Module):
    """Computes x + conv(relu(norm(conv(relu(norm(x)))))), weight-normalised (He et al., 2016, arXiv:1603.05027)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _conv(width, width, 3),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _conv(width, width, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class ResidualNet(nn.Module):
    """Is the s,t network of RealNVP: `(B, channels_in, H, W)` → `(B, channels_out, H, W)`.

    The input, normalised and doubled, enters as relu(x) and relu(-x), with the mask as one more channel if there is
    one. A 1×1 convolution leads from every block to the output (Dinh, Sohl-Dickstein and Bengio, 2016,
    arXiv:1605.08803, section 4.1). The last layer starts at zero. With `classes`, each adds its own numbers to the maps
    that enter the first block.
    """

    mask: Tensor | None

    def __init__(
        self,
        channels_in: int,
        width: int,
        blocks: int,
        channels_out: int,
        mask: Tensor | None = None,
        *,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.norm_in = nn.BatchNorm2d(channels_in, affine=False)
        self.first = _conv(2 * channels_in + (mask is not None), width, 3)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.taps = nn.ModuleList(_conv(width, width, 1) for _ in range(blocks + 1))
        self.norm_out = nn.BatchNorm2d(width)
        self.last = _conv(width, channels_out, 1, zero=True)
        self.of_class = nn.Parameter(torch.zeros(classes, width)) if classes else None

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        h = 2 * self.norm_in(x)
        parts = [torch.relu(h), torch.relu(-h)]
        if self.mask is not None:
            parts.append(self.mask.to(x.dtype).expand(len(x), 1, *x.shape[2:]))
        # From here on channels are innermost, so that no convolution has to transpose its input first.
        h = self.first(torch.cat(parts, 1).contiguous(memory_format=torch.channels_last))
        if self.of_class is not None:
            h = h + self.of_class[c][:, :, None, None]
        out = self.taps[0](h)
        for block, tap in zip(self.blocks, list(self.taps)[1:], strict=True):
            h = block(h)
            out = out + tap(h)
        return self.last(torch.relu(self.norm_out(out)))  # type: ignore[no-any-return]


def channels_last(model: nn.Module) -> None:
    """Keep the channels of weights innermost in memory. Convolutions on processors are fastest with this layout."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def plain(model: nn.Module) -> None:
    """Multiply out weight norms. The result is the same map with plain convolutions, as model files store it.

    A module that needs its own way defines `plain`.
    """
    for module in list(model.modules()):
        own = getattr(module, "plain", None)
        if callable(own):
            own()
        for name, child in list(module.named_children()):
            # Removing a parametrization would remove it from every deep copy too: they share its class.
            if isinstance(child, nn.Conv2d) and parametrize.is_parametrized(child, "weight"):
                setattr(module, name, _plain(child))


@torch.no_grad()
def fold(model: nn.Module) -> None:
    """Make a trained model faster without changing its map, for inference only.

    Weight norms are multiplied out, and a batch norm that follows a convolution is merged into it. A module that needs
    its own way defines `fold`.
    """
    model.eval()
    plain(model)
    for module in list(model.modules()):
        own = getattr(module, "fold", None)
        if callable(own):
            own()
        if isinstance(module, ResidualBlock):
            conv = module.body[2]
            norm = module.body[3]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module.body[2] = fuse_conv_bn_eval(conv, norm)
                module.body[3] = nn.Identity()


def _plain(conv: nn.Conv2d) -> nn.Conv2d:
    result = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (conv.kernel_size[0], conv.kernel_size[1]),
        padding=conv.kernel_size[0] // 2,
        bias=conv.bias is not None,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
    result.weight.copy_(conv.weight)
    if result.bias is not None and conv.bias is not None:
        result.bias.copy_(conv.bias)
    return result.train(conv.training)


class PackedConv(nn.Module):
    """Convolves for inference in float32 on a processor, with weights in oneDNN's layout.

    Torch converts the layout at every call, which costs a single picture a third of its time. These are the operators
    that torch's own compiler emits; `relu` is applied in the same pass. The best layout depends on the size of the
    picture, so it is chosen when the first picture comes. With another size's layout, oneDNN would transpose 192 × 48
    weights at every call, 8 ms for a convolution of 0.05 ms.
    """

    def __init__(self, conv: nn.Conv2d, *, relu: bool = False) -> None:
        super().__init__()
        self.padding = [conv.kernel_size[0] // 2] * 2
        self.relu = "relu" if relu else "none"
        self.plain = conv.weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.size: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.size:
            self._lay_out(x.shape[2:])
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, [1, 1], [1, 1], 1, self.relu, [], ""
        )
        return result

    def _lay_out(self, size: torch.Size) -> None:
        """Choose the layout for pictures of a size.

        It does not depend on their number, so results are the same in any batch.
        """
        one = [1, self.plain.shape[1], *size]
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(self.plain, self.padding, [1, 1], [1, 1], 1, one)
        self.size = size


class PackedPointwise(nn.Module):
    """Computes a 1×1 convolution for inference on a processor: for each picture one product of pixels and weights.

    oneDNN would use another layout of these weights for every size of the batch and number of threads, and convert it
    at every call, 1 ms for 192 × 192. Each picture is a product of its own, so it is the same in any batch: the
    rounding of a product depends on its size.
    """

    def __init__(self, conv: nn.Conv2d, *, relu: bool = False) -> None:
        super().__init__()
        self.relu = relu
        self.weight = conv.weight.detach()[:, :, 0, 0].t().contiguous()[None]  # (1, channels_in, channels_out)
        self.bias = self.weight.new_zeros(1) if conv.bias is None else conv.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        y = torch.baddbmm(self.bias, rows, self.weight.expand(count, -1, -1))
        if self.relu:
            y = torch.relu_(y)
        return y.view(count, height, width, -1).permute(0, 3, 1, 2)


def pack_convolution(conv: nn.Conv2d, *, relu: bool = False) -> nn.Module:
    """Return the convolution in its fastest form for inference in float32 on a processor."""
    return PackedPointwise(conv, relu=relu) if conv.kernel_size == (1, 1) else PackedConv(conv, relu=relu)


@torch.no_grad()
def pack(model: nn.Module) -> None:
    """Pack the convolutions of a folded model, if this torch can.

    The model cannot be moved or saved afterwards. A module that needs its own way defines `pack`. Packed layers have no
    gradients, so in a module whose `needs_gradient` is true only those are packed that define `pack_with_gradient`.
    """
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return
    for module in [part for whole in model.modules() if _keeps_gradient(whole) for part in whole.modules()]:
        own = getattr(module, "pack_with_gradient", None)
        if callable(own):
            own()
    for module in list(_packable(model)):
        own = getattr(module, "pack", None)
        if callable(own):
            own()
        if isinstance(module, ResidualBlock) and isinstance(module.body[2], nn.Conv2d):
            module.body[2] = pack_convolution(module.body[2], relu=True)
            module.body[4] = nn.Identity()
    for module in list(_packable(model)):
        for name, child in list(module.named_children()):
            if type(child) is nn.Conv2d and child.weight.dtype == torch.float32:
                setattr(module, name, pack_convolution(child))


def _keeps_gradient(module: nn.Module) -> bool:
    return bool(getattr(module, "needs_gradient", False))


def _packable(module: nn.Module) -> Iterator[nn.Module]:
    if _keeps_gradient(module):
        return
    yield module
    for child in module.children():
        yield from _packable(child)
