"""Pictures of any size are drawn by the same jobs as pictures of the model's own size."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
Ask = Callable[[wire.AnyCommand], list[wire.PicturesPreview]]


@pytest.fixture
def ask() -> Ask:
    at_work = JobStarter(CPU)

    def previews(command: wire.AnyCommand) -> list[wire.PicturesPreview]:
        return [event for event in at_work.start(command) if isinstance(event, wire.PicturesPreview)]

    return previews


def test_a_canvas_forms_row_by_row_and_its_bits_are_computed(tiny_materials: str, ask: Ask) -> None:
    command = wire.Sample(job="a", model=tiny_materials, seeds=(3, 4), label=1, canvas_size=(20, 30))
    events = ask(command)
    last = events[-1]
    assert last.pictures.shape == (2, 20, 30, 1)
    assert (last.done, last.total, last.labels) == (21, 21, (1, 1))
    assert [event.done for event in events] == sorted({event.done for event in events})
    assert all(np.array_equal(event.pictures[:, : event.done], last.pictures[:, : event.done]) for event in events)
    assert all(0 < -log_prob < 20 * 30 * math.log(4) * 1.5 for log_prob in last.log_prob or ())
    alone = ask(wire.Sample(job="b", model=tiny_materials, seeds=(4,), label=1, canvas_size=(20, 30)))
    assert np.array_equal(alone[-1].pictures[0], last.pictures[1])


def test_the_map_of_a_canvas_has_its_size_and_its_bits(tiny_materials: str) -> None:
    jobs = JobStarter(CPU)
    command = wire.Sample(job="a", model=tiny_materials, seeds=(3,), label=1, canvas_size=(70, 30))
    *_, drawn = jobs.start(command)
    assert isinstance(drawn, wire.PicturesPreview)
    *_, scored = jobs.start(wire.Score(job="b", model=tiny_materials, picture=drawn.pictures[0], label=1))
    assert isinstance(scored, wire.Scored)
    assert scored.bits.shape == (70, 30)
    assert drawn.log_prob is not None
    assert scored.log_prob == pytest.approx(drawn.log_prob[0], rel=1e-4)


def test_a_seamless_canvas_ends_with_its_seams(tiny_materials: str, ask: Ask) -> None:
    events = ask(wire.Sample(job="a", model=tiny_materials, seeds=(3,), canvas_size=(30, 28), seamless=True))
    assert events[-1].done == events[-1].total > 31
    assert events[-1].pictures.shape == (1, 30, 28, 1)
    assert not np.array_equal(events[-1].pictures, next(e.pictures for e in events if e.done >= 30))


def test_a_sharpened_canvas_is_seamless_too(tiny_materials: str, ask: Ask) -> None:
    fields = {"model": tiny_materials, "seeds": (3,), "label": 1, "canvas_size": (28, 28), "seamless": True}
    for sharpened in ({"guidance": 1.0}, {"top_p": 0.8}):
        events = ask(wire.Sample(job="a", **fields, **sharpened))  # type: ignore[arg-type]
        assert events[-1].done == events[-1].total
        assert events[-1].log_prob is not None


def test_large_canvases_are_drawn_a_few_at_a_time(
    tiny_materials: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.engine.generation.picture_job.GROUP_PIXELS", 300)
    events = ask(wire.Sample(job="a", model=tiny_materials, seeds=(1, 2, 3), canvas_size=(10, 12)))
    assert [(e.first, len(e.pictures)) for e in events if e.done == e.total] == [(0, 2), (2, 1)]


def test_a_picture_grows_around_pixels_that_are_kept(tiny_materials: str, ask: Ask) -> None:
    canvas = np.zeros((14, 18, 1), np.uint8)
    own = np.random.default_rng(0).integers(0, 4, (9, 7, 1)).astype(np.uint8) * 85
    free = np.ones((14, 18), np.uint8)
    canvas[:9, :7] = own
    free[:9, :7] = 0
    last = ask(wire.Inpaint(job="a", model=tiny_materials, seeds=(1, 2), label=0, picture=canvas, mask=free))[-1]
    assert np.array_equal(last.pictures[:, :9, :7], np.stack([own, own]))
    assert not np.array_equal(last.pictures[0], last.pictures[1])
    assert last.following_log_prob is not None, "kept rows follow the first pixel beside them"


def test_temperature_and_uncertainty_of_a_canvas_change_while_it_is_drawn(tiny_materials: str) -> None:
    jobs = JobStarter(CPU)
    events = jobs.start(wire.Sample(job="a", model=tiny_materials, seeds=(1,), label=0, canvas_size=(12, 16)))
    seen = []
    for event in events:
        if isinstance(event, wire.PicturesPreview):
            seen.append(event)
        if len(seen) == 1:
            list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,), report_entropy=True)))
    last = seen[-1]
    assert last.entropy is not None
    assert last.entropy.shape == (1, 12, 16)
    assert np.isnan(last.entropy[0, 0]).all()
    assert np.array_equal(last.entropy[0, -1], np.zeros(16)), "at temperature 0 nothing is uncertain"
    assert last.temperature_map is not None
    assert last.temperature_map.shape == (12, 16)


def test_a_model_with_borders_and_a_mixture_keep_their_size(
    tiny_pixels: str, tiny_others: str, tiny_materials: str, ask: Ask
) -> None:
    with pytest.raises(DoesNotFit, match='"Pixels" draws only pictures of 8 × 8 grey.*without borders'):
        ask(wire.Sample(job="a", model=tiny_pixels, seeds=(1,), canvas_size=(20, 20)))
    with pytest.raises(DoesNotFit, match="in a mixture"):
        ask(wire.Sample(job="a", model=tiny_pixels, second_model=tiny_others, seeds=(1,), canvas_size=(20, 20)))
    with pytest.raises(DoesNotFit, match="26 pixels a side or more"):
        ask(wire.Sample(job="a", model=tiny_materials, seeds=(1,), canvas_size=(20, 3), seamless=True))
    with pytest.raises(DoesNotFit, match="the picture is 3 × 1025, but a side has at most 1,024 pixels"):
        ask(wire.Score(job="a", model=tiny_materials, picture=np.zeros((1025, 3, 1), np.uint8)))
