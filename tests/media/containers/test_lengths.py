"""Sounds with a missing or wrong length in their header are opened as a whole."""

import struct
from pathlib import Path

import numpy as np
import pytest

from studio.media.containers.streams import CUT, LONGER
from studio.media.pictures.image import FileRefused
from studio.media.sounds.audio_file import Recording, open_recording
from tests.media.containers import writers
from tests.media.containers.writers import LITTLE, RATE, SOUND, chunk, wav

UNKNOWN = (0, 2**32 - 1, 2**32 - 37, 2**32 - 4096, 2**31 - 1, 2**31 - 37, 2**31 - 4096, 2**31, 2**31 + 36)
"""Lengths that recorders and pipes write if they do not know the length."""
WIDE = (2**63 - 1, 2**64 - 1, -1 % 2**64)


def opened(path: Path, data: bytes) -> Recording:
    path.write_bytes(data)
    return open_recording(path)


def is_whole(found: Recording, *notes: str) -> bool:
    """Check that this is the one second of `containers`, sample for sample, with these notes."""
    np.testing.assert_array_equal(np.rint(found.samples * 32_768), SOUND)
    assert found.notes == notes
    return (found.file_rate, found.channels, found.seconds) == (RATE, 1, 1.0)


@pytest.mark.parametrize("sort", writers.ALL)
def test_a_good_file_of_every_container_is_opened(sort: str, tmp_path: Path) -> None:
    assert is_whole(opened(tmp_path / "a", writers.ALL[sort]()))


@pytest.mark.parametrize("sort", writers.ALL)
@pytest.mark.parametrize("whole", ["true", 0, 0x23, 2**31 - 1, 2**32 - 1])
def test_an_unknown_length_is_found(sort: str, whole: int | str, tmp_path: Path) -> None:
    for length in (*UNKNOWN, *(WIDE if sort in ("rf64", "bw64", "w64", "caf") else ())):
        data = writers.ALL[sort](length, None if whole == "true" else whole)
        assert is_whole(opened(tmp_path / "a", data)), f"{length:#x}"


@pytest.mark.parametrize("sort", writers.ALL)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_length_that_was_never_updated_is_reported(sort: str, share: float, tmp_path: Path) -> None:
    short = int(share * RATE) * 2
    assert is_whole(opened(tmp_path / "a", writers.ALL[sort](short, short + 36)), LONGER)
    assert is_whole(opened(tmp_path / "a", writers.ALL[sort](short)), LONGER)


@pytest.mark.parametrize("sort", writers.ALL)
def test_a_file_that_ends_early_anywhere_is_cut_off(sort: str, tmp_path: Path) -> None:
    data = writers.ALL[sort]()
    begin = len(data) - len(LITTLE)
    for stop in (*np.linspace(begin + 50, len(data) - 100, 12).astype(int), *(len(data) - few for few in (44, 8, 2))):
        found = opened(tmp_path / "a", data[:stop])
        assert len(found.samples) == (stop - begin) // 2, stop
        assert found.notes == (CUT,), stop


@pytest.mark.parametrize("more", [8, 44])
def test_a_length_that_counts_its_header_is_not_a_cut(more: int, tmp_path: Path) -> None:
    right = len(wav()) - 8
    size = len(LITTLE)
    assert is_whole(opened(tmp_path / "a", wav(size + more)))
    assert is_whole(opened(tmp_path / "a", wav(size + 44, right + 8)))
    assert is_whole(opened(tmp_path / "a", wav(size + 44, 0)))
    assert is_whole(opened(tmp_path / "a", wav(whole=right + 8)))
    assert is_whole(opened(tmp_path / "a", wav(whole=0)))


TITLE = chunk(b"INAM", b"a tune\0\0")


@pytest.mark.parametrize(
    ("sort", "after"),
    [
        ("wav", chunk(b"LIST", b"INFO" + TITLE) + chunk(b"id3 ", bytes(10))),
        ("wav", chunk(b"LIST", b"INFO" + TITLE)[:-3]),  # cut off within a chunk without sound
        ("rf64", chunk(b"bext", bytes(602))),
        ("w64", b"levl" + writers.GUID + struct.pack("<Q", 48) + bytes(24)),
        ("aiff", chunk(b"NAME", b"a tune", order=">") + chunk(b"ANNO", b"by nobody.", order=">")),
        ("caf", b"info" + struct.pack(">Q", 12) + bytes(12)),
    ],
)
def test_bytes_after_the_samples_are_not_played(sort: str, after: bytes, tmp_path: Path) -> None:
    make = writers.ALL[sort]
    assert is_whole(opened(tmp_path / "a", make(after=after)))
    if not after.endswith(b"\0\0\0\0") or sort == "w64":
        return
    assert is_whole(opened(tmp_path / "a", make(2**32 - 1, 2**32 - 1, after=after)))
    assert is_whole(opened(tmp_path / "a", make(0, 0, after=after)))


@pytest.mark.parametrize(
    "after",
    [
        bytes(100_000),
        b"TAG" + bytes(125),
        b"ID3\4\0\0\0\0\0\x0a" + bytes(10),
        b"<?xml version='1.0'?><x:xmpmeta>made by nobody</x:xmpmeta>",
        b"\0",
        b"\r\n",
    ],
    ids=["space", "ID3v1", "ID3v2", "words", "byte", "line"],
)
@pytest.mark.parametrize("sort", ["wav", "rf64", "aiff", "au"])
def test_bytes_appended_to_a_file_are_not_played(sort: str, after: bytes, tmp_path: Path) -> None:
    assert is_whole(opened(tmp_path / "a", writers.ALL[sort]() + after))


