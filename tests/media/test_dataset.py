"""A folder or a pack becomes training pictures, with a report on every file."""

import io
import itertools
import os
import pickle
import shutil
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.media import dataset
from studio.media import pack as packs
from studio.media.dataset import list_files, load_dataset, load_dataset_in_steps
from studio.media.pictures.image import FileRefused, fit_to_shape, open_picture

DATA = Path(__file__).parents[2] / "../shared/data"
PACKS = DATA / "packs"
IMAGES = DATA / "user/images"
needs_packs = pytest.mark.skipif(not PACKS.is_dir(), reason="the packs of pictures are not here")
needs_images = pytest.mark.skipif(not IMAGES.is_dir(), reason="the folder of messy sample files is not here")
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes in folders nor devices")


def picture(seed: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def fill(folder: Path, count: int, first: int = 0) -> None:
    """Write different small pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        Image.fromarray(picture(seed)).save(folder / f"{seed:03d}.png")


def pack(path: Path, **members: np.ndarray) -> Path:
    np.savez(path, **members)  # type: ignore[arg-type]
    return path


def finished(steps: Generator[Any, None, Any]) -> Any:
    """Take all steps and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def rows(pictures: np.ndarray) -> set[bytes]:
    return {one.tobytes() for one in pictures}


# ── packs ────────────────────────────────────────────────────────────────────────────────────────


@needs_packs
def test_halved_emoji_are_the_exact_mean_of_four_pixels() -> None:
    with np.load(PACKS / "emoji64.npz") as whole:
        train = whole["train_x"]
        test = whole["test_x"]
        labels = whole["train_y"]
    found = load_dataset(PACKS / "emoji64.npz", (3, 32, 32))
    for ours, theirs in ((found.train[::10], train[::10]), (found.test, test)):
        mean = theirs.astype(np.float32).reshape(-1, 32, 2, 32, 2, 3).mean((2, 4))
        np.testing.assert_array_equal(ours, np.floor(mean + 0.5).astype(np.uint8))
    assert found.train.shape == (2832, 32, 32, 3)
    assert found.test.shape == (277, 32, 32, 3)
    assert found.train.dtype == np.uint8
    assert found.train_labels is not None
    np.testing.assert_array_equal(found.train_labels, labels)
    assert found.label_names[3] == "Food & Drink"
    assert found.name == "emoji64"
    assert found.report.used == 3109
    assert found.licence == ""


@needs_packs
def test_tiles_are_put_over_white() -> None:
    with np.load(PACKS / "tiles32.npz") as whole:
        rgba = whole["test_x"].astype(np.float64)
    found = load_dataset(PACKS / "tiles32.npz", (3, 32, 32))
    assert found.train.shape == (3543, 32, 32, 3)
    alpha = rgba[..., 3:] / 255
    np.testing.assert_array_equal(found.test, np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))


@needs_packs
def test_digits_stay_unchanged_and_fit_any_shape() -> None:
    with np.load(PACKS / "digits8.npz") as whole:
        train = whole["train_x"]
    found = load_dataset(PACKS / "digits8.npz", (1, 8, 8))
    np.testing.assert_array_equal(found.train, train)
    assert found.label_names == tuple("0123456789")
    assert load_dataset(PACKS / "digits8.npz", (3, 8, 8)).train.shape == (1628, 8, 8, 3)
    np.testing.assert_array_equal(load_dataset(PACKS / "digits8.npz", (3, 8, 8)).test[..., 2:], found.test)
    assert load_dataset(PACKS / "digits8.npz", (1, 12, 12)).train.shape == (1628, 12, 12, 1)


@needs_packs
def test_a_pack_of_sounds_is_refused_as_such() -> None:
    with pytest.raises(FileRefused, match="does not hold pictures"):
        load_dataset(PACKS / "akwf256.npz", (1, 28, 28))


def test_colour_becomes_grey_as_eyes_weigh_it(tmp_path: Path) -> None:
    pictures = np.stack([picture(seed) for seed in range(4)])
    found = load_dataset(pack(tmp_path / "p.npz", train_x=pictures[:2], test_x=pictures[2:]), (1, 12, 12))
    np.testing.assert_array_equal(found.train[0], fit_to_shape(pictures[0], (1, 12, 12)))


