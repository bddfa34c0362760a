"""Recordings that sound alike are near to each other, and drawn ones are compared with held-out ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from studio import cli
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine.events import result_of
from studio.engine.levels import levels_of_sound
from studio.engine.training import distance
from studio.engine.training.recordings import TrainingRecordings
from studio.zoo.wavenet import WaveNet

RATE = 8000


def noise(cutoff: float, seed: int, count: int = 4, samples: int = 8000) -> TrainingRecordings:
    """Return recordings of noise below a frequency in Hz."""
    generator = np.random.default_rng(seed)
    spectra = np.fft.rfft(generator.normal(0, 3000, (count, samples)))
    spectra[:, int(cutoff * samples / RATE) :] = 0
    waves = np.fft.irfft(spectra, samples).clip(-32_768, 32_767).astype(np.int16)
    return TrainingRecordings(tuple(levels_of_sound(wave, 256) for wave in waves))


def distance_between(a: TrainingRecordings, b: TrainingRecordings) -> float:
    sides = [distance._statistics(sounds.x, 256, RATE) for sounds in (a, b)]
    return distance._distance(*sides)


def test_the_distance_grows_with_the_difference_in_colour() -> None:
    there = noise(2000, 0)
    near = distance_between(noise(2000, 1), there)
    steps = [distance_between(noise(cutoff, 1), there) for cutoff in (1800, 1500, 1000)]
    assert distance_between(there, there) == pytest.approx(0, abs=1e-6)
    assert near < 0.1 * steps[0]
    assert steps == sorted(steps)


def test_the_distance_is_that_of_the_formula() -> None:
    a, b = noise(2000, 0), noise(1000, 1)
    (mean, spread), (other, own) = (distance._statistics(sounds.x, 256, RATE) for sounds in (a, b))
    root = _root(_root(spread) @ own @ _root(spread))
    wanted = (mean - other).square().sum() + (spread + own - 2 * root).trace()
    assert distance_between(a, b) == pytest.approx(float(wanted), rel=1e-4)


def _root(matrix: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


@torch.no_grad()
def test_drawn_recordings_are_as_long_and_of_the_same_classes_as_held_out_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model = WaveNet(cycles=1, layers=3, channels=8, skip=8, classes=(2,)).build((1000,)).eval()
    asked = []
    decode = AutoregressiveSound.decode_steps

    def noted(self: AutoregressiveSound, z: torch.Tensor, c: torch.Tensor, temperature: torch.Tensor) -> object:
        asked.append((z.shape[1], int(c[0]), temperature[0, [0, 100]].tolist()))
        return decode(self, z, c, temperature)

    monkeypatch.setattr(AutoregressiveSound, "decode_steps", noted)
    held_out = TrainingRecordings(tuple(noise(2000, 2, 3, 900).x), torch.tensor([1, 0, 1]))
    learned = TrainingRecordings(tuple(noise(2000, 3, 3, 900).x), torch.tensor([1, 0, 1]))
    found = result_of(distance.measure_distances(model, learned, held_out, RATE, (0.5, 2.0)))
    assert asked == [(900, 1, [2.0, 0.5]), (900, 0, [2.0, 0.5]), (900, 1, [2.0, 0.5])]
    assert found is not None
    assert found[0] > 3 * found[1] > 0, "it has learned nothing"


def test_recordings_of_less_than_two_frames_have_no_distance() -> None:
    model = WaveNet(cycles=1, layers=2, channels=8, skip=8).build((64,)).eval()
    short = TrainingRecordings((torch.full((5,), 128, dtype=torch.uint8),))
    assert result_of(distance.measure_distances(model, short, short, RATE, (1.0, 0.0))) is None


def test_evaluate_prints_the_distances_as_a_proxy(
    tiny_recordings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "beeps"
    pack.mkdir()
    rows = ["split,start,length,pitch"]
    for split, count in (("train", 4), ("test", 2)):
        waves = [9000 * np.sign(np.sin(np.arange(900) * (0.1 + 0.2 * (i % 2)))) for i in range(count)]
        rows += [f"{split},{900 * i},900,{('low', 'high')[i % 2]}" for i in range(count)]
        soundfile.write(pack / f"{split}.flac", np.concatenate(waves).astype(np.int16), RATE, subtype="PCM_16")
    (pack / "index.csv").write_text("\n".join(rows))
    assert cli.main(["evaluate", tiny_recordings, str(pack), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {line["metric"]: line["value"] for line in lines if line.get("proxy")}
    drawn, learned = (f"Fréchet distance of {made} recordings to held-out ones" for made in ("drawn", "learned"))
    assert told[drawn] > told[learned] >= 0
    assert cli.main(["evaluate", tiny_recordings, str(pack)]) == 0
    assert "held-out ones, a proxy" in capsys.readouterr().out