def test_a_recording_that_continues_after_silence_is_not_reserved_space(tmp_path: Path) -> None:
    body = LITTLE + bytes(2**18) + LITTLE
    found = opened(tmp_path / "a", wav(len(LITTLE), body=body))
    assert len(found.samples) == len(body) // 2


@pytest.mark.parametrize("count", [0, 7, 2**32 - 1, 2**31])
def test_the_samples_that_an_aiff_counts_are_not_trusted(count: int, tmp_path: Path) -> None:
    assert is_whole(opened(tmp_path / "a", writers.aiff(count=count)))
    assert is_whole(opened(tmp_path / "a", writers.aiff(0, 0, count=count)))


# ── the order of chunks, and what stands between them ────────────────────────────────────────────


@pytest.mark.parametrize(
    "before",
    [
        chunk(b"junk", bytes(4)) * 200,
        chunk(b"junk", bytes(4)) * 20_000,
        chunk(b"JUNK", bytes(4_000_000)),
        chunk(b"LIST", b"INFOISFT\3\0\0\0abc"),
        chunk(b"LIST", b"INFOISFT\3\0\0\0abc") + b"\0",
        chunk(b"bext", bytes(603)) + b" ",
        chunk(b"LIST", b"INFO" + TITLE, 2**32 - 1),
        chunk(b"LIST", b"INFO" + TITLE, 5),
        b"\xa9abc\4\0\0\0abcd",
    ],
    ids=["200", "20,000", "large", "not padded", "padded", "padded by a space", "endless", "short", "strange"],
)
@pytest.mark.parametrize("length", [None, 0, 2**32 - 1])
def test_chunks_of_any_type_may_precede_the_samples(before: bytes, length: int | None, tmp_path: Path) -> None:
    assert is_whole(opened(tmp_path / "a", wav(length, before=before)))


def test_the_format_may_follow_the_samples(tmp_path: Path) -> None:
    inside = b"WAVE" + chunk(b"data", LITTLE) + chunk(b"fmt ", writers.FORM)
    assert is_whole(opened(tmp_path / "a", chunk(b"RIFF", inside)))
    common = struct.pack(">HIH", 1, RATE, 16) + b"\x40\x0c\xfa\0\0\0\0\0\0\0"
    sound = chunk(b"SSND", bytes(8) + writers.BIG, order=">")
    inside = b"AIFF" + sound + chunk(b"COMM", common, order=">")
    assert is_whole(opened(tmp_path / "a", chunk(b"FORM", inside, order=">")))


def test_samples_in_two_chunks_are_one_sound(tmp_path: Path) -> None:
    half = len(LITTLE) // 2
    data = wav(body=LITTLE[:half], after=chunk(b"LIST", b"INFO") + chunk(b"data", LITTLE[half:]))
    assert is_whole(opened(tmp_path / "a", data))


@pytest.mark.parametrize("junk", [b"\n", bytes(512), b"HTTP/1.1 200 OK\r\n\r\n", bytes(range(256)) * 200])
@pytest.mark.parametrize("sort", ["wav", "w64", "aiff", "caf"])
def test_bytes_before_a_file_are_left_out_and_reported(sort: str, junk: bytes, tmp_path: Path) -> None:
    found = opened(tmp_path / "a.wav", junk + writers.ALL[sort]())
    assert is_whole(found, "what stands before its sound was left out")


@pytest.mark.parametrize("sort", writers.ALL)
def test_a_tag_before_a_file_is_not_a_fault(sort: str, tmp_path: Path) -> None:
    tag = b"ID3\4\0\0\0\0\1\0" + bytes(128)
    assert is_whole(opened(tmp_path / "a.wav", tag + writers.ALL[sort]()))


def test_an_archive_with_a_sound_in_it_is_not_a_sound(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="is not a sound that can be read"):
        opened(tmp_path / "a", b"PK\3\4" + bytes(26) + wav() + b"PK\1\2" + bytes(42))


# ── numbers in the format of a WAV ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("speed", "block"), [(0, 0), (2 * RATE, 0), (0, 2), (1, 1), (99, 4), (4 * RATE, 3)])
def test_bytes_a_second_and_a_sample_are_counted_again(speed: int, block: int, tmp_path: Path) -> None:
    form = struct.pack("<HHIIHH", 1, 1, RATE, speed, block, 16)
    assert is_whole(opened(tmp_path / "a", wav(form=form)))
    assert is_whole(opened(tmp_path / "a", wav(0, 0, form=form)))


def test_24_bits_may_lie_in_four_bytes(tmp_path: Path) -> None:
    form = struct.pack("<HHIIHH", 1, 1, RATE, 4 * RATE, 4, 24)
    body = (SOUND.astype("<i4") << 16).tobytes()
    assert is_whole(opened(tmp_path / "a", wav(form=form, body=body)))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (struct.pack("<HHIIHH", 3, 1, RATE, 2 * RATE, 2, 16), "has floats of 16 bits, which are not read here"),
        (struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 0), "has samples of 0 bits, which are not read"),
        (struct.pack("<HHIIHH", 0x55, 1, RATE, 2 * RATE, 2, 16), "is compressed in a way that is not read here"),
    ],
)
def test_a_format_that_is_not_read_is_named(form: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=reason):
        opened(tmp_path / "a", wav(form=form))


@pytest.mark.parametrize("sort", writers.ALL)
def test_a_header_without_samples_holds_no_sound(sort: str, tmp_path: Path) -> None:
    data = writers.ALL[sort]()
    with pytest.raises(FileRefused, match="holds no sound|is cut off"):
        opened(tmp_path / "a", data[: len(data) - len(LITTLE)])
