"""Pictures are drawn with guidance and top-p, and their bits are those of the model itself."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.density.pyramid import Pyramid
from studio.engine.device import ComputeDevice
from studio.engine.generation import sampling
from studio.engine.generation.sharpening import sharpen_loaded
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit
from studio.library import models
from studio.wire import messages as wire
from studio.zoo.upsampler import Upsampler

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
Draw = Callable[[wire.DrawPictures], wire.PicturesPreview]


@pytest.fixture
def draw() -> Draw:
    jobs = JobStarter(CPU)

    def last_preview(command: wire.DrawPictures) -> wire.PicturesPreview:
        *_, last = (event for event in jobs.start(command) if isinstance(event, wire.PicturesPreview))  # type: ignore[arg-type]
        return last

    return last_preview


def bits_of(name: str, event: wire.PicturesPreview) -> tuple[float, ...]:
    """Return the nats of drawn pictures under the model itself."""
    loaded = sampling.ModelCache(torch.device("cpu")).get_model(name)
    *_, found = sampling.score_artworks(loaded, event.pictures, range(len(event.pictures)), label=1)
    assert found is not None
    return tuple(found[0])


def test_sharpened_pictures_differ_and_have_the_models_own_bits(tiny_materials: str, draw: Draw) -> None:
    seeds = tuple(range(6))
    ask = wire.Sample(job="a", model=tiny_materials, seeds=seeds, label=1)
    plain = draw(ask)
    for fields in ({"guidance": 2.0}, {"top_p": 0.5}, {"guidance": 2.0, "top_p": 0.5}):
        event = draw(wire.Sample(job="a", model=tiny_materials, seeds=seeds, label=1, **fields))  # type: ignore[arg-type]
        assert not np.array_equal(event.pictures, plain.pictures)
        assert event.log_prob == pytest.approx(bits_of(tiny_materials, event), rel=1e-5)
        again = draw(wire.Sample(job="a", model=tiny_materials, seeds=seeds[2:3], label=1, **fields))  # type: ignore[arg-type]
        assert np.array_equal(again.pictures[0], event.pictures[2])
    off = draw(wire.Sample(job="a", model=tiny_materials, seeds=seeds, label=1, guidance=0.0, top_p=1.0))
    assert np.array_equal(off.pictures, plain.pictures)
    assert off.log_prob == plain.log_prob


def test_a_canvas_and_a_completion_are_sharpened_too(tiny_materials: str, draw: Draw) -> None:
    size = (20, 24)
    fields = {"model": tiny_materials, "seeds": (1, 2), "label": 1}
    plain, guided = (draw(wire.Sample(job="a", guidance=g, canvas_size=size, **fields)) for g in (0.0, 3.0))  # type: ignore[arg-type]
    assert guided.pictures.shape == (2, *size, 1)
    assert not np.array_equal(guided.pictures, plain.pictures)
    free = np.zeros(size, np.uint8)
    free[8:16, 4:20] = 1
    hole = fields | {"picture": plain.pictures[0], "mask": free}
    filled, sharper = (draw(wire.Inpaint(job="a", top_p=p, **hole)) for p in (1.0, 0.3))  # type: ignore[arg-type]
    assert np.array_equal(sharper.pictures[:, free == 0], np.stack([plain.pictures[0][free == 0]] * 2))
    assert not np.array_equal(sharper.pictures, filled.pictures)


def test_a_mixture_has_top_p(tiny_pixels: str, tiny_others: str, draw: Draw) -> None:
    fields = {"model": tiny_pixels, "second_model": tiny_others, "seeds": (1, 2, 3), "share": 0.5}
    one, other = (draw(wire.Sample(job="a", top_p=p, **fields)) for p in (1.0, 0.4))  # type: ignore[arg-type]
    assert not np.array_equal(one.pictures, other.pictures)
    for likely, usual in zip(other.log_prob or (), one.log_prob or (), strict=True):
        assert likely > usual, "the mixture finds pictures of its likeliest levels likelier"


def test_the_base_of_a_pyramid_is_sharpened(tiny_pixels: str) -> None:
    loaded = sampling.load_model(models.find_model(tiny_pixels), torch.device("cpu"))
    torch.manual_seed(0)
    details = Upsampler(doublings=1, width=8, shared=1).build((1, 16, 16), 16).eval()
    pyramid = replace(loaded, model=Pyramid(loaded.model, details))
    sharpened = sharpen_loaded(pyramid, 0.0, 0.3).model
    base = sharpen_loaded(loaded, 0.0, 0.3).model
    assert torch.equal(details.coarse(sharpened.sample([1, 2])), base.sample([1, 2]))
    assert not torch.equal(base.sample([1, 2]), loaded.model.sample([1, 2]))


def test_models_without_guidance_or_top_p_say_so(
    tiny: str, tiny_pixels: str, tiny_others: str, tiny_materials: str, draw: Draw
) -> None:
    faults = {
        '"Pixels" never learned without a class': {"model": tiny_pixels, "guidance": 1.0},
        "does not draw pixel by pixel, so it has no guidance": {"model": tiny, "guidance": 1.0},
        "does not draw pixel by pixel, so it has no top-p": {"model": tiny, "top_p": 0.9},
        "a mixture of two models has no guidance": {
            "model": tiny_pixels,
            "second_model": tiny_others,
            "guidance": 1.0,
        },
    }
    for words, fields in faults.items():
        with pytest.raises(DoesNotFit, match=words):
            draw(wire.Sample(job="a", seeds=(1,), **fields))  # type: ignore[arg-type]
    assert models.find_model(tiny_materials).card.has_guidance
    assert not models.find_model(tiny_pixels).card.has_guidance
