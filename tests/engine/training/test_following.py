"""A WaveNet learns to follow the pitch and the loudness of recordings, and then follows those of a user."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from studio import cli
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine.device import ComputeDevice
from studio.engine.events import result_of
from studio.engine.followed_signal import FollowedSignal
from studio.engine.generation.sound_job import SoundJob
from studio.engine.jobs import JobStarter
from studio.engine.levels import DoesNotFit, levels_of_sound
from studio.engine.training.augmentation import Augmentation, SoundVariation
from studio.engine.training.config import config_for_data, config_to_dict, with_changes, with_steps
from studio.engine.training.recordings import TrainingRecordings, with_signals
from studio.library import models
from studio.media.decoder import open_recording
from studio.wire import messages as wire
from studio.zoo.wavenet import WaveNet

CPU = ComputeDevice(torch.device("cpu"), "Processor, 1 thread", 1, has_bf16=False)
RATE = 8000
HOP = 64
Ask = Callable[[wire.AnyCommand], list[Any]]


@pytest.fixture
def ask() -> Ask:
    at_work = JobStarter(CPU)
    return lambda command: [event for event in at_work.start(command) if event is not None]


def tune(frequencies: list[float], samples: int = 1600) -> np.ndarray:
    """Return tones one after the other, int16, each as long as `samples`."""
    time = np.arange(samples) / RATE
    heights = [0.5 * np.sin(2 * np.pi * frequency * time) for frequency in frequencies]
    return (np.concatenate(heights) * 32_767).astype(np.int16)


def recipe(**words: Any) -> WaveNet:
    return WaveNet(cycles=1, layers=5, channels=16, skip=16, hop=HOP, **words)


def following(waves: list[np.ndarray], **words: Any) -> tuple[AutoregressiveSound, TrainingRecordings]:
    """Return a lively model that follows pitch and loudness, and recordings with their signals."""
    torch.manual_seed(0)
    model = recipe(follows_pitch=True, follows_loudness=True, **words).build((1600,)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    x = tuple(levels_of_sound(wave, 256) for wave in waves)
    kinds = torch.arange(len(waves)) % 2 if words.get("classes") else None
    sounds = TrainingRecordings(x, kinds, tuple(torch.from_numpy(wave) for wave in waves))
    return model, result_of(with_signals(sounds, FollowedSignal(True, True, HOP, RATE)))


def cuts(model: AutoregressiveSound, sounds: TrainingRecordings, step: int, **words: Any) -> Any:
    return sounds.cuts_of_step(step, 3, 1000, model.receptive_field, model.silence_level, 0, **words)


@torch.no_grad()
@pytest.mark.parametrize("classes", [(), (2,)])
def test_a_cut_follows_the_same_signal_as_its_whole_sound(classes: tuple[int, ...]) -> None:
    """The bits of the samples of a cut are those that they have in the whole sound."""
    generator = np.random.default_rng(0)
    noise = [generator.integers(-9000, 9000, size).astype(np.int16) for size in (6000, 5000)]
    model, sounds = following([tune([220, 330, 440, 262])[:6000] + noise[0], noise[1]], classes=classes)
    whole = [model.surprisal(one.x, one.c)[0] for one in sounds.one_by_one()]
    compared = 0
    for step in range(8):
        found = cuts(model, sounds, step)
        for row, c in zip(found.x, found.c, strict=True):
            wanted = row[model.receptive_field :]
            if not bool((wanted >= 0).all()):
                continue
            places = [
                float(bits[at : at + 1000].mean())
                for x, bits in zip(sounds.x, whole, strict=True)
                for at in range(0, len(x) - 999, HOP)
                if torch.equal(x[at : at + 1000].int(), wanted)
            ]
            assert places == [pytest.approx(float(model.loss_of_cuts(row[None], c[None])), rel=1e-4)]
            compared += 1
    assert compared > 4


def test_a_cut_that_is_not_varied_has_the_signal_of_the_recording_inside_of_it() -> None:
    model, sounds = following([tune([220, 330, 440, 262, 294])])
    nothing = SoundVariation(Augmentation(), RATE, 256)
    for step in range(4):
        plain, same = cuts(model, sounds, step), cuts(model, sounds, step, variation=nothing)
        assert torch.equal(plain.x, same.x)
        assert plain.c.shape == same.c.shape
        inside = slice(5, -5)  # the window of an outer frame reaches beyond the cut
        assert torch.allclose(plain.c[:, :, inside], same.c[:, :, inside], atol=0.05)


def test_a_varied_cut_is_followed_as_it_is_heard() -> None:
    model, sounds = following([tune([262] * 5)])
    usual = float(cuts(model, sounds, 1).c[:, 61].median())
    quieter = [cuts(model, sounds, step, variation=SoundVariation(Augmentation(gain=24.0), RATE, 256)).c
               for step in range(4)]  # fmt: skip
    assert min(float(c[:, 61].median()) for c in quieter) < usual - 0.2
    notes = set[int]()
    for step in range(6):
        c = cuts(model, sounds, step, variation=SoundVariation(Augmentation(speed=0.3), RATE, 256)).c
        notes |= set(c[:, :61].sum(2).argmax(1).tolist())
    assert len(notes) > 3


def test_pieces_of_recordings_begin_with_a_frame() -> None:
    _, sounds = following([tune([220, 330, 440])])
    pieces = sounds.cut_into_pieces(1000)
    assert [len(x) for x in pieces.x] == [1000] * 4
    assert torch.equal(pieces.x[1], sounds.x[0][960:1960])
    assert torch.equal(pieces.signals[1], sounds.signals[0][:, 15:])


def test_the_usual_signal_is_as_long_as_asked() -> None:
    _, sounds = following([tune([220]), tune([330, 440])])
    assert torch.equal(sounds.usual_signal(40), sounds.signals[1][:, :40])
    long = sounds.usual_signal(120)
    assert torch.equal(long[:, :50], sounds.signals[1]) and torch.equal(long[:, 50:100], sounds.signals[1])


@pytest.fixture
def melodies(tmp_path: Path) -> Path:
    """Write recordings of two tones in random order."""
    folder = tmp_path / "melodies"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(8):
        frequencies = generator.permutation([247.0, 392.0, 247.0, 392.0])
        soundfile.write(folder / f"{i}.wav", tune(frequencies.tolist(), 1200), RATE, subtype="PCM_16")
    return folder


def train(ask: Ask, folder: Path, run: Path, name: str, steps: int = 60, **words: Any) -> models.InstalledModel:
    config = with_steps(config_for_data(name, folder, "wavenet", "tiny", (1600,), RATE), steps)
    plan = {"batch": 4, "cut_samples": 800, "learning_rate": 0.01, "warm_up": 5, "evaluate_every": 60}
    changes = {"cycles": 1, "layers": 5, "channels": 16, "skip": 16, "hop": HOP, **words}
    fields = config_to_dict(with_changes(config, changes, plan, {}, {}))
    ask(wire.Train(job="t", source=str(folder), run_folder=str(run), config=fields, sample_seeds=(1,)))
    return models.find_model(name)


def main_frequency(sound: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * RATE / len(sound))


def stream(ask: Ask, **asked: Any) -> np.ndarray:
    command = {"job": "s", "model": "tunes", "seed": 3, "seconds": 0.4, "temperature": 0.5, **asked}
    events = ask(wire.StreamSound(**command))
    return np.concatenate([event.samples for event in events if isinstance(event, wire.SoundChunk)])


def test_a_model_is_trained_evaluated_and_made_to_follow_a_recording(
    ask: Ask, melodies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = train(ask, melodies, tmp_path / "run", "tunes", 150, follows_pitch=True, follows_loudness=True)
    card = trained.card
    assert card.followed_text == "pitch and loudness"
    assert card.sampling_text == "makes sound sample by sample and follows pitch and loudness"
    (again,) = [e for e in ask(wire.Evaluate(job="e", model="tunes", source=str(melodies))) if e.figures]
    assert again.figures[0][1] == pytest.approx(card.value, abs=1e-3)

    # A sound of a seed has the pitch of what it follows.
    for frequency in (247.0, 392.0):
        made = stream(ask, followed_sound=tune([frequency], 3200))
        assert main_frequency(made[800:]) == pytest.approx(frequency, rel=0.03)

    # The file of a user is followed in the terminal, and gives the length.
    hummed = tmp_path / "hummed.wav"
    soundfile.write(hummed, tune([392], 3200), RATE, subtype="PCM_16")
    words = ["sample", "tunes", "--seed", "3", "--temperature", "0.5", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--follow", str(hummed)]) == 0
    heard = open_recording(tmp_path / "out" / "tunes-3.wav", RATE).samples
    assert len(heard) == 3200
    assert main_frequency(np.asarray(heard)[800:]) == pytest.approx(392, rel=0.03)
    capsys.readouterr()

    # Whatever is priced is priced given its own signal.
    sound = tune([247, 392])
    (own,) = ask(wire.Score(job="p", model="tunes", picture=sound))
    chunks = ask(wire.ComputeBits(job="b", model="tunes", sound=sound, first_sample=900))
    bits = np.concatenate([event.bits for event in chunks])
    assert np.allclose(bits, own.bits[900:], atol=1e-3)
    (encoded,) = ask(wire.Encode(job="n", model="tunes", picture=sound))
    assert encoded.exact
    with pytest.raises(DoesNotFit, match="follows a recording"):
        ask(wire.DecodeLatent(job="d", model="tunes", latent=encoded.latent))


def test_a_sound_continues_with_the_signal_of_its_place_however_it_was_interrupted(ask: Ask, melodies: Path,
    tmp_path: Path) -> None:  # fmt: skip
    train(ask, melodies, tmp_path / "run", "tunes", 2, follows_pitch=True)
    followed = tune([220, 400, 300], 1000)
    whole = stream(ask, followed_sound=followed, temperature=1.0)
    for begin in (1000, 1777):
        rest = stream(
            ask, followed_sound=followed, temperature=1.0, sound_to_continue=whole[:begin],
            seconds=(len(whole) - begin) / RATE,
        )  # fmt: skip
        assert np.array_equal(rest, whole[begin:])


def test_samples_that_are_generated_again_follow_the_signal_of_their_place(ask: Ask, melodies: Path,
    tmp_path: Path) -> None:  # fmt: skip
    train(ask, melodies, tmp_path / "run", "tunes", 2, follows_pitch=True)
    followed = tune([220, 400, 300, 350], 1000)
    command = wire.StreamSound(
        job="s", model="tunes", seed=3, seconds=2.0, temperature=1.0, followed_sound=followed
    )  # fmt: skip
    whole = stream(ask, seconds=2.0, temperature=1.0, followed_sound=followed)
    job = SoundJob(command, JobStarter(CPU).model_cache.get_model("tunes"))
    heard = np.zeros(2 * RATE, np.int16)
    again = {6000: 5001, 9000: 3003, 14_000: 13_333}
    for event in job.steps():
        if isinstance(event, wire.SoundChunk):
            heard[event.first_sample :][: len(event.samples)] = event.samples
            done = event.first_sample + len(event.samples)
            for late in [late for late in again if late <= done]:
                heard[again[late] :] = 0
                job.adjust(wire.Adjust(job="a", running_job="s", from_sample=again.pop(late)))
    assert not again
    assert np.array_equal(heard, whole)


def test_the_terminal_trains_a_model_that_follows(melodies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(melodies), "--family", "wavenet", "--rate", str(RATE), "--name", "hum", "--steps", "1"]
    small = [f"--set={one}" for one in ("layers=3", "channels=8", "skip=8", "cycles=1", "hop=256")]
    assert cli.main([*words, "--set", "follow"]) == 2
    assert 'no option "follow"' in (told := capsys.readouterr().err)
    assert "follows_pitch, follows_loudness, hop" in told
    assert cli.main([*words, *small, "--set", "follows_pitch"]) == 0
    card = models.find_model("hum").card
    assert (card.followed_text, card.recipe["layers"]) == ("pitch", 3)


def test_models_that_follow_nothing_and_sounds_that_are_too_long_are_refused(ask: Ask, melodies: Path,
    tmp_path: Path, tiny_recordings: str, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    train(ask, melodies, tmp_path / "run", "tunes", 2, follows_loudness=True)
    sound = np.zeros(1000, np.int16)
    with pytest.raises(DoesNotFit, match="follows no recording"):
        stream(ask, model=tiny_recordings, followed_sound=sound)
    with pytest.raises(DoesNotFit, match="only 120 seconds can be followed"):
        stream(ask, followed_sound=np.zeros(121 * RATE, np.int16))
    with pytest.raises(DoesNotFit, match="must be"):
        stream(ask, followed_sound=np.zeros(0, np.int16))
    assert cli.main(["sample", tiny_recordings, "--follow", "x.wav", "--out", str(tmp_path)]) == 2
    assert "follows no recording. Leave --follow out." in capsys.readouterr().err


def test_a_run_that_follows_is_resumed_with_its_usual_signal(ask: Ask, melodies: Path, tmp_path: Path) -> None:
    def usual(steps: int, name: str) -> Tensor:
        train(ask, melodies, tmp_path / name, name, steps, follows_pitch=True)
        model = JobStarter(CPU).model_cache.get_model(name).model
        assert isinstance(model, AutoregressiveSound)
        signal: Tensor = model.net.usual_signal
        return signal

    signal = usual(2, "first")
    assert float(signal.sum(0).mean()) > 0.5, "a recording of tones"
    (tmp_path / "first").rename(tmp_path / "second")
    assert torch.equal(signal, usual(4, "second"))