def test_a_pack_without_a_split_always_holds_out_the_same_tenth(tmp_path: Path) -> None:
    pictures = np.stack([picture(seed) for seed in range(300)])
    labels = np.arange(300, dtype=np.uint16)
    found = load_dataset(pack(tmp_path / "p.npz", train_x=pictures, train_y=labels), (3, 12, 12))
    assert 15 <= len(found.test) <= 50
    assert len(found.train) + len(found.test) == 300
    assert found.test_labels is not None
    np.testing.assert_array_equal(pictures[found.test_labels], found.test)
    turned = load_dataset(pack(tmp_path / "q.npz", train_x=pictures[::-1]), (3, 12, 12))
    assert rows(turned.test) == rows(found.test)


def test_the_licence_next_to_a_pack_is_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "p.npz", train_x=picture(0)[None], test_x=picture(1)[None])
    (tmp_path / "p.licence.txt").write_text("CC0 1.0\nmore", encoding="utf-8")
    assert load_dataset(path, (3, 12, 12)).licence == "CC0 1.0"


class Canary:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def test_a_pack_of_python_objects_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    harmful = np.array([Canary(tmp_path / "canary")], object)
    with pytest.raises(FileRefused, match="can run programs"):
        load_dataset(pack(tmp_path / "p.npz", train_x=harmful), (3, 8, 8))
    (tmp_path / "q.npz").write_bytes(pickle.dumps(harmful))
    with pytest.raises(FileRefused, match="not a pack"):
        load_dataset(tmp_path / "q.npz", (3, 8, 8))
    assert not (tmp_path / "canary").exists()


def test_a_damaged_pack_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    data = pack(tmp_path / "p.npz", train_x=picture(0)[None], test_x=picture(1)[None]).read_bytes()
    for tenth in range(10):
        (tmp_path / "p.npz").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(FileRefused, match=r'"p.npz"'):
            load_dataset(tmp_path / "p.npz", (3, 12, 12))
    place = data.index(picture(0).tobytes()) + 50
    (tmp_path / "p.npz").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(FileRefused):
        load_dataset(tmp_path / "p.npz", (3, 12, 12))


def test_a_pack_that_claims_endless_pictures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 64, 64, 3)})
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("train_x.npy", member.getvalue() + b"\0" * 1000)
    with pytest.raises(FileRefused):
        load_dataset(tmp_path / "p.npz", (3, 32, 32))
    monkeypatch.setattr(packs, "MAX_PACK_BYTES", 100)
    with pytest.raises(FileRefused, match="unpacked"):
        packs.read_members(pack(tmp_path / "q.npz", train_x=picture(0)[None]))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"test_x": np.zeros((2, 8, 8, 3), np.uint8)},
        {"train_x": np.zeros((2, 8, 8), np.uint8)},
        {"train_x": np.zeros((2, 8, 8, 3), np.float32)},
        {"train_x": np.zeros((2, 8, 8, 2), np.uint8)},
        {"train_x": np.zeros((2, 0, 8, 3), np.uint8)},
        {"train_x": np.zeros((0, 8, 8, 3), np.uint8)},
        {"train_x": np.zeros((1, 8, 8, 3), np.uint8)},
        {"train_x": np.zeros((2, 8, 8, 3), np.uint8), "test_x": np.zeros((0, 8, 8, 3), np.uint8)},
        {"train_x": np.zeros((2, 8, 8, 3), np.uint8), "train_y": np.zeros(3, np.uint8)},
        {"train_x": np.zeros((2, 8, 8, 3), np.uint8), "train_y": np.zeros(2, np.float32)},
    ],
    ids=lambda members: ", ".join(f"{name} {x.dtype}{x.shape}" for name, x in members.items()) or "nothing",
)
def test_an_invalid_pack_is_refused_by_name(tmp_path: Path, members: dict[str, np.ndarray]) -> None:
    with pytest.raises(FileRefused, match=r'^"p.npz" (has|does|is) '):
        load_dataset(pack(tmp_path / "p.npz", **members), (3, 8, 8))


