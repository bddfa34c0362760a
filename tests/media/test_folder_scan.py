"""Every file of a folder gets an outcome and a reason; a scan can be stopped, and notices what changes meanwhile."""

import csv
import gc
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.media import decoder, folder_scan
from studio.media.decoder import FileDecoder
from studio.media.folder_scan import FileReport, FolderScan, walk_files
from studio.media.pictures.image import FileRefused
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import FilePreparer
from tests.conftest import PLANTED
from tests.limits import LIMIT

USER = Path(__file__).parents[2] / "../shared/data/user"
needs_user = pytest.mark.skipif(not USER.is_dir(), reason="the folders of messy sample files are not here")
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows moves no folder with open files")
PICTURES = FilePreparer((3, 8, 8), 0, AS_USUAL)


def picture(seed: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def fill(folder: Path, count: int, first: int = 0) -> None:
    """Write different small pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        Image.fromarray(picture(seed)).save(folder / f"{seed:03d}.png")


def scan(source: Path, preparer: FilePreparer = PICTURES) -> dict[str, FileReport]:
    """Return the report of every file by its name."""
    return {report.name: report for report in FolderScan(source, preparer).steps() if report is not None}


def beep(seconds: float, hertz: float = 440.0, rate: int = 16_000) -> np.ndarray:
    wave: np.ndarray = 0.25 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return wave


# ── outcomes ─────────────────────────────────────────────────────────────────────────────────────


def expected(table: str) -> dict[str, dict[str, str]]:
    with open(USER / table, encoding="utf-8", newline="") as file:
        return {row["file"].replace("/", os.sep): row for row in csv.DictReader(file)}


@needs_user
def test_every_picture_of_a_messy_folder_has_the_expected_outcome() -> None:
    rows = expected("images_EXPECTED.csv")
    found = scan(USER / "images", FilePreparer((3, 32, 32), 0, AS_USUAL))
    assert found.keys() == rows.keys()
    assert {name for name, report in found.items() if report.outcome == "skipped"} == {
        name for name, row in rows.items() if row["expect"] == "skip"
    }
    assert all(report.reason for report in found.values() if report.outcome != "used")
    for name, report in found.items():
        if report.prepared is not None:
            size = {report.prepared.width, report.prepared.height}
            assert size == {int(rows[name]["width"]), int(rows[name]["height"])}, name


@needs_user
def test_every_sound_of_a_messy_folder_has_the_expected_outcome() -> None:
    rows = expected("audio_EXPECTED.csv")
    found = scan(USER / "audio", FilePreparer((), 16_000, AS_USUAL))
    assert found.keys() == rows.keys()
    unsupported = {os.path.join("loops", "industrial.m4a")}  # the table says so
    assert {name for name, report in found.items() if report.outcome == "skipped"} == unsupported | {
        name for name, row in rows.items() if row["expect"] == "skip"
    }
    assert {os.path.basename(name): r.reason for name, r in found.items() if r.outcome == "left_out"} == {
        "silence.wav": "is silent",
        "very_quiet.wav": "is silent",
        "very_short.wav": "is shorter than 0.05 seconds",
    }
    assert [os.path.basename(name) for name, r in found.items() if r.outcome == "damaged"] == ["truncated.wav"]
    for name, report in found.items():
        if report.prepared is not None:
            row = rows[name]
            assert (report.prepared.rate, report.prepared.channels) == (int(row["rate"]), int(row["channels"])), name
            padding = 0.1  # of an encoder
            assert report.prepared.seconds == pytest.approx(float(row["seconds"]), abs=padding), name


def test_a_copy_names_the_file_that_it_is_the_same_as(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    Image.fromarray(picture(0)).save(tmp_path / "again.bmp")
    Image.fromarray(np.repeat(np.repeat(picture(1, 8), 2, 0), 2, 1)).save(tmp_path / "enlarged.png")
    Image.fromarray(picture(1, 8)).save(tmp_path / "small.png")
    found = scan(tmp_path)
    assert (found["again.bmp"].outcome, found["again.bmp"].reason) == ("duplicate", 'is the same as "000.png"')
    assert found["small.png"].reason == 'is the same as "enlarged.png" at this size'
    assert [found[name].outcome for name in ("000.png", "001.png", "enlarged.png")] == ["used"] * 3


def test_an_excluded_file_stays_out_under_any_name(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    key = scan(tmp_path)["002.png"].key
    (tmp_path / "deep").mkdir()
    (tmp_path / "002.png").rename(tmp_path / "deep" / "renamed.png")
    found = scan(tmp_path, FilePreparer((3, 8, 8), 0, Preparation(excluded=(key,))))
    out = [(name, report.reason) for name, report in found.items() if report.outcome == "left_out"]
    assert out == [(os.path.join("deep", "renamed.png"), "is excluded by you")]
    assert sum(report.is_used for report in found.values()) == 3


def test_a_file_in_no_sub_folder_has_no_class(tmp_path: Path) -> None:
    fill(tmp_path / "roses" / "red", 2)
    fill(tmp_path / "tulips", 2, first=5)
    fill(tmp_path, 1, first=9)
    found = scan(tmp_path, FilePreparer((3, 8, 8), 0, Preparation(folders_as_classes=True)))
    assert found["009.png"].reason == "is in no sub-folder, so it has no class"
    assert sorted(report.label for report in found.values() if report.is_used) == ["roses"] * 2 + ["tulips"] * 2


@pytest.mark.usefixtures("planted_readers")
def test_a_file_that_kills_its_reader_costs_one_file(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    (tmp_path / "001.png").rename(tmp_path / "kills.png")
    found = scan(tmp_path)
    killer = found["kills.png"]
    assert (killer.outcome, killer.reason) == ("skipped", "crashed the program that reads files")
    assert sum(report.is_used for report in found.values()) == 3


# ── while it runs ────────────────────────────────────────────────────────────────────────────────


def test_a_scan_ends_at_once_while_a_file_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = FileDecoder(PLANTED, seconds=1000, patience=1000)
    monkeypatch.setattr(decoder, "shared_decoder", own)
    fill(tmp_path, 4)
    (tmp_path / "001.png").rename(tmp_path / "sleeps.png")
    steps = FolderScan(tmp_path, PICTURES).steps()
    reports = [next(report for report in steps if report is not None) for _ in range(3)]
    assert [report.name for report in reports] == ["000.png", "002.png", "003.png"]
    assert next(steps) is None, "it waits for the file that hangs, a moment in each step"
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("scan")]
    steps.close()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert own.read_file("hash", tmp_path / "000.png", str, most=10**6), "other reads go on"
    own.close()


def test_stopping_a_scan_does_not_stop_another(tmp_path: Path) -> None:
    fill(tmp_path, 12)
    first, second = (FolderScan(tmp_path, PICTURES).steps() for _ in range(2))
    next(report for report in first if report is not None)
    found = [next(report for report in second if report is not None)]
    first.close()
    found += [report for report in second if report is not None]
    assert [report.outcome for report in found] == ["used"] * 12


@POSIX_ONLY
@pytest.mark.parametrize("how", ["moved", "replaced"])
def test_a_folder_that_vanishes_ends_the_scan_in_words(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    fill(folder, 30)
    steps = FolderScan(folder, PICTURES).steps()
    next(report for report in steps if report is not None)
    folder.rename(tmp_path / "elsewhere")
    if how == "replaced":
        folder.mkdir()
    with pytest.raises(FileRefused) as fault:
        for _ in steps:
            continue
    assert (fault.value.name, fault.value.reason) == ("photos", "is not there any more")
    assert fault.value.hint == "Nothing was changed. Connect or restore it, and start again."


def _changing(path: Path, times: int) -> Callable[..., Any]:
    """Return a reader of pictures that changes a file the first times it is read."""
    opened = decoder.open_picture
    left = [times]

    def read(wanted: str, **words: Any) -> Any:
        found = opened(wanted, **words)
        if Path(wanted) == path and left[0]:
            left[0] -= 1
            Image.fromarray(picture(100 + left[0], 9 + left[0])).save(path)
        return found

    return read


@pytest.mark.parametrize("times", [1, 5])
def test_a_file_that_changes_while_it_is_read_is_never_half_used(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 3)
    monkeypatch.setattr(decoder, "open_picture", _changing(tmp_path / "001.png", times))
    report = scan(tmp_path)["001.png"]
    if times == 1:
        assert report.outcome == "used" and report.prepared is not None
        assert report.prepared.width == 9, "it was read again"
    else:
        assert (report.outcome, report.reason) == ("skipped", "was changed while it was read")


def test_a_scan_keeps_nothing_of_the_files_it_skips(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"{number:05}.png").write_bytes(b"")
    counts: list[int] = []
    tracemalloc.start()
    try:
        for report in FolderScan(tmp_path, PICTURES).steps():
            if report is not None and report.name in ("00500.png", "01499.png"):
                gc.collect()  # refusals that refer to themselves are not kept
                counts.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert counts[1] - counts[0] < 50_000, "less than 50 bytes a file"


def test_a_folder_with_many_files_is_listed_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_scan, "_LISTED_AT_ONCE", 10)
    for number in range(35):
        (tmp_path / f"{number:02}").write_bytes(b"")
    steps = list(walk_files(tmp_path))
    assert steps[:4] == [0, 0, 0, 35], "a pause after every ten"
    assert [Path(listed.path).name for listed in steps[4:] if not isinstance(listed, int)] == [
        f"{number:02}" for number in range(35)
    ]


def test_a_folder_that_may_not_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(folder: object) -> Any:
        raise PermissionError

    monkeypatch.setattr(folder_scan.os, "scandir", forbidden)
    with pytest.raises(FileRefused, match="may not be opened by you"):
        scan(tmp_path)


# ── held out for ever ────────────────────────────────────────────────────────────────────────────


def test_no_option_moves_a_picture_to_the_other_side(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    clear = Image.fromarray(np.concatenate((picture(7), picture(8)[..., :1]), 2), "RGBA")
    clear.save(tmp_path / "clear.png")
    usual = {name: report.prepared for name, report in scan(tmp_path).items()}
    for shape, preparation in (
        ((3, 8, 8), Preparation(fitting="pad", ground=(255, 0, 0))),
        ((1, 16, 16), AS_USUAL),
        ((3, 32, 16), Preparation(fitting="fit")),
    ):
        other = scan(tmp_path, FilePreparer(shape, 0, preparation))
        for name, before in usual.items():
            after = other[name].prepared
            assert before is not None and after is not None
            assert after.content == before.content


def test_no_option_moves_a_recording_to_the_other_side(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.concatenate((np.zeros(4000), beep(1.0), np.zeros(4000))), 16_000)
    (usual,) = scan(tmp_path, FilePreparer((), 16_000, AS_USUAL)).values()
    preparation = Preparation(trim_silence=True, clip_seconds=0.25, peak=0.9)
    (other,) = scan(tmp_path, FilePreparer((), 16_000, preparation)).values()
    assert usual.prepared is not None and other.prepared is not None
    assert usual.prepared.content == other.prepared.content
    assert (len(usual.prepared.artwork), len(other.prepared.artwork)) == (24_000, 4000)
    assert np.abs(other.prepared.artwork.astype(int)).max() == pytest.approx(0.9 * 32_768, rel=0.01)
