"""Shards are read as a folder of their members would be, and a fault in one costs the members in it alone."""

import csv
import io
import os
import random
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media import dataset, decoder, tar_headers
from studio.media.folder_scan import FileReport, FolderScan, ListedFile
from studio.media.pictures.image import FileRefused
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import FilePreparer
from studio.media.shards import class_names, find_shards, list_source, scan_source, walk_shard
from studio.media.sounds import audio_dataset
from tests.media.shard_files import BLOCK, picture, unpack, write_pictures, write_shard

PICTURES = FilePreparer((3, 8, 8), 0, AS_USUAL)
CLASSES = FilePreparer((3, 8, 8), 0, Preparation(folders_as_classes=True))
USER = Path(__file__).parents[2] / "../shared/data/user"


def scan(source: Path, preparer: FilePreparer = PICTURES) -> dict[str, FileReport]:
    """Return the report of every member by its name."""
    return {report.name: report for report in scan_source(source, preparer).steps() if report is not None}


def outcomes(source: Path, preparer: FilePreparer = PICTURES) -> dict[str, tuple[str, str]]:
    return {name: (report.outcome, report.reason) for name, report in scan(source, preparer).items()}


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    return info


# ── what a source names ──────────────────────────────────────────────────────────────────────────


def test_shards_are_a_pattern_a_tar_or_a_folder_of_nothing_but_tars(tmp_path: Path) -> None:
    write_pictures(tmp_path / "mine", 6, 3)
    (tmp_path / "mine" / ".DS_Store").write_bytes(b"x")
    wanted = [str(tmp_path / "mine" / f"shard-00000{number}.tar") for number in range(3)]
    for source in ("mine", "mine/shard-{000000..000002}.tar"):
        found = find_shards(tmp_path / source)
        assert found is not None and list(found.paths) == wanted
    single = find_shards(tmp_path / "mine/shard-000001.tar")
    assert single is not None and list(single.paths) == wanted[1:2]
    (tmp_path / "mine" / "cat.png").write_bytes(picture(1))
    assert find_shards(tmp_path / "mine") is None, "a folder with other files is a folder of files"


def test_a_pattern_of_too_many_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="more than 100,000 shards"):
        find_shards(tmp_path / "shard-{0..9999999}.tar")


# ── the same as a folder ─────────────────────────────────────────────────────────────────────────


def test_shards_give_the_dataset_of_the_folder_of_the_same_files(tmp_path: Path) -> None:
    shards = write_pictures(tmp_path / "shards", 40, 3)
    folder = unpack(shards, tmp_path / "folder")
    one, other = (dataset.load_dataset(source, (3, 8, 8)) for source in (shards, folder))
    np.testing.assert_array_equal(one.train, other.train)
    np.testing.assert_array_equal(one.test, other.test)
    assert one.shards is None, "they are loaded whole"


@pytest.mark.skipif(not USER.is_dir(), reason="the folders of messy sample files are not here")
def test_sounds_in_shards_have_the_outcomes_of_the_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "sounds.tar", "w") as archive:
        for path in sorted((USER / "audio").rglob("*")):
            archive.add(path, path.relative_to(USER / "audio"), recursive=False)
    preparer = FilePreparer((), 16_000, AS_USUAL)
    found = outcomes(tmp_path / "sounds.tar", preparer)
    plain = {report.name: report for report in FolderScan(USER / "audio", preparer).steps() if report is not None}
    assert found == {
        os.path.join("sounds.tar", name): (report.outcome, report.reason) for name, report in plain.items()
    }
    with open(USER / "audio_EXPECTED.csv", encoding="utf-8", newline="") as table:
        assert len(found) == len(list(csv.DictReader(table)))