def test_a_file_that_is_neither_folder_nor_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="not there"):
        load_dataset(tmp_path / "nothing", (3, 8, 8))
    (tmp_path / "rose.png").write_bytes(b"no zip")
    with pytest.raises(FileRefused, match="not a pack"):
        load_dataset(tmp_path / "rose.png", (3, 8, 8))


def test_a_picture_on_both_sides_of_a_pack_is_held_out_and_not_learned(tmp_path: Path) -> None:
    pictures = np.stack([picture(seed) for seed in range(6)])
    labels = np.arange(5)
    path = pack(tmp_path / "p.npz", train_x=pictures[:5], train_y=labels, test_x=pictures[[5, 2, 3]])
    found = load_dataset(path, (3, 12, 12))
    assert rows(found.train) == rows(pictures[[0, 1, 4]]) and rows(found.test) == rows(pictures[[5, 2, 3]])
    assert found.train_labels is not None and found.train_labels.tolist() == [0, 1, 4]
    assert found.report.summary == "6 pictures are used. 2 were the same as another at this size."


def test_pictures_of_a_pack_that_become_equal_are_not_on_both_sides(tmp_path: Path) -> None:
    grey = np.stack([np.repeat(picture(seed)[..., :1], 3, axis=2) for seed in range(3)])
    red = grey.copy()
    red[:, 0, 0] = (76, 76, 76)
    grey[:, 0, 0] = (255, 0, 0)  # as grey: 76
    path = pack(tmp_path / "p.npz", train_x=np.concatenate((grey[:2], red[2:])), test_x=red[:2])
    found = load_dataset(path, (1, 12, 12))
    assert len(found.train) == 1 and len(found.test) == 2 and not rows(found.train) & rows(found.test)
    twice = np.repeat(np.repeat(red, 2, axis=1), 2, axis=2)
    whole = load_dataset(pack(tmp_path / "q.npz", train_x=twice, test_x=twice[:1]), (3, 6, 6))
    assert len(whole.train) == 2


def test_a_pack_of_one_picture_many_times_is_refused(tmp_path: Path) -> None:
    same = np.repeat(picture(0)[None], 20, axis=0)
    for members in ({"train_x": same}, {"train_x": same[:10], "test_x": same[10:]}):
        with pytest.raises(FileRefused, match="too few pictures .* the same as another at this size"):
            load_dataset(pack(tmp_path / "p.npz", **members), (3, 12, 12))


