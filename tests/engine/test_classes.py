"""Every job uses the requested class, and a refusal lists the classes."""

import math

import numpy as np
import pytest
import torch

from studio.engine.device import ComputeDevice
from studio.engine.generation.sampling import ModelCache
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)


@pytest.fixture
def jobs() -> JobStarter:
    return JobStarter(CPU)


def drawn(jobs: JobStarter, ask: wire.Sample | wire.Interpolate | wire.DecodeClasses) -> np.ndarray:
    last = [e for e in jobs.start(ask) if isinstance(e, wire.PicturesPreview) and e.done == e.total]
    return np.concatenate([event.pictures for event in last])


def explored(jobs: JobStarter, ask: wire.DecodeLatent) -> np.ndarray:
    (shown,) = [e for e in jobs.start(ask) if isinstance(e, wire.Decoded)]
    return shown.picture


def test_a_requested_class_is_drawn(tiny_kinds: str, jobs: JobStarter) -> None:
    dark = drawn(jobs, wire.Sample(job="a", model=tiny_kinds, seeds=tuple(range(32)), label=0))
    light = drawn(jobs, wire.Sample(job="a", model=tiny_kinds, seeds=tuple(range(32)), label=1))
    assert light[:, 2:].mean() > dark[:, 2:].mean() + 90


def test_each_seed_keeps_its_own_class_if_none_is_requested(tiny_kinds: str, jobs: JobStarter) -> None:
    model = ModelCache(CPU.torch_device).get_model(tiny_kinds).model
    seeds = tuple(range(24))
    kinds = model.draw_classes(seeds)
    assert kinds is not None
    assert 4 < int(kinds.sum()) < 20, "both kinds come up"
    ask = wire.Sample(job="a", model=tiny_kinds, seeds=seeds)
    mixed = drawn(jobs, ask)
    told = [kind for event in jobs.start(ask) if isinstance(event, wire.PicturesPreview) for kind in event.labels or ()]
    assert told == kinds.tolist()
    for seed in (0, 7, 23):
        alone = explored(jobs, wire.DecodeLatent(job="b", model=tiny_kinds, seed=seed))
        named = explored(jobs, wire.DecodeLatent(job="b", model=tiny_kinds, seed=seed, label=int(kinds[seed])))
        assert np.array_equal(alone, mixed[seed])
        assert np.array_equal(alone, named)


def test_an_opened_picture_gets_its_likeliest_class_and_decodes_back(tiny_kinds: str, jobs: JobStarter) -> None:
    for label in (0, 1):
        picture = drawn(jobs, wire.Sample(job="a", model=tiny_kinds, seeds=(3,), temperature=(0.5,), label=label))[0]
        (found,) = [e for e in jobs.start(wire.Encode(job="a", model=tiny_kinds, picture=picture)) if e]
        assert isinstance(found, wire.Encoded)
        assert found.exact
        assert found.label == label
        ask = wire.DecodeLatent(job="b", model=tiny_kinds, latent=found.latent, label=found.label)
        assert np.array_equal(explored(jobs, ask), picture)


def test_a_missing_class_is_refused_with_a_list_of_classes(tiny_kinds: str, tiny: str, jobs: JobStarter) -> None:
    with pytest.raises(DoesNotFit, match='"Kinds" has 2 classes, 0 to 1, but class 2'):
        list(jobs.start(wire.Sample(job="a", model=tiny_kinds, seeds=(1,), label=2)))
    with pytest.raises(DoesNotFit, match='"Rings" has no classes'):
        list(jobs.start(wire.DecodeLatent(job="a", model=tiny, label=0)))


def test_a_score_without_a_class_is_that_of_the_even_mixture(tiny_kinds: str) -> None:
    model = ModelCache(CPU.torch_device).get_model(tiny_kinds).model
    x = torch.randint(0, 256, (5, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    each = model.log_prob_of_classes(x).double()
    assert torch.allclose(model.log_prob(x).double(), torch.log(each.exp().mean(1)), rtol=1e-5) or bool(
        torch.allclose(model.log_prob(x).double(), torch.logsumexp(each, 1) - math.log(2), rtol=1e-6)
    )
    with pytest.raises(ValueError, match="2 classes"):
        model.encode(x)


def test_the_way_between_two_classes_changes_in_the_middle(tiny_kinds: str, jobs: JobStarter) -> None:
    ends = wire.LatentPoint(seed=1, label=0), wire.LatentPoint(seed=2, label=1)
    frames = drawn(jobs, wire.Interpolate(job="a", model=tiny_kinds, begin=ends[0], end=ends[1], frames=9))
    assert frames.shape == (9, 4, 4, 1)
    assert np.array_equal(frames[0], explored(jobs, wire.DecodeLatent(job="b", model=tiny_kinds, seed=1, label=0)))
    assert np.array_equal(frames[-1], explored(jobs, wire.DecodeLatent(job="b", model=tiny_kinds, seed=2, label=1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_latent_is_drawn_in_every_class(tiny_noise: str, jobs: JobStarter, dtype: type[np.floating]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    (own,) = [e for e in jobs.start(wire.Encode(job="a", model=tiny_noise, picture=x)) if isinstance(e, wire.Encoded)]
    for point in (
        wire.LatentPoint(latent=own.latent.astype(dtype), label=own.label),
        wire.LatentPoint(seed=3, sliders=(1.5,), temperature=(0.8,)),
    ):
        alphabet = drawn(jobs, wire.DecodeClasses(job="b", model=tiny_noise, point=point))
        for label, letter in enumerate(alphabet):
            same = wire.DecodeLatent(
                job="c",
                model=tiny_noise,
                seed=point.seed,
                latent=point.latent,
                sliders=point.sliders,
                temperature=point.temperature,
                label=label,
            )
            assert np.array_equal(letter, explored(jobs, same))
        assert len(alphabet) == 2
        assert not np.array_equal(*alphabet)
        if point.latent is not None:
            assert np.array_equal(alphabet[own.label or 0], x)


def test_a_model_without_classes_has_no_alphabet(tiny: str, jobs: JobStarter) -> None:
    with pytest.raises(DoesNotFit, match='"Rings" has no alphabet'):
        list(jobs.start(wire.DecodeClasses(job="a", model=tiny, point=wire.LatentPoint(seed=1))))


def test_an_artwork_is_scored_with_and_without_its_class(
    tiny_kinds: str, jobs: JobStarter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pack = tmp_path_factory.mktemp("packs") / "kinds.npz"
    x = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
    y = np.arange(8) % 2
    np.savez(pack, train_x=255 - x, train_y=y, test_x=x, test_y=y)
    events = [e for e in jobs.start(wire.Evaluate(job="e", model=tiny_kinds, source=str(pack))) if e]
    assert isinstance(events[-1], wire.EvaluationProgress)
    figures = {metric: value for metric, value, _ in events[-1].figures}
    assert set(figures) == {"bits per dimension", "bits per dimension given its kind", "nats in logit space"}
    assert [exact for _, _, exact in events[-1].figures] == [False, False, True]
