"""Recordings of users are opened, or refused with the reason. Wrong claims are found at once."""

import csv
import io
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media import decoder, export
from studio.media.pictures.image import FileRefused
from studio.media.sounds.audio_file import Recording, open_recording, resample_whole
from studio.media.sounds.single_cycle import read_wave

USER = Path(__file__).parents[3] / "../shared/data/user"
RATE = 16_000
SINE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def rows() -> list[dict[str, str]]:
    table = USER / "audio_EXPECTED.csv"
    return list(csv.DictReader(table.read_text("utf-8").splitlines())) if table.is_file() else []


def padding(path: Path) -> int:
    """Return how many samples an encoder added to fill its frames. The table counts them, too."""
    data = path.read_bytes()
    if path.suffix == ".opus":  # RFC 7845, section 5.1
        at = data.index(b"OpusHead") + 10
        return int.from_bytes(data[at : at + 2], "little")
    if path.suffix == ".mp3":  # what LAME writes after the table of Xing's tag, two numbers of 12 bits
        at = max(data.find(b"Xing"), data.find(b"Info")) + 141
        both = int.from_bytes(data[at : at + 3], "big")
        return (both >> 12) + both % 4096
    return 0


@pytest.mark.skipif(not rows(), reason="the messy sample files are not here")
def test_every_messy_file_is_opened_correctly_or_refused() -> None:
    for row in rows():
        path = USER / "audio" / row["file"]
        if row["expect"] != "ok" or path.suffix == ".m4a":
            with pytest.raises(FileRefused) as told:
                open_recording(path, RATE)
            assert told.value.reason, row["file"]
            continue
        found = open_recording(path, RATE)
        whole, used = (round(seconds * found.file_rate) for seconds in (float(row["seconds"]), found.seconds))
        assert (found.file_rate, found.channels) == (int(row["rate"]), int(row["channels"])), row["file"]
        assert abs(used - whole + padding(path)) <= 1, row["file"]
        assert abs(len(found.samples) - found.seconds * RATE) <= 1, row["file"]
        assert np.isfinite(found.samples).all() and np.abs(found.samples).max() <= 1, row["file"]


@pytest.mark.skipif(not rows(), reason="the messy sample files are not here")
@pytest.mark.parametrize(
    ("file", "note"),
    [
        ("odd/anti_phase.wav", "channels cancel each other out"),
        ("odd/clipped.wav", "clipped at"),
        ("odd/dc_offset.wav", "off by +0.40"),
        ("odd/over_unity_float.wav", "too loud for its file"),
        ("odd/silence.wav", "is silent"),
        ("odd/very_quiet.wav", "is very quiet"),
        ("broken/truncated.wav", "cut off"),
    ],
)
def test_conversions_are_noted(file: str, note: str) -> None:
    found = open_recording(USER / "audio" / file)
    assert any(note in words for words in found.notes)
    assert file == "odd/silence.wav" or np.abs(found.samples).max() > 1e-4
    if file == "odd/dc_offset.wav":
        assert abs(found.samples.mean()) < 1e-4


@pytest.mark.skipif(not rows(), reason="the messy sample files are not here")
def test_a_good_file_has_no_notes() -> None:
    assert open_recording(USER / "audio/speech/sentence 01.wav", RATE).notes == ()