def test_waves_of_a_pack_that_become_equal_are_not_on_both_sides(tmp_path: Path) -> None:
    long = np.stack([np.sin(np.arange(512) / 512 * 2 * np.pi * (k + 1)) for k in range(4)])
    waves = (long * 20_000).astype(np.int16)
    found = load_dataset(pack(tmp_path / "p.npz", train_x=waves, test_x=(waves[:1] // 2 * 2)), (256,))
    assert not rows(found.train) & rows(found.test)


def test_a_pack_that_is_a_link_is_followed(tmp_path: Path) -> None:
    pack(tmp_path / "p.npz", train_x=picture(0)[None], test_x=picture(1)[None])
    (tmp_path / "link.npz").symlink_to(tmp_path / "p.npz")
    assert load_dataset(tmp_path / "link.npz", (3, 12, 12)).report.used == 2


@pytest.mark.parametrize(
    "beginning", [b"PK\3\4", b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7", b"BZh9", b"\xfd7zXZ\0"]
)
def test_an_archive_of_any_format_must_be_unpacked_first(tmp_path: Path, beginning: bytes) -> None:
    (tmp_path / "photos.npz").write_bytes(beginning + bytes(100))
    with pytest.raises(FileRefused) as fault:
        load_dataset(tmp_path / "photos.npz", (3, 8, 8))
    assert str(fault.value) == '"photos.npz" is an archive and was not opened. Unpack it first, then name the folder.'


def test_a_pack_with_a_password_says_so(tmp_path: Path) -> None:
    path = pack(tmp_path / "p.npz", train_x=picture(0)[None])
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1  # the member claims to be encrypted
    path.write_bytes(data)
    with pytest.raises(FileRefused, match="locked with a password"):
        load_dataset(path, (3, 8, 8))


# ── folders ──────────────────────────────────────────────────────────────────────────────────────


@needs_images
def test_a_messy_folder_is_used_as_far_as_it_goes() -> None:
    found = load_dataset(IMAGES, (3, 32, 32))
    assert len(found.train) + len(found.test) == found.report.used == 198
    assert found.report.duplicates == 3  # one exact copy, and two that are wholly transparent: white as a third
    assert dict(found.report.skipped) == {
        ".DS_Store": "is a hidden file",
        "Thumbs.db": "is not a picture that can be read here",
        os.path.join("broken", "empty.png"): "is empty",
        os.path.join("broken", "header_only.png"): "is damaged",
        os.path.join("broken", "not_an_image.jpg"): "is not a picture that can be read here",
        os.path.join("broken", "truncated.jpg"): "is cut off",
        "notes.txt": "is not a picture that can be read here",
    }
    empty = os.path.join("broken", "empty.png")
    assert found.report.summary == (
        '198 pictures are used. 7 files were skipped: ".DS_Store" is a hidden file, "Thumbs.db" is not a picture that '
        f'can be read here, "{empty}" is empty, and 4 more. 3 were duplicates.'
    )
    assert found.train.shape[1:] == (32, 32, 3)
    assert found.name == "images"
    assert found.train_labels is None


@needs_images
def test_a_picture_is_used_as_it_is_seen_elsewhere() -> None:
    photo = fit_to_shape(open_picture(IMAGES / "IMG_1007.jpg").array, (3, 16, 16))
    found = load_dataset(IMAGES, (3, 16, 16))
    assert photo.tobytes() in rows(found.train) | rows(found.test)


def test_the_same_pictures_are_held_out_under_any_names(tmp_path: Path) -> None:
    fill(tmp_path / "a", 60)
    first = load_dataset(tmp_path / "a", (3, 12, 12))
    assert 1 <= len(first.test) <= 15
    assert not rows(first.train) & rows(first.test)
    (tmp_path / "b" / "deep" / "er").mkdir(parents=True)
    for index, path in enumerate(sorted((tmp_path / "a").iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / "b" / ("deep/er" if index % 2 else ".") / f"renamed {index}.png")
    second = load_dataset(tmp_path / "b", (3, 12, 12))
    np.testing.assert_array_equal(first.train, second.train)
    np.testing.assert_array_equal(first.test, second.test)
    fill(tmp_path / "a", 60, first=60)
    more = load_dataset(tmp_path / "a", (3, 12, 12))
    assert rows(first.test) <= rows(more.test)


def test_a_duplicate_counts_once_whatever_its_format(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    Image.fromarray(picture(0)).save(tmp_path / "same.bmp")
    shutil.copy(tmp_path / "001.png", tmp_path / "copy.png")
    found = load_dataset(tmp_path, (3, 12, 12))
    assert found.report.used == 3
    assert found.report.duplicates == 2
    assert "2 were duplicates" in found.report.summary


def test_pictures_that_are_equal_at_the_models_size_count_once(tmp_path: Path) -> None:
    for size in range(8, 16):
        Image.new("RGB", (size, size)).save(tmp_path / f"black {size}.png")
    with pytest.raises(FileRefused) as fault:
        load_dataset(tmp_path, (3, 8, 8))
    assert str(fault.value).startswith(f'"{tmp_path.name}" has too few pictures to learn from (1 usable, ')
    assert "7 the same as another at this size" in str(fault.value)
    fill(tmp_path, 3)
    found = load_dataset(tmp_path, (3, 8, 8))
    assert len(found.train) + len(found.test) == found.report.used == 4
    assert not rows(found.train) & rows(found.test)
    assert found.report.summary == "4 pictures are used. 7 were the same as another at this size."


def test_pictures_that_are_equal_in_grey_count_once(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    for seed in range(3):
        grey = Image.fromarray(picture(seed)).convert("L")
        grey.save(tmp_path / f"grey {seed}.png")
    assert load_dataset(tmp_path, (3, 12, 12)).report.used == 6
    found = load_dataset(tmp_path, (1, 12, 12))
    assert found.report.used == 3 and found.report.similar == 3


def test_cycles_that_are_equal_at_the_models_length_count_once(tmp_path: Path) -> None:
    forms = [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("aiff", "PCM_24")]
    for harmonics in (1, 2, 3):
        for index, samples in enumerate((256, 300, 512, 600, 1024, 2048)):
            phase = np.arange(samples) / samples * 2 * np.pi
            wave = (np.sin(phase) + np.sin(harmonics * phase) / 3) / 2
            ending, form = forms[index % len(forms)]
            soundfile.write(tmp_path / f"{harmonics} {samples}.{ending}", wave, 44_100, subtype=form)
    found = load_dataset(tmp_path, (256,))
    assert found.report.used == 3 and found.report.duplicates + found.report.similar == 15
    waves = np.concatenate((found.train, found.test)).astype(int)
    assert all(np.abs(one - other).max() > 100 for one, other in itertools.combinations(waves, 2))


def test_two_pictures_are_enough_to_start_and_one_is_not(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    shutil.copy(tmp_path / "000.png", tmp_path / "copy.png")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(FileRefused) as fault:
        load_dataset(tmp_path, (3, 8, 8))
    assert "1 usable, 1 duplicates, 2 skipped" in str(fault.value)
    assert '"empty.png" is empty' in str(fault.value)
    fill(tmp_path, 2)
    found = load_dataset(tmp_path, (3, 8, 8))
    assert len(found.train) == len(found.test) == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="0 usable, 0 skipped"):
        load_dataset(tmp_path, (3, 8, 8))


@POSIX_ONLY
@pytest.mark.timeout(20)
def test_links_pipes_and_hidden_things_are_named_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    fill(folder, 3)
    fill(tmp_path / "elsewhere", 5, first=100)
    fill(folder / ".thumbnails", 4, first=200)
    fill(folder / "folder.png", 1, first=300)
    (folder / ".hidden.png").write_bytes((folder / "000.png").read_bytes())
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    found = load_dataset(folder, (3, 12, 12))
    assert found.report.used == 4
    assert dict(found.report.skipped) == {
        ".hidden.png": "is a hidden file",
        ".thumbnails": "is a hidden folder",
        "out": "is a link",
        "round": "is a link",
        "zero.png": "is a link",
        "pipe.png": "is not a file but a device or a pipe",
    }


@POSIX_ONLY
def test_names_that_are_not_text_are_used_and_shown(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    for seed, name in enumerate((b"\xff\xfe.png", "\u202egnp.exe".encode(), b"new\nline.png"), 10):
        Image.fromarray(picture(seed)).save(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", os.path.join(os.fsencode(tmp_path), name))
    with open(os.path.join(os.fsencode(tmp_path), b"bad\xff\n.png"), "wb"):
        pass
    found = load_dataset(tmp_path, (3, 12, 12))
    assert found.report.used == 5
    assert found.report.skipped == (("bad\ufffd\ufffd.png", "is empty"),)


def test_a_file_that_vanishes_meanwhile_is_skipped(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    steps = load_dataset_in_steps(tmp_path, (3, 12, 12))
    first = next(report for report in steps if report is not None)
    assert (first.name, first.outcome) == ("000.png", "used")
    (tmp_path / "004.png").unlink()
    found = finished(steps)
    assert found.report.skipped == (("004.png", "is not there any more"),)
    assert found.report.used == 4


def test_files_are_listed_in_order_and_a_file_is_itself(tmp_path: Path) -> None:
    fill(tmp_path / "b", 2)
    fill(tmp_path / "a" / "c", 1)
    (tmp_path / "z.txt").write_text("")
    names = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path)]
    assert names == ["a/c/000.png", "b/000.png", "b/001.png", "z.txt"]
    assert list_files(tmp_path / "z.txt") == [tmp_path / "z.txt"]
    assert list_files(tmp_path / "gone.png") == [tmp_path / "gone.png"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 2)
    fill(tmp_path / "locked", 2, first=5)
    real = os.scandir

    def scan(folder: Path) -> Any:
        if Path(folder).name == "locked":
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(dataset.os, "scandir", scan)
    found = load_dataset(tmp_path, (3, 12, 12))
    assert found.report.used == 2
    assert [name for name, _ in found.report.skipped] == ["locked"]
