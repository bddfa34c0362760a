"""A live change applies from the next row on, and previews report the values that were used."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.generation import sampling
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit
from studio.library.card import Card
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
SEEDS = tuple(range(10))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> JobStarter:
    monkeypatch.setattr("studio.engine.generation.picture_job._PREVIEW_SECONDS", 0)  # every row is previewed
    return JobStarter(CPU)


def ends(events: list[Any]) -> list[wire.PicturesPreview]:
    return [event for event in events if isinstance(event, wire.PicturesPreview) and event.log_prob is not None]


def made(jobs: JobStarter, **asked: Any) -> list[wire.PicturesPreview]:
    return ends(list(jobs.start(wire.Sample(job="other", seeds=SEEDS, **asked))))


def until(events: Iterator[Any], row: int) -> wire.PicturesPreview:
    return next(event for event in events if isinstance(event, wire.PicturesPreview) and event.done == row)


def test_a_painted_temperature_acts_on_each_pixel(tiny_pixels: str, jobs: JobStarter) -> None:
    calm = made(jobs, model=tiny_pixels, temperature=(0.0,))[0]
    even = made(jobs, model=tiny_pixels)[0]
    heat = np.ones((8, 8), np.float32)
    heat[4:] = 0
    below = made(jobs, model=tiny_pixels, temperature_map=heat)[0]
    assert np.array_equal(below.pictures[:, :4], even.pictures[:, :4])
    assert not np.array_equal(below.pictures, even.pictures)
    assert below.temperature_map is not None
    assert np.array_equal(below.temperature_map, heat)
    all_cold = made(jobs, model=tiny_pixels, temperature_map=np.zeros((8, 8), np.float32))[0]
    assert np.array_equal(all_cold.pictures, calm.pictures)
    assert even.temperature_map is None
    hot = made(jobs, model=tiny_pixels, temperature=(3.0,), temperature_map=heat * 2)[0]
    assert hot.temperature_map is not None
    assert hot.temperature_map.max() == 4


def test_a_change_applies_from_the_next_row_on_and_in_later_groups(tiny_pixels: str, jobs: JobStarter) -> None:
    even = made(jobs, model=tiny_pixels)
    calm = made(jobs, model=tiny_pixels, temperature=(0.0,))
    events = jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS))
    until(events, 3)
    assert not any(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,))))
    first, second = ends(list(events))
    assert np.array_equal(first.pictures[:, :3], even[0].pictures[:, :3])
    assert not np.array_equal(first.pictures[:, 3:], even[0].pictures[:, 3:])
    assert first.temperature_map is not None
    assert first.temperature_map[:, 0].tolist() == [1] * 3 + [0] * 5
    assert first.temperature is None
    assert np.array_equal(second.pictures, calm[1].pictures)
    assert (second.temperature, second.temperature_map) == ((0.0,), None)
    again = made(jobs, model=tiny_pixels, temperature_map=first.temperature_map)
    assert np.array_equal(again[0].pictures, first.pictures)


def test_a_painted_temperature_can_be_changed_and_removed_while_drawing(tiny_pixels: str, jobs: JobStarter) -> None:
    events = jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS, temperature=(0.5,)))
    heat = np.ones((8, 8), np.float32)
    heat[:, 2] = 2
    until(events, 2)
    list(jobs.start(wire.Adjust(job="b", running_job="a", temperature_map=heat)))
    until(events, 5)
    list(jobs.start(wire.Adjust(job="c", running_job="a", temperature_map=np.ones_like(heat))))
    first, second = ends(list(events))
    assert first.temperature_map is not None
    assert first.temperature_map[:, 2].tolist() == [0.5] * 2 + [1] * 3 + [0.5] * 3
    assert (np.delete(first.temperature_map, 2, 1) == 0.5).all()
    assert second.temperature_map is None


def test_a_completion_follows_live_controls(tiny_pixels: str, jobs: JobStarter, rings: np.ndarray) -> None:
    free = np.zeros((8, 8), np.uint8)
    free[2:] = 1
    whole = {"model": tiny_pixels, "picture": rings[130, ..., :1], "mask": free, "seeds": SEEDS}
    events = jobs.start(wire.Inpaint(job="a", **whole))
    until(events, 4)
    list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,))))
    steered = ends(list(events))[0]
    heat = np.ones((8, 8), np.float32)
    heat[4:] = 0
    painted = ends(list(jobs.start(wire.Inpaint(job="c", temperature_map=heat, **whole))))[0]
    assert np.array_equal(steered.pictures, painted.pictures)
    assert np.array_equal(steered.temperature_map, heat)


def test_a_waiting_job_is_adjusted_before_it_begins_and_an_ended_one_is_ignored(
    tiny_pixels: str, jobs: JobStarter
) -> None:
    assert list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,)))) == []
    assert list(jobs.start(wire.Adjust(job="c", running_job="a", temperature_map=np.zeros((3, 3))))) == []
    events = list(jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS)))
    assert [event.text for event in events if isinstance(event, wire.Notice)] == [
        "The temperature is painted on (3, 3), but the picture is (8, 8)."
    ]
    calm = made(jobs, model=tiny_pixels, temperature=(0.0,))
    for steered, asked in zip(ends(events), calm, strict=True):
        assert np.array_equal(steered.pictures, asked.pictures)
        assert steered.temperature == (0.0,)
    assert list(jobs.start(wire.Adjust(job="d", running_job="a", temperature=(2.0,)))) == []


def test_a_flow_follows_a_change_in_its_next_group(tiny: str, jobs: JobStarter) -> None:
    asked = wire.Sample(job="a", model=tiny, seeds=SEEDS)
    even = ends(list(jobs.start(asked)))
    calm = made(jobs, model=tiny, temperature=(0.1,))
    events = jobs.start(asked)
    until(events, 1)
    list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.1,))))
    first, second = ends(list(events))
    assert np.array_equal(first.pictures, even[0].pictures)
    assert np.array_equal(second.pictures, calm[1].pictures)
    assert [(end.temperature, end.temperature_map) for end in (first, second)] == [(None, None), ((0.1,), None)]


@pytest.mark.parametrize(
    ("heat", "words"),
    [
        (np.ones((8, 4)), r"painted on \(8, 4\), but the picture is \(8, 8\)"),
        (np.full((8, 8), np.nan), "between 0 and 4"),
        (np.full((8, 8), -1.0), "between 0 and 4"),
        (np.full((8, 8), 4.5), "between 0 and 4"),
    ],
)
def test_an_impossible_adjustment_is_reported_and_the_job_continues(
    tiny_pixels: str, jobs: JobStarter, heat: np.ndarray, words: str
) -> None:
    with pytest.raises(DoesNotFit, match=words):
        made(jobs, model=tiny_pixels, temperature_map=heat)
    events = jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS))
    until(events, 2)
    with pytest.raises(DoesNotFit, match=words):
        list(jobs.start(wire.Adjust(job="b", running_job="a", temperature=(0.0,), temperature_map=heat)))
    for end, even in zip(ends(list(events)), made(jobs, model=tiny_pixels), strict=True):
        assert np.array_equal(end.pictures, even.pictures)
        assert (end.temperature, end.temperature_map) == (None, None)


def test_a_flow_refuses_a_painted_temperature(tiny: str, jobs: JobStarter) -> None:
    with pytest.raises(DoesNotFit, match="Choose a model that draws pixel by pixel"):
        made(jobs, model=tiny, temperature_map=np.ones((8, 8)))


def test_two_models_are_mixed_and_each_end_of_the_share_is_one_model(
    tiny_pixels: str, tiny_others: str, jobs: JobStarter
) -> None:
    one = made(jobs, model=tiny_pixels)
    other = made(jobs, model=tiny_others)
    for share, alone in ((0.0, one), (1.0, other)):
        both = made(jobs, model=tiny_pixels, second_model=tiny_others, share=share)
        for end, wanted in zip(both, alone, strict=True):
            assert np.array_equal(end.pictures, wanted.pictures)
            assert end.log_prob == wanted.log_prob
    half = made(jobs, model=tiny_pixels, second_model=tiny_others, share=0.5)[0]
    assert not np.array_equal(half.pictures, one[0].pictures)
    assert not np.array_equal(half.pictures, other[0].pictures)


def test_a_share_can_be_changed_and_the_score_belongs_to_the_drawing(
    tiny_pixels: str, tiny_others: str, jobs: JobStarter
) -> None:
    asked = {"model": tiny_pixels, "second_model": tiny_others}
    events = jobs.start(wire.Sample(job="a", seeds=SEEDS, share=0.0, **asked))
    until(events, 3)
    list(jobs.start(wire.Adjust(job="b", running_job="a", share=1.0)))
    first, second = ends(list(events))
    assert first.share_map is not None
    assert first.share_map[:, 0].tolist() == [0] * 3 + [1] * 5
    assert (first.share, second.share, second.share_map) == (None, 1.0, None)
    again = made(jobs, share=1.0, share_map=first.share_map, **asked)[0]
    assert np.array_equal(again.pictures, first.pictures)
    assert again.log_prob == first.log_prob
    one, other = (made(jobs, model=name) for name in (tiny_pixels, tiny_others))
    assert np.array_equal(first.pictures[:, :3], one[0].pictures[:, :3])
    assert np.array_equal(second.pictures, other[1].pictures)
    assert second.log_prob == other[1].log_prob


def test_models_that_cannot_be_mixed_are_reported(
    tiny_pixels: str, tiny: str, tiny_kinds: str, jobs: JobStarter
) -> None:
    with pytest.raises(DoesNotFit, match='"Rings" does not draw pixel by pixel'):
        made(jobs, model=tiny_pixels, second_model=tiny)
    events = jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS))
    until(events, 2)
    with pytest.raises(DoesNotFit, match="no second model is mixed in"):
        list(jobs.start(wire.Adjust(job="b", running_job="a", share=0.5)))


def _kinds(*names: str) -> sampling.LoadedModel:
    """Return a model of 4 × 4 pixels with these classes."""
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(width=4, layers=1, size=3, head=4, classes=len(names))
    model = recipe.build((1, 4, 4), 4).eval().requires_grad_(False)
    card = Card(
        name="k", title="K", family="gated_pixelcnn", family_title="", subject="", shape=(1, 4, 4), levels=4, recipe={},
        training_data="", licence="", parameters=0, steps=0, value=0.0, exact=True, classes=names, date="", version="",
    )  # fmt: skip
    return sampling.LoadedModel(card, "", model, torch.zeros(0), 1)


def test_each_model_uses_the_class_of_the_same_name_or_the_seeds_own() -> None:
    both = sampling.mix_loaded(_kinds("Cat", "Dog", "Owl"), _kinds("Owl", "Cat"))
    own = sampling.classes_for(both.parts[1], SEEDS, None)  # type: ignore[index]
    for label, second in ((0, [1] * 10), (1, own.tolist()), (2, [0] * 10)):
        found = sampling.classes_for(both, SEEDS, label)
        assert found.tolist() == [label * 2 + kind for kind in second]
    assert sampling.classes_for(sampling.mix_loaded(_kinds("Cat", "Dog"), _kinds()), SEEDS, 1).tolist() == [1] * 10
    assert torch.equal(sampling.classes_for(sampling.mix_loaded(_kinds(), _kinds("Owl", "Cat")), SEEDS, None), own)


def test_entropy_is_reported_for_every_row_drawn_pixel_by_pixel(tiny_pixels: str, tiny: str, jobs: JobStarter) -> None:
    events = list(jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS, report_entropy=True)))
    drawn = [event for event in events if isinstance(event, wire.PicturesPreview)]
    assert len(drawn) == 2 * 9
    for event in drawn:
        assert event.entropy is not None
        assert event.entropy.shape == (len(event.pictures), min(event.done, 8), 8)
        assert event.entropy.dtype == np.float32
        assert 0 <= event.entropy.min() <= event.entropy.max() <= 4, "bits of 16 levels"
    whole = ends(events)
    unwatched = made(jobs, model=tiny_pixels)
    for one, other in zip(whole, unwatched, strict=True):
        assert np.array_equal(one.pictures, other.pictures), "watched, the same is drawn"
        assert other.entropy is None
    cold = made(jobs, model=tiny_pixels, temperature=(0.0,), report_entropy=True)[0].entropy
    assert cold is not None
    assert not cold.any(), "there is nothing to choose"
    with pytest.raises(DoesNotFit, match="does not draw pixel by pixel, so its pixels have no uncertainty"):
        made(jobs, model=tiny, report_entropy=True)


def test_entropy_is_the_mean_surprise(tiny_pixels: str, jobs: JobStarter) -> None:
    """The mean bits paid equal the entropy expected. The first pixel's entropy is the same for all pictures."""
    seeds = tuple(range(400))
    found = ends(list(jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=seeds, report_entropy=True))))
    doubt = np.concatenate([event.entropy for event in found if event.entropy is not None])
    paid = -np.concatenate([event.log_prob or () for event in found]) / np.log(2)
    assert np.ptp(doubt[:, 0, 0]) < 1e-5
    assert paid.mean() == pytest.approx(doubt.sum((1, 2)).mean(), abs=4 * paid.std() / len(paid) ** 0.5)