def test_a_pitch_stays_where_it_was_at_another_rate(tmp_path: Path) -> None:
    wave = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "a.flac", np.stack([wave, 0.5 * wave], 1), 48_000)
    found = open_recording(tmp_path / "a.flac", RATE)
    spectrum = np.abs(np.fft.rfft(found.samples[: RATE // 2] * np.hanning(RATE // 2)))
    assert int(spectrum.argmax()) == 500
    assert np.abs(found.samples[1000:-1000]).max() == pytest.approx(0.75, abs=0.01)


def test_plain_samples_are_opened_unchanged(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).integers(-20_000, 20_000, 5000).astype(np.int16)
    (tmp_path / "a.wav").write_bytes(export.encode_wav_bytes(wave, RATE, {}))
    np.testing.assert_array_equal(open_recording(tmp_path / "a.wav", RATE).samples * 32_768, wave)


@pytest.mark.parametrize(
    ("file", "seconds", "notes"),
    [
        *((name, 1.0, ()) for name in (
            "plain.wav", "data_ffffffff.wav", "data_ffffffff_riff23.wav", "data_44_more.wav", "riff_zero.wav",
            "rf64.wav", "junk_200.wav", "junk_big.wav", "odd_chunk_no_pad.wav", "odd_chunk_pad.wav", "bext.wav",
            "id3_after.wav", "fmt_after_data.wav", "rifx.wav", "no_extension", "upper.WAV", "ext24_51.wav",
            "ext_20in24.wav", "ext_float.wav", "float64.wav", "pcm32.wav", "pcm24.wav", "pcm8.wav", "pcm12in16.wav",
        )),
        ("rate_192k.wav", 0.5, ()),
        ("antiphase.wav", 1.0, ("its channels cancel each other out, so the first one is used",)),
        ("silence.wav", 1.0, ("is silent",)),
    ],
)  # fmt: skip
def test_sounds_of_the_cases_are_whole(cases: Path, file: str, seconds: float, notes: tuple[str, ...]) -> None:
    found = open_recording(cases / "sounds" / file)
    assert (found.seconds, found.notes) == (seconds, notes)


@pytest.mark.parametrize(
    ("file", "seconds", "note"),
    [
        ("piped.wav", 1.0, ""), ("chained.ogg", 2.0, ""), ("art.mp3", 1.0, ""), ("mp3_named.wav", 1.0, ""),
        ("id3_before.flac", 1.0, ""), ("sony.w64", 1.0, ""), ("sun.au", 1.0, ""), ("core.caf", 1.0, ""),
        ("cut.mp3", 0.4, "cut off: what is there is used"),
    ],
)  # fmt: skip
def test_sounds_of_the_cases_that_others_made_are_whole(cases: Path, file: str, seconds: float, note: str) -> None:
    path = cases / "sounds" / file
    if not path.is_file():
        pytest.skip("ffmpeg, which makes this file, is not here")
    found = open_recording(path)
    assert found.seconds == pytest.approx(seconds, abs=0.02)
    assert found.notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("begins", "name", "reason"),
    [
        (b"\0\0\0 ftypM4A \0\0\0\0", "a.m4a", "is M4A, which cannot be read here"),
        (b"\0\0\0 ftypM4A \0\0\0\0", "a.mp3", "is M4A, which cannot be read here"),
        (b"\0\0\0 ftypisom\0\0\0\0", "a.wav", "is M4A, which cannot be read here"),
        (b"\0\0\0 ftypisom\0\0\0\0", "a.mp4", "is a film (MP4), which cannot be read here"),
        (b"this is text", "a.mp3", "holds no MP3 sound that can be read"),
        (b"this is text", "a.txt", "is not a sound that can be read"),
    ],
)
def test_unreadable_files_are_reported_in_words_about_sounds(
    begins: bytes, name: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(begins + bytes(5000))
    for read in (open_recording, read_wave):
        with pytest.raises(FileRefused) as told:
            read(tmp_path / name)
        assert told.value.reason == reason


# ── false claims and traps ───────────────────────────────────────────────────────────────────────


def bomb() -> bytes:
    """Return silence in eight channels, a thousand times as large as its file."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 48_000, 8, format="FLAC", subtype="PCM_16") as file:
        for _ in range(60):
            file.write(np.zeros((48_000, 8), np.int16))
    return buffer.getvalue()


def header(tag: int = 1, channels: int = 1, rate: int = RATE, length: int = 4000, bits: int = 16) -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, rate, (rate * channels * bits // 8) & 0xFFFFFFFF, 2, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + bytes(4000)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bomb, "times its size, as no recording does"),
        (lambda: header(rate=2**31 - 1), "says it has 2,147,483,647 samples a second"),
        (lambda: header(rate=0), "says it has 0 samples a second"),
        (lambda: header(channels=1024), "says it has 1,024 channels"),
        (lambda: header(channels=0), "says it has 0 channels"),
        (lambda: header(tag=0x11, bits=4), "is compressed"),
        (lambda: header(tag=2, bits=4), "is compressed"),
        (lambda: header()[:36], "is damaged"),
        (lambda: b"fLaC" + bytes(200), "holds no FLAC sound that can be read"),
        (lambda: b"", "is empty"),
    ],
    ids=["bomb", "rate", "no rate", "channels", "no channels", "ima", "ms", "cut", "flac", "empty"],
)
def test_false_claims_are_refused(tmp_path: Path, data: object, reason: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data())  # type: ignore[operator]
    with pytest.raises(FileRefused, match=reason):
        open_recording(path, RATE)


def test_a_file_that_is_cut_off_anywhere_gives_what_is_there(tmp_path: Path) -> None:
    whole = export.encode_wav_bytes(SINE, RATE, {}, bits=16)
    for cut in np.linspace(46, len(whole) - 2, 20).astype(int):
        (tmp_path / "a.wav").write_bytes(whole[:cut])
        found = open_recording(tmp_path / "a.wav")
        assert len(found.samples) == (cut - 44) // 2
        assert "cut off: what is there is used" in found.notes


def test_nan_becomes_silence_or_is_refused(tmp_path: Path) -> None:
    wave = SINE.copy()
    wave[[5, 900]] = np.nan, np.inf
    (tmp_path / "a.wav").write_bytes(export.encode_wav_bytes(wave, RATE, {}))
    found = open_recording(tmp_path / "a.wav")
    assert found.samples[[5, 900]].tolist() == [0, 0] and "2 samples that were not numbers" in found.notes[0]
    wave[:100] = np.nan
    (tmp_path / "a.wav").write_bytes(export.encode_wav_bytes(wave, RATE, {}))
    with pytest.raises(FileRefused, match="101 samples that are not numbers"):
        open_recording(tmp_path / "a.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_reading_never_waits_and_follows_no_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to("/dev/zero")
    for name, reason in (("pipe.wav", "device or a pipe"), ("link.wav", "is a link"), ("none.wav", "not there")):
        with pytest.raises(FileRefused, match=reason):
            open_recording(tmp_path / name)


def test_random_bytes_are_refused_or_become_a_sound(tmp_path: Path) -> None:
    """It tries 400 mutants of a WAV and a FLAC."""
    dice = np.random.default_rng(3)
    path = tmp_path / "a.wav"
    seeds = [
        export.encode_wav_bytes(SINE[:2000], RATE, {"ICMT": "x"}),
        export.encode_flac_bytes(SINE[:2000], RATE, {"TITLE": "x"}),
    ]
    for number in range(400):
        data = bytearray(seeds[number % 2])
        for at in dice.integers(0, min(len(data), 300), 4):
            data[at] = dice.integers(256)
        path.write_bytes(data)
        try:
            found = open_recording(path, RATE)
        except FileRefused as refusal:
            assert refusal.reason
        else:
            assert np.isfinite(found.samples).all() and np.abs(found.samples).max() <= 1


@pytest.mark.parametrize(("before", "rate"), [(44_100, RATE), (48_000, 44_100), (8000, RATE), (22_050, 96_000)])
def test_resampling_in_pieces_equals_resampling_at_once(before: int, rate: int, tmp_path: Path) -> None:
    import soxr

    dice = np.random.default_rng(0)
    wave = (0.3 * dice.standard_normal(2**21 + 12_345)).clip(-1, 1).astype(np.float32)  # several pieces
    soundfile.write(tmp_path / "a.wav", wave, before, subtype="FLOAT")
    expected = soxr.resample(wave, before, rate).clip(-1, 1)
    np.testing.assert_allclose(open_recording(tmp_path / "a.wav", rate).samples, expected, atol=1 / 32_768)
    whole = np.rint(expected * 32_768).clip(-32_768, 32_767)
    assert np.abs(resample_whole(wave, before, rate) - whole).max() <= 1


def test_samples_that_are_clipped_are_counted_across_pieces(tmp_path: Path) -> None:
    """One run spans the border of two pieces, one fills a piece, one is last."""
    wave = np.zeros(3 * 2**20 + 500, np.float32)
    wave[2**20 - 2 : 2**20 + 2] = 0.9
    wave[2**21 - 5 :] = -0.8
    wave[100:102] = 0.9
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    assert open_recording(tmp_path / "a.wav", centred=False).clipped == 4 + 2**20 + 505


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what the kernel counts")
def test_a_long_recording_needs_little_more_memory_than_its_samples(tmp_path: Path) -> None:
    """One channel of half an hour is 318 MB."""
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 44_100, 2) as file:
        for _ in range(30):
            file.write(np.repeat(np.sin(np.arange(60 * 44_100) / 20)[:, None] * 0.5, 2, 1))
    own = decoder.FileDecoder()
    try:
        found = own.read_file("recording", tmp_path / "a.flac", Recording, memory=2**31, rate=RATE)
        (child,) = own.process_ids
        lines = Path(f"/proc/{child}/status").read_text("utf-8").splitlines()
    finally:
        own.close()
    assert found.seconds == 1800 and len(found.samples) == 1800 * RATE
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
    assert peak < 318 + 150