def test_recordings_in_shards_are_those_of_the_folder(tmp_path: Path) -> None:
    members = []
    for number in range(8):
        file = io.BytesIO()
        wave = 0.3 * np.sin(2 * np.pi * (200 + 40 * number) * np.arange(4000) / 8000)
        soundfile.write(file, wave, 8000, format=("WAV", "FLAC", "OGG", "AIFF")[number % 4])
        members.append((f"{number}.{('wav', 'flac', 'ogg', 'aiff')[number % 4]}", file.getvalue()))
    write_shard(tmp_path / "shards/a.tar", members)
    folder = unpack(tmp_path / "shards", tmp_path / "folder")
    found = []
    for source in (tmp_path / "shards", folder):
        steps = audio_dataset.load_recordings_in_steps(source, 8000)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found.append(end.value)
                break
    assert found[0].report.used == 8
    for one, other in zip((*found[0].train, *found[0].test), (*found[1].train, *found[1].test), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_so_many_artworks_are_loaded_and_some_of_each_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.media.shards.MAX_OPENED", 30)
    monkeypatch.setattr("studio.media.shards.SPREAD", 4)
    source = write_pictures(tmp_path, 60, 3)
    reports = []
    steps = dataset.load_dataset_in_steps(source, (3, 8, 8))
    while True:
        try:
            reports.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert len(found.train) + len(found.test) == 30
    assert found.shards is not None and len(found.shards.paths) == 3
    counts = Counter(os.path.dirname(report.name) for report in reports if report is not None)
    assert len(counts) == 3 and max(counts.values()) <= 12


def test_the_number_of_files_is_estimated_while_they_are_listed(tmp_path: Path) -> None:
    write_pictures(tmp_path, 90, 3)
    found = 0
    estimates = []  # whenever one more file is listed
    for listed in list_source(tmp_path):
        if isinstance(listed, ListedFile):
            estimates.append(found)
        else:
            found += listed
    assert 60 < estimates[40] < 180
    assert found == 90


# ── samples and classes ──────────────────────────────────────────────────────────────────────────


def test_a_class_comes_from_cls_or_json_or_the_first_folder_of_a_name(tmp_path: Path) -> None:
    write_shard(
        tmp_path / "a.tar",
        [
            ("1.png", picture(1)), ("1.cls", b"10\n"), ("1.txt", b"a cat"),
            ("2.json", b'{"label": 2, "width": 5}'), ("2.png", picture(2)),
            ("3.png", picture(3)), ("3.json", b'{"class": "dog"}'),
            ("birds/4.png", picture(4)),
            ("5.png", picture(5)),
            ("6.png", picture(6)), ("6.json", b"[" * 100_000),
        ],
    )  # fmt: skip
    steps = scan_source(tmp_path / "a.tar", CLASSES)
    found = {report.name: report for report in steps.steps() if report is not None}
    assert {os.path.basename(name): report.label for name, report in found.items() if report.label} == {
        "1.png": "10", "2.png": "2", "3.png": "dog", "4.png": "birds",
    }  # fmt: skip
    assert {name: report.reason for name, report in found.items() if not report.is_used} == {
        os.path.join("a.tar", name): "has no class" for name in ("5.png", "6.png")
    }
    assert steps.texts == 1
    names = class_names(find_shards(tmp_path / "a.tar"))  # type: ignore[arg-type]
    while True:
        try:
            next(names)
        except StopIteration as end:
            assert end.value == ("2", "10", "birds", "dog"), "numbers are in their order"
            break


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def test_each_member_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    write_shard(
        tmp_path / "a.tar",
        [
            ("/etc/1.png", picture(1)), ("in/../../2.png", picture(2)), (link("3.png", "/etc/passwd"), b""),
            ("4.png", b""), ("5.png", b"no picture"), ("6.png", picture(6)), ("6.png", picture(7)),
            ("notes.txt", b"hello"), (".hidden.png", picture(8)), (".git/9.png", picture(9)), ("./10.png", picture(10)),
            (f"{'x' * 1200}.png", picture(11)),
        ],
    )  # fmt: skip
    found = {name.partition(os.sep)[2][:20]: outcome for name, outcome in outcomes(tmp_path / "a.tar").items()}
    skipped = {name: reason for name, (outcome, reason) in found.items() if outcome == "skipped"}
    assert skipped == {
        os.path.join("etc", "1.png"): "has a name that leads out of its archive",
        os.path.join("in", "..", "..", "2.png"): "has a name that leads out of its archive",
        "3.png": "is a link",
        "4.png": "is empty",
        "5.png": "is not a picture that can be read here",
        "6.png": "has the same name as another in its shard",
        "notes.txt": "is text, which is not learned, and belongs to no picture or sound",
        ".hidden.png": "is a hidden file",
        os.path.join(".git", "9.png"): "is a hidden file",
        "x" * 20: "has a name that cannot be used",
    }
    assert found["10.png"] == ("used", "")


def test_a_damaged_place_costs_the_members_in_it_alone(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tar", [(f"{seed}.png", picture(seed)) for seed in range(9)])
    with tarfile.open(path) as archive:
        place = archive.getmembers()[4].offset
    data = bytearray(path.read_bytes())
    data[place : place + BLOCK] = bytes(reversed(range(256))) * 2
    path.write_bytes(data)
    found = outcomes(path)
    assert found.pop("a.tar") == ("skipped", "is damaged in the middle")
    assert found == {os.path.join("a.tar", f"{seed}.png"): ("used", "") for seed in range(9) if seed != 4}


def test_a_cut_off_shard_gives_what_is_whole(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tar", [(f"{seed}.png", picture(seed, 40)) for seed in range(4)])
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset_data + 700])
    found = outcomes(path)
    assert found.pop(os.path.join("a.tar", "3.png")) == ("skipped", "is cut off, because its archive is")
    assert [outcome for outcome, _ in found.values()] == ["used"] * 3
    path.write_bytes(path.read_bytes()[: last.offset + 100])
    assert outcomes(path)["a.tar"] == ("skipped", "is cut off")


def test_shards_that_hold_nothing_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", [("1.png", picture(1))])
    (tmp_path / "b.tar").write_bytes(b"")
    write_shard(tmp_path / "c.tar", [])
    (tmp_path / "d.tar").write_bytes(b"these are words, not an archive " * 100)
    (tmp_path / "e.tar").write_bytes(b"\x1f\x8b" + bytes(2000))
    source = tmp_path / "{0..1}.tar"
    assert outcomes(tmp_path) == {
        os.path.join("a.tar", "1.png"): ("used", ""),
        "b.tar": ("skipped", "is empty"),
        "c.tar": ("skipped", "is empty"),
        "d.tar": ("skipped", "is not a tar archive"),
        "e.tar": ("skipped", "is compressed"),
    }
    with pytest.raises(FileRefused, match="is not there"):
        scan(source)
    write_shard(tmp_path / "1.tar", [("1.png", picture(1))])
    assert outcomes(source) == {
        "0.tar": ("skipped", "is not there any more"),
        os.path.join("1.tar", "1.png"): ("used", ""),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows writes no holes")
def test_a_huge_member_is_passed_over_without_being_read(tmp_path: Path) -> None:
    size = 10 * 2**30
    big = tarfile.TarInfo("big.png")
    big.size = size
    small = tarfile.TarInfo("small.png")
    data = picture(1)
    small.size = len(data)
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(big.tobuf())
        file.seek(size, os.SEEK_CUR)  # a hole
        file.write(small.tobuf() + data + bytes(-len(data) % BLOCK + 2 * BLOCK))
    assert outcomes(tmp_path / "a.tar") == {
        os.path.join("a.tar", "big.png"): ("skipped", "is larger than 256 MB"),
        os.path.join("a.tar", "small.png"): ("used", ""),
    }


def test_a_header_that_claims_ten_gigabytes_of_names_costs_no_other_shard(tmp_path: Path) -> None:
    liar = tarfile.TarInfo("liar")
    liar.type = tarfile.XHDTYPE
    liar.size = 10 * 2**30
    path = write_shard(tmp_path / "a.tar", [("1.png", picture(1))])
    path.write_bytes(liar.tobuf() + path.read_bytes())
    write_shard(tmp_path / "b.tar", [("2.png", picture(2))])
    found = outcomes(tmp_path)
    assert found.pop(os.path.join("b.tar", "2.png")) == ("used", "")
    assert [outcome for outcome, _ in found.values()] == ["skipped"]


def test_a_shard_is_listed_again_from_any_sample(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tar", [(f"{n}.{end}", picture(n)) for n in range(150) for end in ("png", "txt")])
    whole = [listed for listed in walk_shard(str(path)) if isinstance(listed, ListedFile)]
    assert len(whole) == 150 and whole[-1].following == -1
    for number in (0, 63, 100):
        rest = [each for each in walk_shard(str(path), whole[number].following) if isinstance(each, ListedFile)]
        assert rest == whole[number + 1 :]


def test_headers_are_read_in_the_child_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shard(tmp_path / "a.tar", [("1.png", picture(1))])
    monkeypatch.setattr(tarfile.TarFile, "__init__", lambda *_, **__: pytest.fail("it was opened here"))
    assert [member.name for member in decoder.read_tar_headers(path, 0, 10).members] == ["1.png"]


def test_no_damage_makes_the_reader_of_headers_fail_or_repeat_itself(tmp_path: Path) -> None:
    members = [(f"{'d' * 130 if n % 3 else 'd'}/{n}.png", picture(n)) for n in range(8)]
    whole = write_shard(tmp_path / "whole.tar", [*members, ("9.json", b'{"label": 4}')]).read_bytes()
    for seed in range(150):
        data = damage(bytearray(whole), random.Random(seed))
        (tmp_path / "a.tar").write_bytes(data)
        place = 0
        while place >= 0:
            headers = tar_headers.read_headers(tmp_path / "a.tar", place, 4)
            assert headers.following == -1 or headers.following > place, seed
            for member in headers.members:
                assert member.fault or 0 <= member.begin <= member.begin + member.size <= len(data), seed
            place = headers.following


def damage(data: bytearray, stream: random.Random) -> bytes:
    """Change, insert, delete or cut off some bytes of headers; often with a checksum that is right."""
    for _ in range(stream.choice((1, 3, 12))):
        place = BLOCK * stream.randrange(len(data) // BLOCK)
        at = place + stream.choice((0, 124, 130, 148, 156, 257, 345))
        match stream.randrange(5):
            case 0 | 1:
                data[at : at + 12] = bytes(stream.choice(b"017 \0\x80\xffLKSx") for _ in range(12))
            case 2:
                del data[at : at + stream.choice((1, BLOCK))]
            case 3:
                data[at:at] = stream.randbytes(stream.choice((1, BLOCK)))
            case _:
                data = data[: max(at, 2 * BLOCK)]
        header = data[place : place + BLOCK]
        if len(header) == BLOCK and stream.random() < 0.7:
            header[148:156] = b" " * 8
            data[place + 148 : place + 156] = b"%06o\0 " % sum(header)
    return bytes(data)