def test_entropy_can_be_turned_on_and_off_while_drawing(tiny_pixels: str, tiny: str, jobs: JobStarter) -> None:
    events = jobs.start(wire.Sample(job="a", model=tiny_pixels, seeds=SEEDS))
    assert until(events, 3).entropy is None
    list(jobs.start(wire.Adjust(job="b", running_job="a", report_entropy=True)))
    now = until(events, 5).entropy
    assert now is not None
    assert np.isnan(now[:, :3]).all()
    assert np.isfinite(now[:, 3:]).all()
    list(jobs.start(wire.Adjust(job="b", running_job="a", report_entropy=False)))
    first, second = ends(list(events))
    assert (first.entropy, second.entropy) == (None, None)
    events = jobs.start(wire.Sample(job="a", model=tiny, seeds=SEEDS))
    until(events, 1)
    with pytest.raises(DoesNotFit, match="does not draw pixel by pixel"):
        list(jobs.start(wire.Adjust(job="b", running_job="a", report_entropy=True)))
    assert len(ends(list(events))) == 2, "the job goes on as it was"


def test_kept_pixels_have_no_entropy(tiny_pixels: str, jobs: JobStarter, rings: np.ndarray) -> None:
    picture = rings[130, ..., :1] // 16 * 17
    free = np.zeros((8, 8), np.uint8)
    free[4:, 2:6] = 1
    ask = wire.Inpaint(job="a", model=tiny_pixels, picture=picture, mask=free, seeds=(1, 2), report_entropy=True)
    (last,) = ends(list(jobs.start(ask)))
    assert last.entropy is not None
    assert np.array_equal(np.isfinite(last.entropy), np.broadcast_to(free > 0, (2, 8, 8)))
