"""The bits of a stretch equal those in the whole recording. They come in short steps, with a class."""

from typing import Any

import numpy as np
import pytest
import torch

from studio.density.autoregressive_sound import SHORT_SEGMENT_SAMPLES, AutoregressiveSound
from studio.engine.device import ComputeDevice
from studio.engine.generation.encoding import CLASS_SECONDS
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, levels_of_sound
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
RATE = 8000


@pytest.fixture
def jobs() -> JobStarter:
    return JobStarter(CPU)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * (200 + 90 * np.sin(3 * at)) * at) + 0.3 * generator.standard_normal(len(at))
    return (9000 * wave).astype(np.int16)


def steps(jobs: JobStarter, **asked: Any) -> list[Any]:
    return list(jobs.start(wire.ComputeBits(**{"job": "p", "label": 1, **asked})))


def bits(said: list[Any]) -> np.ndarray:
    return np.concatenate([event.bits for event in said if event is not None])


def test_a_stretch_has_the_same_bits_as_in_the_whole(tiny_recordings: str, jobs: JobStarter) -> None:
    heard = sound(4.0)
    (whole,) = filter(None, jobs.start(wire.Score(job="s", model=tiny_recordings, picture=heard, label=1)))
    field = jobs.model_cache.get_model(tiny_recordings).model.receptive_field
    for first, end, lead in ((0, 9000, 0), (20_000, 29_500, 20_000), (20_000, 29_500, field + 1), (500, 700, 500)):
        said = steps(jobs, model=tiny_recordings, sound=heard[first - lead : end], first_sample=lead)
        pieces = [event for event in said if event is not None]
        assert pieces[0].first_sample == lead and {piece.label for piece in pieces} == {1}
        np.testing.assert_allclose(bits(said), whole.bits[first:end], atol=2e-3)


def test_the_number_of_steps_does_not_depend_on_the_stretchs_place(
    tiny_recordings: str, jobs: JobStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced = list[int]()
    plain = AutoregressiveSound.log_prob_of_samples

    def counted(self: AutoregressiveSound, x: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        priced.append(x.shape[1])
        return plain(self, x, numbers)

    monkeypatch.setattr(AutoregressiveSound, "log_prob_of_samples", counted)
    heard = sound(60.0)
    taken = []
    for first in (10_000, 400_000):
        priced.clear()
        said = steps(jobs, model=tiny_recordings, sound=heard[: first + 4000], first_sample=first)
        assert max(priced) <= SHORT_SEGMENT_SAMPLES and len(said) >= len(priced), (
            "between two of these others have their turn"
        )
        taken.append(sum(priced))
    assert taken[0] == taken[1] < 4000 + 2 * SHORT_SEGMENT_SAMPLES


def test_only_the_last_second_decides_the_class(tiny_recordings: str, jobs: JobStarter) -> None:
    model = jobs.model_cache.get_model(tiny_recordings).model
    heard = sound(5.0)
    last = levels_of_sound(heard[-round(CLASS_SECONDS * RATE) :], model.levels)[None]
    likeliest = int(model.log_prob_of_classes(last)[0].argmax())
    (told,) = filter(None, steps(jobs, model=tiny_recordings, sound=heard, first_sample=len(heard), label=None))
    assert told.label == likeliest and not len(told.bits)
    for ask in (
        wire.Score(job="s", model=tiny_recordings, picture=heard),
        wire.ComputeBits(job="p", model=tiny_recordings, sound=heard, first_sample=30_000),
    ):
        assert {event.label for event in jobs.start(ask) if event is not None} == {likeliest}
    said = [
        steps(jobs, model=tiny_recordings, sound=part, first_sample=len(part), label=None)
        for part in (heard, heard[-RATE:])
    ]
    assert len(said[0]) == len(said[1]), "what is before the last second costs nothing"


def test_only_a_model_of_recordings_computes_bits_of_a_recording(
    tiny: str, tiny_recordings: str, jobs: JobStarter
) -> None:
    with pytest.raises(DoesNotFit, match="makes no recordings, so it cannot compute their bits. Choose a WaveNet"):
        steps(jobs, model=tiny, sound=sound(0.1), label=None)
    with pytest.raises(DoesNotFit, match="the model works on 16-bit samples"):
        steps(jobs, model=tiny_recordings, sound=np.zeros(9))
    with pytest.raises(DoesNotFit, match="the model works on 16-bit samples"):
        steps(jobs, model=tiny_recordings, sound=sound(0.1), first_sample=801)
