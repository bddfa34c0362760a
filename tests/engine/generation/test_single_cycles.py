"""A model of single cycles works from a pack or a folder to waves that decode back."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.generation.sampling import ModelCache
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, to_arrays, to_levels
from studio.engine.training.config import TrainingConfig, TrainingPlan, config_to_dict
from studio.library import models
from studio.media import dataset
from studio.media.pictures.image import FileRefused
from studio.media.sounds import single_cycle
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)


@pytest.mark.parametrize("levels", [2, 256, 1024, 4096, 65536])
def test_every_level_of_a_sound_converts_back(levels: int) -> None:
    x = torch.arange(levels, dtype=torch.int32)[None]
    sounds = to_arrays(x, levels, ())
    assert sounds.dtype == np.int16
    assert torch.equal(to_levels(sounds, (levels,), levels, ()), x)


@pytest.mark.parametrize("levels", [2, 16, 32, 256])
def test_every_level_of_a_picture_converts_back(levels: int) -> None:
    x = torch.arange(levels, dtype=torch.uint8).view(1, 1, 1, -1)
    pictures = to_arrays(x, levels, ())
    assert int(pictures.min()) == 0
    assert int(pictures.max()) == 255
    assert torch.equal(to_levels(pictures, (1, 1, levels), levels, ()), x)


def test_a_model_of_waves_says_so_and_draws_them(tiny_waves: str) -> None:
    loaded = ModelCache(CPU.torch_device).get_model(tiny_waves)
    assert loaded.card.medium == "sound"
    assert loaded.card.size_text == "32 samples"
    assert loaded.card.levels == 1024
    assert models.read_cover(models.find_model(tiny_waves).path).shape == (9, 32)
    jobs = JobStarter(CPU)
    events = [e for e in jobs.start(wire.Sample(job="a", model=tiny_waves, seeds=(1, 2, 3))) if e]
    assert isinstance(events[-1], wire.PicturesPreview)
    assert events[-1].pictures.shape == (3, 32)
    assert events[-1].pictures.dtype == np.int16
    assert events[-1].log_prob is not None
    wave = events[-1].pictures[1]
    (shown,) = [e for e in jobs.start(wire.DecodeLatent(job="a", model=tiny_waves, seed=2)) if e]
    assert isinstance(shown, wire.Decoded)
    assert np.array_equal(shown.picture, wave)
    (found,) = [e for e in jobs.start(wire.Encode(job="a", model=tiny_waves, picture=wave)) if e]
    assert isinstance(found, wire.Encoded)
    assert found.exact
    with pytest.raises(DoesNotFit, match="the sound is .*uint8"):
        list(jobs.start(wire.Encode(job="a", model=tiny_waves, picture=wave.astype(np.uint8))))


def test_the_way_between_two_waves_begins_and_ends_with_them(tiny_waves: str) -> None:
    ask = wire.Interpolate(
        job="a", model=tiny_waves, begin=wire.LatentPoint(seed=1), end=wire.LatentPoint(seed=2, sliders=(1.0,))
    )
    drawn = [e for e in JobStarter(CPU).start(ask) if isinstance(e, wire.PicturesPreview)]
    assert [e.first for e in drawn] == list(range(0, 64, len(drawn[0].pictures)))
    assert np.concatenate([e.pictures for e in drawn]).shape == (64, 32)


def test_a_folder_of_single_cycles_is_learned_from(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(12):
        phase = np.arange(600 + number) / (600 + number)
        wave = np.sin(2 * np.pi * (phase + generator.random())) + 0.3 * np.sin(6 * np.pi * phase) + 0.2
        soundfile.write(tmp_path / f"{number}.wav", 0.3 * wave, 44_100)
    soundfile.write(tmp_path / "long.wav", np.zeros(44_100), 44_100)
    soundfile.write(tmp_path / "silent.wav", np.zeros(600), 44_100)
    (tmp_path / "notes.txt").write_text("hello")
    found = dataset.load_dataset(tmp_path, (32,))
    assert found.report.used == 12
    assert found.report.summary.startswith('12 sounds are used. 3 files were skipped: "long.wav" is 1.0 seconds long')
    reasons = dict(found.report.skipped)
    assert reasons["long.wav"] == "is 1.0 seconds long, and a single cycle has at most 8,192 samples"
    assert reasons["silent.wav"] == "is silent"
    waves = np.concatenate((found.train, found.test))
    assert waves.dtype == np.int16
    assert set(np.abs(waves).max(1)) == {single_cycle.PEAK}
    assert np.abs(waves.astype(float).mean(1)).max() < 2, "no mean is left"
    assert (waves[:, -1] < 0).all(), "each begins where it rises through zero"
    assert (waves[:, 0] >= 0).all()
    config = TrainingConfig(
        name="mine",
        title="Mine",
        subject="Waves",
        training_data="mine",
        licence="mine",
        shape=(32,),
        levels=256,
        recipe=zoo.maf.MAF(layers=1, hidden=(8,), alpha=None),
        plan=TrainingPlan(steps=2, batch=4),
    )
    ask = wire.Train(job="t", source=str(tmp_path), run_folder=str(tmp_path / "run"), config=config_to_dict(config))
    said = [e for e in JobStarter(CPU).start(ask) if isinstance(e, wire.Notice)]
    assert said[0].text.startswith("12 sounds are used.")
    assert '"mine" is ready' in said[-1].text


def test_a_resampled_cycle_keeps_its_shape() -> None:
    fine = np.sin(2 * np.pi * np.arange(1024) / 1024) - 0.5 * np.sin(4 * np.pi * np.arange(1024) / 1024)
    coarse = single_cycle.cycle_from_wave(fine + 3, 256, "a wave").astype(float)
    wanted = fine[::4] / np.abs(fine[::4]).max()
    turned = np.fft.irfft(np.fft.rfft(coarse).conj() * np.fft.rfft(wanted), 256)
    shift = int(turned.argmax())
    assert np.abs(np.roll(coarse, shift) / single_cycle.PEAK - wanted).max() < 2e-2


def test_pictures_are_not_sounds(tmp_path: Path) -> None:
    pack = tmp_path / "pictures.npz"
    np.savez(pack, train_x=np.zeros((4, 8, 8, 1), np.uint8))
    with pytest.raises(FileRefused, match="does not hold sounds"):
        dataset.load_dataset(pack, (32,))
