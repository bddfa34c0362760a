"""All joined sounds are opened, cut and damaged ones as far as they go."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media.containers import flac, flac_frame, mpeg, ogg
from studio.media.containers.streams import BROKEN, CUT, TORN
from studio.media.pictures.image import FileRefused
from studio.media.sounds.audio_file import Recording, open_recording
from tests.media.containers import writers
from tests.media.containers.writers import chunk, wav

RATE = 16_000
DICE = np.random.default_rng(5)
PACKED = {"flac": ("FLAC", None), "vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", None)}
BEGINNING_CUT = "its beginning is cut off: what is there is used"


def tune(seconds: float, rate: int = RATE, hertz: float = 440, channels: int = 1) -> np.ndarray:
    """Make a tone with a little noise, (n, channels) from -1 to 1."""
    at = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * hertz * at) + 0.01 * DICE.standard_normal(len(at))
    return np.stack([wave] * channels, 1)


def packed(sort: str, wave: np.ndarray, rate: int = RATE) -> bytes:
    form, subtype = PACKED[sort]
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def last_head(sort: str, data: bytes) -> int:
    """Return where the last frame or page begins."""
    if sort == "flac":
        *_, last = flac._find_frames(io.BytesIO(data), flac._Info(RATE, 4096, 1, 16, 0, 0), 42, len(data))
        return last.at
    if sort != "mp3":
        return data.rfind(b"OggS")
    at = mpeg.find_first_frame(io.BytesIO(data), 0, len(data))
    while (found := mpeg.parse_frame(data[at:])) and at + found.length < len(data):
        at += found.length
    return at


def opened(tmp_path: Path, data: bytes) -> Recording:
    (tmp_path / "a").write_bytes(data)
    return open_recording(tmp_path / "a")


def pitch(wave: np.ndarray, rate: int) -> float:
    """Return the loudest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax() * rate / len(wave))


