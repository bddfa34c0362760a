"""Every plain form of WAV gives the same cycle. A file that is not a wave is refused with a reason."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as some

from studio.media import export
from studio.media.pictures.image import FileRefused
from studio.media.sounds import single_cycle, wavetable
from studio.media.sounds.single_cycle import read_wave

AT = np.arange(256) / 256
CYCLE = np.rint(20_000 * np.sin(2 * np.pi * AT) + 6_000 * np.sin(2 * np.pi * 7 * AT + 1)).astype(np.int16)


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_our_own_wave_opens_sample_for_sample(tmp_path: Path) -> None:
    opened = read_wave(put(tmp_path / "mine.wav", export.encode_wav_bytes(CYCLE, 44_100, {"ICMT": "words"})), 256)
    assert (opened.array == CYCLE).all() and opened.array.dtype == np.int16
    assert (opened.last == CYCLE).all() and opened.name == "mine.wav" and opened.notes == ()


@pytest.mark.parametrize("form", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_every_plain_form_is_read(form: str, container: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.wav"
    both = np.stack([CYCLE, CYCLE], 1) / 32_768
    soundfile.write(path, both, 44_100, form, format=container)
    assert np.abs(read_wave(path, 256).array.astype(int) - CYCLE).max() <= (256 if form == "PCM_U8" else 1)


def test_another_length_is_resampled_to_the_models(tmp_path: Path) -> None:
    long = np.rint(wavetable.resample_cycle(CYCLE, 600)).astype(np.int16)
    opened = read_wave(put(tmp_path / "akwf.wav", export.encode_wav_bytes(long, 44_100, {})), 256)
    assert np.abs(opened.array.astype(int) - CYCLE).max() <= 1
    assert opened.notes == ("600 samples brought to 256",)


@pytest.mark.parametrize("told", [True, False])
def test_the_first_frame_of_a_wavetable_is_used(told: bool, tmp_path: Path) -> None:
    table = wavetable.wavetable_frames(np.stack([CYCLE, CYCLE[::-1], CYCLE // 2])).reshape(-1)
    clm = {"clm ": b"<!>2048 10000000 wavetable (anyone)"} if told else {}
    opened = read_wave(put(tmp_path / "table.wav", export.encode_wav_bytes(table, 44_100, {}, clm)), 256)
    assert (opened.array == CYCLE).all()
    assert np.abs(opened.last.astype(int) - CYCLE // 2).max() <= 1
    assert opened.notes == ("the first of its 3 frames is used", "2,048 samples brought to 256")


def test_nan_and_too_loud_samples_are_reported(tmp_path: Path) -> None:
    wave = (CYCLE / 8_000).astype(np.float32)
    wave[7] = np.nan
    opened = read_wave(put(tmp_path / "hot.wav", export.encode_wav_bytes(wave, 44_100, {})), 256)
    assert np.abs(opened.array.astype(int)).max() in (32_767, 32_768)
    assert [note.split()[0] for note in opened.notes] == ["samples", "made"]


def test_a_file_that_is_not_a_cycle_is_refused_with_a_reason(tmp_path: Path) -> None:
    whole = export.encode_wav_bytes(CYCLE, 44_100, {})
    compressed = io.BytesIO()
    soundfile.write(compressed, CYCLE, 44_100, "MS_ADPCM", format="WAV")
    cases = {
        "is 2.0 seconds long, and a single cycle has at most 8,192 samples": export.encode_wav_bytes(
            np.zeros(88_201, np.int16), 44_100, {}
        ),
        "is too short to be a cycle of a wave": export.encode_wav_bytes(CYCLE[:5], 44_100, {}),
        "is cut off": whole[:-100],
        "is compressed in a way that is not read here": compressed.getvalue(),
        "is damaged": whole[:20],
        "holds no WAV sound that can be read": b"\x89PNG" + bytes(100),
        "is empty": b"",
    }
    for reason, data in cases.items():
        with pytest.raises(FileRefused) as refused:
            read_wave(put(tmp_path / "a.wav", data), 256)
        assert refused.value.reason == reason
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(FileRefused, match="a pipe"):
        read_wave(tmp_path / "pipe.wav", 256)


@settings(max_examples=300, deadline=None)
@given(some.integers(0, 10_000), some.integers(1, 12), some.booleans())
def test_damaged_files_are_refused_and_nothing_else(seed: int, count: int, cut: bool) -> None:
    generator = np.random.default_rng(seed)
    data = bytearray(export.encode_wav_bytes(CYCLE, 44_100, {"ICMT": "words"}, {"clm ": b"<!>2048 1"}))
    for at in generator.integers(0, 120, count):
        data[at] = generator.integers(0, 256)
    path = Path(os.environ["STUDIO_HOME"] + f"-{os.getpid()}.wav")
    path.write_bytes(bytes(data[: generator.integers(1, len(data))] if cut else data))
    try:
        opened = read_wave(path, 256)
    except FileRefused:
        return
    finally:
        single_cycle.riff_texts(bytes(data))
        path.unlink()
    assert opened.array.shape == (256,) and opened.array.dtype == np.int16


def test_texts_of_a_wave_can_be_exchanged_with_other_programs(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.wav", export.encode_wav_bytes(CYCLE, 44_100, {"ISFT": "Latent Studio", "ICMT": "日本語, {}"})
    )
    with soundfile.SoundFile(path) as file:
        assert (file.comment, file.software) == ("日本語, {}", "Latent Studio")
        assert (file.samplerate, file.channels, file.subtype) == (44_100, 1, "PCM_16")
        assert (file.read(dtype="int16") == CYCLE).all()
    theirs = tmp_path / "b.wav"
    with soundfile.SoundFile(theirs, "w", 44_100, 1, "PCM_16") as file:
        file.comment = "by others"
        file.write(CYCLE)
    assert single_cycle.riff_texts(theirs.read_bytes())["ICMT"] == "by others"
    assert single_cycle.riff_texts(b"no sound") == {}


def test_floats_are_written_as_floats() -> None:
    wave = (CYCLE / 32_768).astype(np.float32)
    read, rate = soundfile.read(
        io.BytesIO(export.encode_wav_bytes(wave, 48_000, {}, {"clm ": b"odd"})), dtype="float32"
    )
    assert rate == 48_000 and (read == wave).all()


@pytest.mark.parametrize("samples", [np.zeros(4), np.zeros((2, 2), np.int16), np.zeros(4, np.uint8)])
def test_an_array_that_is_not_a_sound_is_not_written(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a sound is"):
        export.encode_wav_bytes(samples, 44_100, {})
    with pytest.raises(ValueError, match="four letters"):
        export.encode_wav_bytes(CYCLE, 44_100, {}, {"c": b""})


def test_lengths_in_a_file_are_not_trusted() -> None:
    lying = (
        b"RIFF"
        + struct.pack("<I", 2**32 - 1)
        + b"WAVE"
        + b"LIST"
        + struct.pack("<I", 2**31)
        + b"INFOICMT\xff\xff\xff\x7fa"
    )
    assert single_cycle.riff_texts(lying) == {"ICMT": "a"}
