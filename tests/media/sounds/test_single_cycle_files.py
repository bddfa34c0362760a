"""The window and the terminal accept the same cycles, and refuse the same."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media.pictures.image import FileRefused
from studio.media.sounds.single_cycle import cycle_from_wave, may_be_cycles, read_cycle, read_wave
from tests.media.containers.writers import chunk, wav

SAMPLES = 256
AT = np.arange(600) / 600
CYCLE = 0.6 * np.sin(2 * np.pi * AT) + 0.2 * np.sin(2 * np.pi * 7 * AT + 1)
CANCELLED = "its channels cancel each other out, so the first one is used"
BROUGHT = "600 samples brought to 256"


def write(path: Path, wave: np.ndarray, form: str, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, wave, 44_100, format=form, subtype=subtype)
    return path


def both(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return what the window opens, and its notes. The terminal and training must open the same."""
    wave = read_wave(path, SAMPLES)
    seen = cycle_from_wave(wave.array, SAMPLES, wave.name)
    np.testing.assert_array_equal(read_cycle(path, SAMPLES), seen)
    return seen, wave.notes


def refused(path: Path) -> str:
    """Return why both refuse a file, in the same words."""
    reasons = set()
    for read in (read_cycle, both):
        with pytest.raises(FileRefused) as told:
            read(path, SAMPLES) if read is read_cycle else read(path)  # type: ignore[call-arg]
        reasons.add(told.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ALAW"), ("WAV", "ULAW"), ("RF64", "PCM_16"),
        ("W64", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("AIFF", "ALAW"),
        ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("AU", "PCM_16"),
    ],
)  # fmt: skip
def test_a_cycle_is_the_same_in_every_sort_of_file(form: str, subtype: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{form.lower()}", CYCLE, form, subtype)
    wanted, _ = both(write(tmp_path / "plain.wav", CYCLE, "WAV"))
    found, notes = both(path)
    assert notes == (BROUGHT,)
    assert np.abs(found.astype(int) - wanted).max() < (900 if "LAW" in subtype else 20)
    assert may_be_cycles(path) or subtype == "ALAC_16"


@pytest.mark.parametrize("form", ["WAV", "FLAC", "AIFF"])
def test_a_cycle_in_anti_phase_is_that_of_its_first_channel(form: str, tmp_path: Path) -> None:
    wanted, _ = both(write(tmp_path / "plain.wav", CYCLE, "WAV"))
    found, notes = both(write(tmp_path / "a", np.stack([CYCLE, -CYCLE], 1), form))
    assert notes == (CANCELLED, BROUGHT)
    assert np.abs(found.astype(int) - wanted).max() < 20


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_a_wavetable_opens_as_its_first_frame(form: str, tmp_path: Path) -> None:
    at = 2 * np.pi * np.arange(2048) / 2048
    table = np.concatenate([0.5 * np.sin(at), 0.5 * np.sin(at) + 0.2 * np.sin(3 * at), 0.4 * np.sin(at)])
    found, notes = both(write(tmp_path / "a", table, form))
    assert notes == ("the first of its 3 frames is used", "2,048 samples brought to 256")
    assert np.abs(found - 30_000 * np.sin(2 * np.pi * np.arange(SAMPLES) / SAMPLES)).max() < 20
    assert may_be_cycles(tmp_path / "a")


@pytest.mark.parametrize("samples", [4096, 8192])
def test_a_long_single_cycle_is_not_a_table_of_its_parts(samples: int, tmp_path: Path) -> None:
    at = 2 * np.pi * np.arange(samples) / samples
    found, notes = both(write(tmp_path / "a.wav", 0.5 * np.sin(at) + 0.1 * np.sin(2 * at), "WAV"))
    assert notes == (f"{samples:,} samples brought to 256",)
    at = 2 * np.pi * np.arange(SAMPLES) / SAMPLES
    wanted = 0.5 * np.sin(at) + 0.1 * np.sin(2 * at)
    assert np.abs(found / np.abs(found).max() - wanted / np.abs(wanted).max()).max() < 0.01


def test_a_file_that_is_not_a_cycle_is_refused_in_the_same_words(tmp_path: Path) -> None:
    long = "is 2.0 seconds long, and a single cycle has at most 8,192 samples"
    noise = 0.1 * np.random.default_rng(0).standard_normal(88_201)
    flac = io.BytesIO()
    soundfile.write(flac, np.random.default_rng(0).uniform(-1, 1, 600), 44_100, format="FLAC")
    (tmp_path / "cut.flac").write_bytes(flac.getvalue()[:-100])
    (tmp_path / "cut.wav").write_bytes(wav()[:-100])
    (tmp_path / "text.wav").write_bytes(b"nothing" * 100)
    cases = {
        write(tmp_path / "long.wav", noise, "WAV"): long,
        write(tmp_path / "long.flac", noise, "FLAC"): long,
        write(tmp_path / "silent.wav", np.zeros(600), "WAV"): "is silent",
        write(tmp_path / "silent.flac", np.zeros(600), "FLAC"): "is silent",
        write(tmp_path / "constant.wav", np.full(600, 0.5), "WAV"): "is silent",
        write(tmp_path / "short.aiff", CYCLE[:7], "AIFF"): "is too short to be a cycle of a wave",
        tmp_path / "cut.flac": "holds no FLAC sound that can be read",
        tmp_path / "cut.wav": "is cut off",
        tmp_path / "text.wav": "holds no WAV sound that can be read",
    }
    for path, reason in cases.items():
        assert refused(path) == reason, path.name


@pytest.mark.parametrize("length", [0, 2**32 - 1, 2**31 - 1])
def test_a_cycle_whose_length_is_unknown_is_opened(length: int, tmp_path: Path) -> None:
    body = np.rint(CYCLE * 32_767).astype("<i2").tobytes()
    (tmp_path / "a.wav").write_bytes(wav(length, 0, body=body, before=chunk(b"junk", bytes(4)) * 200))
    wanted, _ = both(write(tmp_path / "plain.wav", CYCLE, "WAV"))
    found, notes = both(tmp_path / "a.wav")
    assert notes == (BROUGHT,) and np.abs(found.astype(int) - wanted).max() < 20
    assert may_be_cycles(tmp_path / "a.wav")


@pytest.mark.parametrize(("form", "cycle"), [("WAV", True), ("FLAC", False), ("AIFF", False)])
def test_of_damaged_files_only_a_wav_may_be_a_cycle(form: str, cycle: bool, tmp_path: Path) -> None:
    path = write(tmp_path / f"cut.{form.lower()}", CYCLE, form)
    path.write_bytes(path.read_bytes()[:20])
    assert may_be_cycles(path) == cycle


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_recording_is_not_a_cycle(form: str, tmp_path: Path) -> None:
    wave = 0.3 * np.random.default_rng(0).standard_normal(30_000)
    soundfile.write(tmp_path / "a", wave, 44_100, format=form)
    assert not may_be_cycles(tmp_path / "a")
    assert not may_be_cycles(tmp_path / "none")
