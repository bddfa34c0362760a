"""The pitch and the loudness of sounds are found, frame by frame, as a WaveNet follows them."""

import math

import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.engine import followed_signal
from studio.engine.audio import import_torchaudio
from studio.engine.followed_signal import FollowedSignal
from studio.engine.levels import levels_of_sound, sound_of_levels
from studio.zoo.wavenet import FOLLOWED_NOTES, WaveNet

RATE = 16_000
BOTH = FollowedSignal(True, True, 256, RATE)


def tone(note: float, seconds: float = 0.5, decay: float = 0.0, rate: int = RATE) -> Tensor:
    """Return a tone with four harmonics that dies away by e^-decay each second."""
    time = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    frequency = 440 * 2 ** ((note - 69) / 12)
    wave = torch.zeros_like(time)
    for k in range(1, 5):
        if k * frequency < rate / 2:
            wave += torch.sin(2 * math.pi * frequency * k * time + k) / k
    return (0.2 * wave * torch.exp(-decay * time)).float()


def notes(signal: Tensor) -> Tensor:
    """Return the note of each frame, `(frames,)`; 0 if there is none."""
    weights = signal[: len(FOLLOWED_NOTES)]
    return (weights * torch.tensor(FOLLOWED_NOTES)[:, None]).sum(0)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("decay", [0.0, 5.0])
def test_the_pitch_of_a_note_is_found_over_five_octaves_even_while_it_dies_away(rate: int, decay: float) -> None:
    follow = FollowedSignal(True, False, 256, rate)
    for note in range(37, 97, 4):
        found = notes(follow.of_sound(tone(note, decay=decay, rate=rate)))[3:-3]
        assert float(((found - note).abs() < 0.5).double().mean()) > 0.85, note


def test_a_pitch_between_two_notes_is_a_mixture_of_both() -> None:
    signal = BOTH.of_sound(tone(60.3))[: len(FOLLOWED_NOTES), 10]
    assert signal[60 - 36] == pytest.approx(0.7, abs=0.05)
    assert signal[61 - 36] == pytest.approx(0.3, abs=0.05)
    assert float(signal.sum()) == pytest.approx(1, abs=1e-5)


def test_silence_noise_and_an_offset_have_no_pitch() -> None:
    torch.manual_seed(0)
    for sound in (torch.zeros(8000), 0.2 * torch.randn(8000), torch.full((8000,), 0.3), 1e-4 * tone(60)):
        assert float(BOTH.of_sound(sound)[: len(FOLLOWED_NOTES)].max()) == 0


def test_torchaudio_finds_the_same_steady_notes_but_not_those_that_die_away() -> None:
    """This is why the pitch is not left to torchaudio. If its function improves, this test fails, and ours can go."""
    detect = import_torchaudio().functional.detect_pitch_frequency

    def theirs(sound: Tensor) -> float:
        frequencies = detect(sound[None], RATE, 256 / RATE, 5, 65, 1100)
        return 69 + 12 * math.log2(float(frequencies.median()) / 440)

    for note in range(38, 60, 3):
        ours = float(notes(BOTH.of_sound(tone(note))).median())
        assert theirs(tone(note)) == pytest.approx(ours, abs=0.5)
    assert not any(abs(theirs(tone(note, decay=5.0)) - note) < 0.5 for note in range(63, 85, 3))


def test_loudness_grows_with_the_sound_and_ends_at_that_of_silence() -> None:
    follow = FollowedSignal(False, True, 256, RATE)
    means = [float(follow.of_sound(gain * tone(60))[0, 5:-5].mean()) for gain in (0.0, 0.001, 0.01, 0.1, 1.0, 4.0)]
    assert means[0] == -2
    assert all(before < after for before, after in zip(means, means[1:], strict=False))
    assert means[-1] < 1


def test_a_frame_is_that_of_its_place_however_long_the_sound_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = torch.cat((tone(50), torch.zeros(4000), tone(62, decay=3.0)))
    whole = BOTH.of_sound(sound)
    assert whole.shape == (len(FOLLOWED_NOTES) + 1, -(-len(sound) // 256))
    found = notes(whole)
    assert (found[5:25] - 50).abs().max() < 0.5
    assert found[35:42].max() == 0
    assert (found[52:60] - 62).abs().max() < 0.5
    monkeypatch.setattr(followed_signal, "BLOCK_FRAMES", 7)
    assert torch.allclose(BOTH.of_sound(sound), whole, atol=1e-5)
    assert BOTH.of_sound(torch.zeros(0)).shape[1] == BOTH.of_sound(torch.zeros(256)).shape[1] == 1


def test_a_recording_has_the_signal_that_its_levels_have() -> None:
    """A model learned to follow sounds in its levels, whose noise is loud, too."""
    samples = (tone(57) * 32_768).round().to(torch.int16)
    signal = BOTH.of_samples(samples.numpy())
    heard = sound_of_levels(levels_of_sound(samples.numpy(), 256), 256)
    assert torch.equal(signal, BOTH.of_samples(heard))
    assert torch.equal(signal, BOTH.of_sound(torch.from_numpy(heard) / 32_768))
    assert float((signal - BOTH.of_sound(samples / 32_768))[-1].mean()) > 0.01


def test_what_a_recipe_follows_is_what_its_network_takes() -> None:
    assert followed_signal.followed_signal(WaveNet(), RATE, 256) is None
    assert followed_signal.followed_signal(zoo.FAMILIES["nice"].presets["tiny"], 0, 256) is None
    for pitch, loudness in ((True, False), (False, True), (True, True)):
        recipe = WaveNet(layers=2, channels=8, skip=8, follows_pitch=pitch, follows_loudness=loudness, hop=128)
        follow = followed_signal.followed_signal(recipe, RATE, 4096)
        assert follow == FollowedSignal(pitch, loudness, 128, RATE, 4096)
        model = recipe.build((1280,))
        assert model.net.usual_signal.shape == follow.of_sound(torch.zeros(1280)).shape
