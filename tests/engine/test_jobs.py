"""Commands become generators of events: what they yield, in which order, and what they refuse."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio import kernels
from studio.engine.device import ComputeDevice
from studio.engine.generation import encoding, sampling
from studio.engine.jobs import JobStarter
from studio.engine.training.config import config_for_data, config_to_dict, with_steps
from studio.library import models
from studio.media.pictures.image import FileRefused
from studio.wire import frames
from studio.wire import messages as wire
from tests.engine.generation.test_sound_job import HUM, RATE

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)


Ask = Callable[[wire.AnyCommand], list[Any]]


@pytest.fixture
def ask() -> Ask:
    at_work = JobStarter(CPU)

    def answered(command: wire.AnyCommand) -> list[Any]:
        said = [event for event in at_work.start(command) if event is not None]
        splitter = frames.event_splitter()
        for event in said:  # whatever a job yields must go through the pipe
            splitter.feed(frames.encode(event))
            assert type(splitter.next_message()) is type(event)
        return said

    return answered


def finished(events: list[Any]) -> list[wire.PicturesPreview]:
    return [e for e in events if isinstance(e, wire.PicturesPreview) and e.done == e.total]


def test_a_batch_is_drawn_in_groups_and_each_picture_is_its_seeds(tiny: str, ask: Ask) -> None:
    events = ask(wire.Sample(job="a", model=tiny, seeds=tuple(range(20)), temperature=(0.8,)))
    done = finished(events)
    assert [(e.first, len(e.pictures)) for e in done] == [(0, 8), (8, 8), (16, 4)]
    assert all(e.log_prob is not None and len(e.log_prob) == len(e.pictures) for e in done)
    (alone,) = finished(ask(wire.Sample(job="b", model=tiny, seeds=(17,), temperature=(0.8,))))
    assert np.array_equal(done[2].pictures[1], alone.pictures[0])
    assert alone.log_prob == pytest.approx([(done[2].log_prob or ())[1]], rel=1e-5)


def test_a_loop_is_found_in_steps_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = JobStarter(CPU)
    monkeypatch.setattr(at_work.model_cache, "get_model", lambda name: HUM)
    sound = np.rint(12_000 * np.sin(2 * np.pi * 110 * np.arange(RATE) / RATE)).astype(np.int16)
    *steps, last = at_work.start(wire.FindLoop(job="a", model="hum", sound=sound, begin=2000, end=6011, label=1))
    assert len(steps) > 20 and not any(steps)
    assert isinstance(last, wire.LoopFound) and last.join_bits <= last.join_bits_before


def test_a_score_is_computed_in_steps_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = JobStarter(CPU)
    monkeypatch.setattr(at_work.model_cache, "get_model", lambda name: HUM)
    sound = np.rint(12_000 * np.sin(2 * np.pi * 110 * np.arange(600) / RATE)).astype(np.int16)
    *steps, last = at_work.start(wire.Score(job="a", model="hum", picture=sound))
    assert len(steps) >= 2 and not any(steps)  # one for each of its two classes
    assert isinstance(last, wire.Scored)


def test_explore_at_home_shows_what_generate_made(tiny: str, ask: Ask) -> None:
    (made,) = finished(ask(wire.Sample(job="a", model=tiny, seeds=(7,), temperature=(0.6,))))
    (shown,) = ask(wire.DecodeLatent(job="b", model=tiny, seed=7, temperature=(0.6,), sliders=(0.0,) * 12))
    assert np.array_equal(made.pictures[0], shown.picture)


@pytest.mark.parametrize("double", [False, True])
def test_a_users_picture_decodes_back(tiny: str, ask: Ask, rings: np.ndarray, double: bool) -> None:
    (found,) = ask(wire.Encode(job="a", model=tiny, picture=rings[150]))
    assert (found.exact, found.differing, found.total, found.is_bound) == (True, 0, 192, True)
    latent = found.latent.astype(np.float64) if double else found.latent
    (shown,) = ask(wire.DecodeLatent(job="b", model=tiny, latent=latent))
    assert np.array_equal(shown.picture, rings[150])


def test_float64_decodes_back_if_float32_fails(
    tiny: str, ask: Ask, rings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = encoding.encode_artwork

    def worse(
        loaded: sampling.LoadedModel, picture: np.ndarray, label: int | None, *, search: bool
    ) -> Iterator[encoding.EncodedArtwork | None]:
        for found in true(loaded, picture, label, search=search):
            if found is not None and loaded.model.dtype == torch.float32:
                yield replace(found, differing=3, largest_difference=1)
            else:
                yield found

    monkeypatch.setattr(encoding, "encode_artwork", worse)
    (found,) = ask(wire.Encode(job="a", model=tiny, picture=rings[0]))
    assert found.exact
    assert found.latent.dtype == np.float64


def test_a_shortage_of_memory_halves_the_group_and_is_reported(
    tiny: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = sampling.draw_artworks

    def greedy(loaded: sampling.LoadedModel, seeds: tuple[int, ...], *how: object) -> Iterator[object]:
        if len(seeds) > 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return true(loaded, seeds, *how)

    monkeypatch.setattr(sampling, "draw_artworks", greedy)
    events = ask(wire.Sample(job="a", model=tiny, seeds=tuple(range(10))))
    notices = [e.text for e in events if isinstance(e, wire.Notice)]
    assert [n.split(",")[0] for n in notices] == ["Memory ran out"]
    assert "4 pictures at a time" in notices[-1]
    assert [(e.first, len(e.pictures)) for e in finished(events)] == [(0, 4), (4, 4), (8, 2)]


def test_faults_are_reported_before_anything_is_generated(tiny: str, ask: Ask) -> None:
    with pytest.raises(models.BadModel, match="no model named"):
        ask(wire.Sample(job="a", model="nothing", seeds=(1,)))
    with pytest.raises(sampling.DoesNotFit, match="has no classes"):
        ask(wire.Sample(job="a", model=tiny, seeds=(1,), label=3))
    with pytest.raises(sampling.DoesNotFit, match="temperatures were given"):
        ask(wire.Sample(job="a", model=tiny, seeds=(1,), temperature=(1.0,) * 5))
    with pytest.raises(sampling.DoesNotFit, match="works on"):
        ask(wire.Encode(job="a", model=tiny, picture=np.zeros((4, 4, 3), np.uint8)))


def test_a_folder_becomes_a_model_of_the_user(ask: Ask, rings: np.ndarray, tmp_path: Path, studio_home: Path) -> None:
    pack = tmp_path / "rings.npz"
    np.savez(pack, train_x=rings[:120], test_x=rings[120:])
    config = with_steps(config_for_data("roses", pack, "nice", "tiny", (3, 8, 8)), 4)
    command = wire.Train(job="t", source=str(pack), run_folder=str(tmp_path / "run"), config=config_to_dict(config))
    events = ask(command)
    learned = [e for e in events if isinstance(e, wire.TrainingProgress)]
    assert learned[-1].step == learned[-1].steps == 4
    assert learned[-1].held_out is not None
    found = models.find_model("roses")
    assert found.path == studio_home / "models" / "roses.safetensors"
    assert found.card.training_data == "rings.npz"
    assert finished(ask(wire.Sample(job="s", model="roses", seeds=(1,))))


def test_a_folder_of_rubbish_is_refused_with_counts(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    config = config_for_data("roses", tmp_path, "realnvp", "tiny", (3, 8, 8))
    with pytest.raises(FileRefused, match="usable"):
        ask(wire.Train(job="t", source=str(tmp_path), run_folder=str(tmp_path / "run"), config=config_to_dict(config)))


def test_doctor_examines_everything(tiny: str, ask: Ask) -> None:
    (diagnosis,) = ask(wire.Doctor(job="d"))
    looked_at = {what: finding for what, _, finding in diagnosis.findings}
    assert looked_at["Device"].startswith("Processor")
    assert tiny in looked_at["Models"]
    assert "GB free" in looked_at["Space"]
    assert "torch" in looked_at
    assert str(kernels.cache_folder()) in looked_at["Loops"]


def test_doctor_counts_the_loops_that_are_compiled(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.CACHE_VARIABLE, str(tmp_path))
    (tmp_path / "kernels_1").mkdir()
    for done, loop in enumerate(kernels.LOOPS.values()):
        (diagnosis,) = ask(wire.Doctor(job="d"))
        said = f"{done} of {len(kernels.LOOPS)} compiled, the others when they are needed, in {tmp_path}"
        assert ("Loops", True, said) in diagnosis.findings
        (tmp_path / "kernels_1" / loop.last.replace("*", "7.py311")).touch()
    (diagnosis,) = ask(wire.Doctor(job="d"))
    assert ("Loops", True, f"all compiled, in {tmp_path}") in diagnosis.findings