# ── joined ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sort", PACKED)
@pytest.mark.parametrize("seconds", [(1, 1), (30, 10), (1, 2, 3)])
def test_joined_sounds_are_all_opened(sort: str, seconds: tuple[int, ...], tmp_path: Path) -> None:
    parts = [packed(sort, tune(each, hertz=440 * (1 + number))) for number, each in enumerate(seconds)]
    found = opened(tmp_path, b"".join(parts))
    assert found.seconds == sum(seconds) and found.notes == ()
    assert pitch(found.samples[: RATE // 2], RATE) == pytest.approx(440, abs=4)
    assert pitch(found.samples[-RATE // 2 :], RATE) == pytest.approx(440 * len(seconds), abs=4)


@pytest.mark.parametrize("sort", PACKED)
def test_joined_sounds_get_the_rate_and_channels_of_the_first(sort: str, tmp_path: Path) -> None:
    second = tune(2, 24_000, 880, channels=2)
    found = opened(tmp_path, packed(sort, tune(1)) + packed(sort, second, 24_000) + packed(sort, tune(1)))
    assert found.seconds == pytest.approx(4, abs=0.002) and found.file_rate == RATE and found.channels == 1
    assert found.notes == ("its parts have different rates: that of the first is used",)
    assert pitch(found.samples[RATE * 3 // 2 : RATE * 5 // 2], RATE) == pytest.approx(880, abs=4)


@pytest.mark.parametrize("sort", writers.ALL)
def test_joined_files_of_every_container_are_opened(sort: str, tmp_path: Path) -> None:
    one = writers.ALL[sort]()
    found = opened(tmp_path, one + one)
    assert found.seconds == 2 and found.notes == ()
    np.testing.assert_array_equal(found.samples[:RATE], found.samples[RATE:])


@pytest.mark.parametrize("sort", writers.ALL)
@pytest.mark.parametrize("length", [0, 2**32 - 1])
def test_joined_files_of_unknown_length_are_opened(sort: str, length: int, tmp_path: Path) -> None:
    one = writers.ALL[sort](length, length)
    found = opened(tmp_path, one + one + one)
    assert found.seconds == 3 and found.notes == ()
    np.testing.assert_array_equal(found.samples[:RATE], found.samples[RATE : 2 * RATE])


def test_two_piped_waves_are_two_sounds(tmp_path: Path) -> None:
    piped = wav(2**32 - 1, 2**32 - 1, before=chunk(b"LIST", b"INFOISFT\4\0\0\0me\0\0"))
    found = opened(tmp_path, piped + piped)
    assert found.seconds == 2 and found.notes == ()
    np.testing.assert_array_equal(found.samples[:RATE], found.samples[RATE:])


def test_sounds_of_different_formats_may_be_joined(tmp_path: Path) -> None:
    data = wav() + packed("flac", tune(1)) + packed("flac", tune(1))
    assert opened(tmp_path, data).seconds == 3


@pytest.mark.parametrize("sort", ["flac", "mp3"])
def test_tags_between_joined_sounds_are_not_sounds(sort: str, tmp_path: Path) -> None:
    one = b"ID3\4\0\0\0\0\1\0" + bytes(128) + packed(sort, tune(1))
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 64, 0, 0x80000000) + bytes(32)
    found = opened(tmp_path, one + b"TAG" + bytes(125) + one + ape)
    assert found.seconds == 2 and found.notes == ()


# ── cut, damaged ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sort", PACKED)
@pytest.mark.parametrize("share", [0.15, 0.5, 0.77, 0.999])
def test_a_file_that_is_cut_off_is_opened_as_far_as_it_goes(sort: str, share: float, tmp_path: Path) -> None:
    whole = packed(sort, tune(10))
    found = opened(tmp_path, whole[: int(share * len(whole))])
    assert 10 * share - 0.8 < found.seconds < 10
    last = sort == "flac" and share > 0.99  # within its last frame, after which nothing is missing
    assert found.notes == (TORN if last else CUT,)


@pytest.mark.parametrize("sort", ["flac", "vorbis", "opus"])
@pytest.mark.parametrize("before", [2, 40, 250])
def test_a_damaged_end_is_not_called_cut_off(sort: str, before: int, tmp_path: Path) -> None:
    data = bytearray(packed(sort, tune(3)))
    data[-before] ^= 0x55
    found = opened(tmp_path, bytes(data))
    assert 1.9 < found.seconds < 3
    unsure = sort == "flac" and before > 2  # the length that a damaged frame states may reach beyond the file
    assert found.notes == (BROKEN,) or (unsure and found.notes == (TORN,))


@pytest.mark.parametrize("sort", PACKED)
@pytest.mark.parametrize("length", [300, 1000])
def test_an_end_that_was_never_filled_counts_as_damaged(sort: str, length: int, tmp_path: Path) -> None:
    data = packed(sort, tune(3))
    found = opened(tmp_path, data[:-length] + bytes(length))
    assert 1.9 < found.seconds < 3 and found.notes == (BROKEN,)


@pytest.mark.parametrize("sort", ["flac", "mp3"])
def test_a_missing_last_frame_is_reported(sort: str, tmp_path: Path) -> None:
    data = bytearray(packed(sort, tune(3)))
    last = last_head(sort, bytes(data))
    data[last : last + 4] = bytes(4)
    found = opened(tmp_path, bytes(data))
    assert 2.7 < found.seconds < 3 and found.notes == (BROKEN,)


@pytest.mark.parametrize("kept", [1, 3, 5])
@pytest.mark.parametrize("sort", PACKED)
def test_a_file_that_ends_within_a_head_is_cut_off(sort: str, kept: int, tmp_path: Path) -> None:
    data = packed(sort, tune(3))
    found = opened(tmp_path, data[: last_head(sort, data) + kept])
    assert 1.9 < found.seconds < 3 and found.notes == (CUT,)


@pytest.mark.parametrize("tag", [b"TAG" + bytes(125), b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0)])
@pytest.mark.parametrize("sort", ["flac", "vorbis", "opus", "mp3"])
def test_a_tag_after_a_sound_is_not_damage(sort: str, tag: bytes, tmp_path: Path) -> None:
    found = opened(tmp_path, packed(sort, tune(3)) + tag)
    assert found.seconds == 3 and found.notes == ()


@pytest.mark.parametrize(
    "wave",
    [
        tune(0.3),
        tune(0.3, channels=2),
        np.zeros((4000, 1)),
        0.9 * DICE.uniform(-1, 1, (5000, 2)),
        np.ones((700, 1)) / 3,
    ],
    ids=["tone", "stereo", "silence", "noise", "constant"],
)
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_the_length_of_every_frame_is_that_of_the_file(wave: np.ndarray, subtype: str) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, format="FLAC", subtype=subtype)
    data = buffer.getvalue()
    info = flac._Info(RATE, 4096, wave.shape[1], {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype], 0, 0)
    frames = list(flac._find_frames(buffer, info, 42, len(data)))
    for frame, stop in zip(frames, [*(frame.at for frame in frames[1:]), len(data)], strict=True):
        assert flac_frame.frame_length(data[frame.at :], frame.header) == stop - frame.at
        with pytest.raises(EOFError):
            flac_frame.frame_length(data[frame.at : stop - 1], frame.header)


@pytest.mark.parametrize("sort", PACKED)
def test_damage_in_the_middle_costs_only_the_damaged_part(sort: str, tmp_path: Path) -> None:
    data = bytearray(packed(sort, tune(30)))
    middle = len(data) // 2
    data[middle : middle + 3000] = DICE.integers(0, 256, 3000).astype(np.uint8).tobytes()
    found = opened(tmp_path, bytes(data))
    assert 26 < found.seconds < 30 and found.notes == (BROKEN,)
    assert pitch(found.samples[-RATE:], RATE) == pytest.approx(440, abs=4)


def test_every_damaged_frame_of_a_flac_costs_only_itself(tmp_path: Path) -> None:
    data = bytearray(packed("flac", tune(30)))
    for at in range(20_000, len(data), 50_000):
        data[at] ^= 0x55
    found = opened(tmp_path, bytes(data))
    faults = len(range(20_000, len(data), 50_000))
    assert found.seconds == pytest.approx(30 - faults * 4096 / RATE, abs=0.3) and found.notes == (BROKEN,)


@pytest.mark.parametrize("missing", [1, 100, 1000, 5000])
def test_an_mp3_without_its_beginning_is_opened(missing: int, tmp_path: Path) -> None:
    whole = packed("mp3", tune(30))
    found = opened(tmp_path, whole[missing:])
    assert 28.4 < found.seconds < 30.1 and found.notes == (BEGINNING_CUT,)
    assert pitch(found.samples[-RATE:], RATE) == pytest.approx(440, abs=4)


def test_a_flac_whose_first_frame_is_damaged_is_opened(tmp_path: Path) -> None:
    data = bytearray(packed("flac", tune(30)))
    data[200:4000] = bytes(3800)
    found = opened(tmp_path, bytes(data))
    assert 29 < found.seconds < 30 and found.notes == (BROKEN,)


@pytest.mark.parametrize("sort", PACKED)
def test_a_file_cut_off_before_its_sound_is_refused_as_cut_off(sort: str, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="cut off before its sound begins|no MP3 sound"):
        opened(tmp_path, packed(sort, tune(1))[: 60 if sort == "flac" else 100])


@pytest.mark.parametrize("sort", PACKED)
def test_blocks_follow_each_other_without_a_seam(sort: str, tmp_path: Path) -> None:
    """An MP3 loses what the last frame left for the next, even after seeking to the same place."""
    data = packed(sort, np.concatenate((tune(5), 0.3 * DICE.standard_normal((5 * RATE, 1)))).clip(-0.9, 0.9))
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    found = opened(tmp_path, data)
    loudest = max(1.0, float(np.abs(whole).max()))
    np.testing.assert_allclose(found.samples, whole / loudest, atol=1e-6)


# ── numbers that lie ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("total", [0, 1, 1000, 10**7, 2**32 - 1, 2**36 - 1])
def test_the_samples_that_a_flac_counts_are_not_trusted(total: int, tmp_path: Path) -> None:
    data = bytearray(packed("flac", tune(3)))
    fields = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    data[18:26] = fields.to_bytes(8, "big")
    found = opened(tmp_path, bytes(data))
    assert found.seconds == 3 and found.notes == ()


@pytest.mark.parametrize("number", [0, 1, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("place", [8, 12])
def test_the_frames_and_bytes_that_an_mp3_counts_are_not_trusted(number: int, place: int, tmp_path: Path) -> None:
    data = bytearray(packed("mp3", tune(3)))
    table = max(data.find(b"Xing"), data.find(b"Info"))
    data[table + place : table + place + 4] = number.to_bytes(4, "big")
    found = opened(tmp_path, bytes(data))
    assert found.seconds == 3 and found.notes == ()


def test_an_mp3_without_a_table_is_opened_completely(tmp_path: Path) -> None:
    """Its bits vary, so decoders guess its length from the first frames."""
    quiet = 0.001 * tune(10)
    loud = 0.3 * DICE.uniform(-1, 1, (10 * RATE, 1))
    data = packed("mp3", np.concatenate((quiet, loud)))
    first = data.index(b"\xff\xf3", 10)
    found = opened(tmp_path, data[first:])
    assert found.seconds == pytest.approx(20, abs=0.1) and found.notes == ()


def pages(data: bytes) -> list[bytearray]:
    found = []
    at = 0
    while at < len(data):
        count = data[at + 26]
        stop = at + 27 + count + sum(data[at + 27 : at + 27 + count])
        found.append(bytearray(data[at:stop]))
        at = stop
    return found


@pytest.mark.parametrize("sort", ["vorbis", "opus"])
@pytest.mark.parametrize("position", [0, 1, -1, 10**9, 2**62])
@pytest.mark.parametrize("ends", [True, False])
def test_the_end_that_an_ogg_states_is_not_trusted(sort: str, position: int, ends: bool, tmp_path: Path) -> None:
    parts = pages(packed(sort, tune(6)))
    assert len(parts) > 4
    parts[-1][6:14] = struct.pack("<q", position)
    parts[-1][5] = 4 if ends else 0
    parts[-1][22:26] = struct.pack("<I", ogg.page_checksum(bytes(parts[-1])))
    found = opened(tmp_path, b"".join(parts))
    assert found.seconds == pytest.approx(6, abs=0.01) and found.notes == ()


@pytest.mark.parametrize("sort", ["vorbis", "opus"])
def test_an_ogg_recorded_from_a_running_station_has_its_true_length(sort: str, tmp_path: Path) -> None:
    """A recording of a station begins at the sample that the station has reached."""
    parts = pages(packed(sort, tune(30)))
    for part in parts[2:]:
        position = struct.unpack_from("<q", part, 6)[0] + 10**10
        part[6:14] = struct.pack("<q", position)
        part[22:26] = struct.pack("<I", ogg.page_checksum(bytes(part)))
    found = opened(tmp_path, b"".join(parts))
    assert found.seconds == pytest.approx(30, abs=0.01) and found.notes == ()


def test_the_checksum_of_a_page_equals_that_of_other_programs() -> None:
    for part in pages(packed("vorbis", tune(2))):
        assert ogg.page_checksum(bytes(part)) == struct.unpack_from("<I", part, 22)[0]


def test_streams_other_than_the_sound_are_left_out(tmp_path: Path) -> None:
    """The file multiplexes pages of pictures or words with those of the sound."""
    beside = bytearray(b"OggS\0\2" + bytes(8) + struct.pack("<III", 77, 0, 0) + b"\1\x08fishead\0")
    beside[22:26] = struct.pack("<I", ogg.page_checksum(bytes(beside)))
    first, *rest = pages(packed("vorbis", tune(3)))
    for data in (beside + first, first + beside):
        found = opened(tmp_path, bytes(data) + b"".join(rest))
        assert found.seconds == 3 and found.notes == ()


def test_a_long_chain_of_links_is_reported(tmp_path: Path) -> None:
    one = packed("opus", tune(0.1))
    found = opened(tmp_path, one * 1001)
    assert found.seconds == pytest.approx(100, abs=0.5)
    assert found.notes[0] == "only the first 1,000 of its parts are used"


@pytest.mark.slow
@pytest.mark.parametrize("sort", PACKED)
def test_more_than_two_hours_are_refused_however_they_are_joined(sort: str, tmp_path: Path) -> None:
    one = packed(sort, np.zeros((8000 * 200, 1)) + 0.1 * DICE.standard_normal((1, 1)), 8000)
    with pytest.raises(FileRefused, match="is longer than 2 hours|times its size"):
        opened(tmp_path, one * 37)
