"""A WaveNet in the engine is trained on a pack of clips, streamed and measured. Other requests are refused."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, levels_of_sound, sound_of_levels
from studio.engine.training.config import config_for_data, config_from_json, config_to_dict, with_steps
from studio.engine.training.recordings import TrainingRecordings, bits_per_sample
from studio.library import models
from studio.media.sounds import flac_baseline
from studio.wire import messages as wire
from studio.zoo.wavenet import WaveNet

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
Ask = Callable[[wire.AnyCommand], list[Any]]


@pytest.fixture
def ask() -> Ask:
    at_work = JobStarter(CPU)
    return lambda command: [event for event in at_work.start(command) if event is not None]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Write clips of 8 kHz: classes low and high of the groups square and sawtooth."""
    folder = tmp_path / "beeps"
    generator = np.random.default_rng(0)
    folder.mkdir()
    rows = ["split,start,length,pitch,shape"]
    for split, count in (("train", 24), ("test", 4)):
        waves = []
        at = 0
        for i in range(count):
            length = int(generator.integers(500, 900))
            period = (40, 16)[i % 2]
            saw = (np.arange(length) + int(generator.integers(period))) % period / period - 0.5
            waves.append((12_000 * (saw if i // 2 % 2 else np.sign(saw + 0.01))).astype(np.int16))
            rows.append(f"{split},{at},{length},{('low', 'high')[i % 2]},{('square', 'saw')[i // 2 % 2]}")
            at += length
        soundfile.write(folder / f"{split}.flac", np.concatenate(waves), 8000, subtype="PCM_16")
    (folder / "index.csv").write_text("\n".join(rows))
    return folder


def make_config(**changes: Any) -> dict[str, Any]:
    """Return a small WaveNet's config, as it is sent in a message."""
    recipe = {"family": "wavenet", "cycles": 1, "layers": 6, "channels": 16, "skip": 16, "classes": [2, 2]}
    plan = {
        "steps": 60,
        "batch": 8,
        "cut_samples": 256,
        "learning_rate": 0.01,
        "warm_up": 5,
        "evaluate_every": 30,
        "average_decay": 0.9,
    }
    fields = {
        "name": "beeps", "title": "Beeps", "subject": "Beeps", "training_data": "28 beeps", "licence": "CC0 1.0",
        "shape": [600], "levels": 256, "sample_rate": 8000, "label_columns": ["pitch", "shape"],
        "recipe": recipe, "plan": plan,
    }  # fmt: skip
    return {**fields, **changes}


def learn(ask: Ask, pack: Path, run: Path, fields: dict[str, Any]) -> list[Any]:
    return ask(wire.Train(job="t", source=str(pack), run_folder=str(run), config=fields))


def test_a_cycle_model_is_trained_drawn_opened_and_evaluated(ask: Ask, pack: Path, tmp_path: Path) -> None:
    events = learn(ask, pack, tmp_path / "run", make_config())
    card = models.find_model("beeps").card
    assert card.classes == ("high saw", "high square", "low saw", "low square")
    assert (card.medium, card.sample_rate, card.levels, card.size_text) == ("sound", 8000, 256, "8 kHz")
    assert (card.metric, card.exact, card.directions) == ("bits per sample given its kind", True, ())
    assert 0 < card.value < 3, "eight bits before it learned anything"
    assert [name for name, _, _ in card.figures[1:]] == [
        "bits per sample as FLAC",
        "bits per sample by a linear prediction of order 2",
    ]
    assert models.read_cover(models.find_model("beeps").path).shape == (9, 600)
    learned = [event for event in events if isinstance(event, wire.TrainingProgress)]
    assert learned[-1].held_out is not None
    assert learned[0].rate > 0

    (again,) = [e for e in ask(wire.Evaluate(job="e", model="beeps", source=str(pack))) if e.figures]
    assert again.figures[0][1] == pytest.approx(card.value, abs=1e-3)

    events = ask(wire.Sample(job="a", model="beeps", seeds=(1, 2, 3), label=2))
    last = [event for event in events if isinstance(event, wire.PicturesPreview) and event.done == event.total]
    assert last[0].pictures.shape == (3, 600)
    assert last[0].pictures.dtype == np.int16
    (found,) = ask(wire.Encode(job="b", model="beeps", picture=last[0].pictures[1], label=2))
    assert found.exact
    (shown,) = ask(wire.DecodeLatent(job="c", model="beeps", latent=found.latent, label=2))
    assert np.array_equal(shown.picture, last[0].pictures[1])
    (scored,) = ask(wire.Score(job="d", model="beeps", picture=last[0].pictures[1], label=2))
    assert last[0].log_prob is not None
    assert -scored.log_prob / math.log(2) == pytest.approx(float(scored.bits.sum()), rel=1e-4)
    assert scored.log_prob == pytest.approx(last[0].log_prob[1], rel=1e-4)


def performed(ask: Ask, model: str, **asked: Any) -> tuple[np.ndarray, float]:
    """Stream a sound of class 1, and return it with its chunks' nats."""
    events = ask(wire.StreamSound(**{"job": "a", "model": model, "label": 1, **asked}))
    parts = [event for event in events if isinstance(event, wire.SoundChunk)]
    nats = -math.log(2) * float(np.concatenate([part.bits for part in parts]).sum(dtype=np.float64))
    return np.concatenate([part.samples for part in parts]), nats


def test_a_sound_is_streamed_scored_and_continued(tiny_recordings: str, ask: Ask) -> None:
    sounds = [performed(ask, tiny_recordings, seed=seed, seconds=0.125) for seed in (1, 2)]
    for sound, nats in sounds:
        assert sound.shape == (1000,)
        (scored,) = ask(wire.Score(job="b", model=tiny_recordings, picture=sound, label=1))
        assert scored.log_prob == pytest.approx(nats, rel=1e-4)

    # The continuation is scored given its beginning, and the beginning matters: another one leads elsewhere.
    follows = []
    for begin, _ in sounds:
        more, nats = performed(ask, tiny_recordings, seed=9, seconds=0.04, sound_to_continue=begin)
        (both,) = ask(wire.Score(job="b", model=tiny_recordings, picture=np.concatenate((begin, more)), label=1))
        (alone,) = ask(wire.Score(job="b", model=tiny_recordings, picture=begin, label=1))
        assert nats == pytest.approx(both.log_prob - alone.log_prob, rel=1e-4)
        follows.append(more)
    assert not np.array_equal(*follows)


def test_a_run_continues_where_it_stopped(ask: Ask, pack: Path, tmp_path: Path) -> None:
    fields = make_config()
    fields["plan"] |= {"steps": 12, "save_every_seconds": 1e-6}
    whole = learn(ask, pack, tmp_path / "whole", fields)
    steps = JobStarter(CPU).start(
        wire.Train(job="t", source=str(pack), run_folder=str(tmp_path / "cut"), config=fields)
    )
    for event in steps:
        if isinstance(event, wire.TrainingProgress):
            break
    steps.close()  # type: ignore[attr-defined]
    resumed = learn(ask, pack, tmp_path / "cut", fields)
    last = [[e for e in events if isinstance(e, wire.TrainingProgress)][-1] for events in (whole, resumed)]
    assert last[0].loss == pytest.approx(last[1].loss, rel=1e-5)


def test_classes_that_do_not_fit_and_families_without_classes_are_named(ask: Ask, pack: Path, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match='needs 2 × 2 classes, but "beeps" has no classes'):
        learn(ask, pack, tmp_path / "a", make_config(label_columns=[]))
    with pytest.raises(DoesNotFit, match="only a WaveNet"):
        recipe = {"family": "maf", "layers": 1, "hidden": [8]}
        learn(ask, pack, tmp_path / "b", make_config(recipe=recipe, label_columns=[], shape=[64]))


def test_every_sample_is_predicted_once_an_epoch_and_silence_follows_a_clip() -> None:
    sounds = TrainingRecordings((torch.full((1000,), 7), torch.arange(90), torch.full((200,), 9)))
    told: dict[int, int] = {}
    silent = 0
    steps = sum(len(x) // 100 + 1 for x in sounds.x) // 2
    for step in range(steps):
        cuts = sounds.cuts_of_step(step, 2, 100, 30, 128, seed=3)
        assert cuts.x.shape == (2, 130)
        for row in cuts.x[:, 30:].tolist():
            silent += row.count(128)
            for level in row:
                told[level] = told.get(level, 0) + 1
    assert all(told[level] == 1 for level in range(90) if level not in (7, 9))
    assert told[9] == 200 + 1
    assert 900 < told[7] <= 1001, "a long sound's cuts begin anywhere"
    assert silent == 10 + 100
    again, other = (sounds.cuts_of_step(step, 2, 100, 30, 128, seed=3) for step in (0, steps))
    assert torch.equal(again.x, sounds.cuts_of_step(0, 2, 100, 30, 128, seed=3).x)
    assert not torch.equal(again.x, other.x)


@torch.no_grad()
def test_a_cut_has_the_same_bits_as_within_its_sound() -> None:
    torch.manual_seed(0)
    model = WaveNet(cycles=1, layers=4, channels=8, skip=8).build((64,))
    for parameter in model.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
    model.double().train()
    x = torch.randint(0, 256, (1000,))
    cut = TrainingRecordings((x,)).cuts_of_step(0, 1, 100, model.receptive_field, 128, seed=1)
    row = cut.x[0].tolist()
    bits = model.surprisal(x[None])[0]
    there = [level for level in row if level >= 0]
    begin = next(i for i in range(1000) if x[i : i + len(there)].tolist() == there)
    wanted = begin + model.receptive_field - row.count(-1) if row[0] < 0 else begin + model.receptive_field
    priced = bits[max(wanted, 0) : begin + len(there)]
    assert float(cut.loss(model)) == pytest.approx(float(priced.mean()), rel=1e-6)


@torch.no_grad()
def test_a_figure_counts_every_sample_of_every_sound_once() -> None:
    model = WaveNet(cycles=1, layers=2, channels=8, skip=8).build((64,))
    model.net.b_bias[3] += 4.0
    model.eval()
    sounds = TrainingRecordings((torch.full((5,), 3), torch.full((95,), 200)))
    each = [float(model.surprisal(x[None]).mean()) for x in sounds.x]
    assert each[0] < 5 < each[1]
    assert bits_per_sample(model, sounds) == pytest.approx(0.05 * each[0] + 0.95 * each[1], rel=1e-5)


def test_mu_law_equals_that_of_telephones() -> None:
    wave = np.arange(-32_768, 32_768, 7).astype(np.int16)
    bent = np.sign(wave) * np.log(1 + 255 * np.abs(wave / 32_768)) / np.log(256)
    assert levels_of_sound(wave, 256).tolist() == np.floor((bent + 1) / 2 * 255 + 0.5).astype(int).tolist()
    codes = torch.arange(256)
    assert torch.equal(levels_of_sound(sound_of_levels(codes, 256), 256).long(), codes)
    assert int(levels_of_sound(np.zeros(1, np.int16), 256)) == 128


def test_baselines_give_the_bits_of_sounds_without_a_model() -> None:
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 256, 20_000).astype(np.uint8) for _ in range(2)]
    assert flac_baseline.flac_bits(noise, 256) / 40_000 == pytest.approx(8, abs=0.1)
    assert flac_baseline.predicted_bits(noise) / 40_000 == pytest.approx(8, abs=0.4)
    slow = [(128 + 100 * np.sin(np.arange(20_000) / 30 + i)).round().astype(np.uint8) for i in range(2)]
    assert flac_baseline.predicted_bits(slow) / 40_000 < 2 < flac_baseline.flac_bits(slow, 256) / 40_000 + 1
    assert flac_baseline.flac_bits([np.full(40_000, 128, np.uint8)], 256) / 40_000 < 0.1
    fine = [np.full(5000, 32_768 + 300, np.int32)]
    assert flac_baseline.flac_bits(fine, 65_536) < 5000
    assert flac_baseline.predicted_bits(fine) == 0


def test_a_users_folder_is_trained_with_its_preset(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in range(3):
        wave = 0.3 * np.sin(np.arange(3000 + i) * (0.1 + 0.05 * i))
        soundfile.write(folder / f"{i}.wav", wave, 8000, subtype="PCM_16")
    config = config_for_data("mine", folder, "wavenet", "tiny", (1000,), 8000)
    assert (config.levels, config.sample_rate, config.plan.batch) == (256, 8000, 2)
    fields = config_to_dict(with_steps(config, 3))
    fields["plan"] |= {"cut_samples": 200}
    learn(ask, folder, tmp_path / "run", fields)
    card = models.find_model("mine").card
    assert (card.sample_rate, card.classes, card.metric) == (8000, (), "bits per sample")


def test_the_recipes_of_sounds_are_usable() -> None:
    for path in (Path(__file__).parents[3] / "models/recipes").glob("wavenet-*.json"):
        found = config_from_json(path.read_bytes())
        model = found.recipe.build(found.shape, found.levels)
        assert model.receptive_field >= found.sample_rate / 4, "a quarter of a second, or a tone has no past"
