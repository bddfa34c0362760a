"""Artworks that were packed into a file come back as they were, so another computer learns the same."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.engine.events import result_of
from studio.engine.training import packed_artworks
from studio.engine.training.loading import TrainingData, load_data
from studio.engine.training.splits import hash_training_data
from studio.media.pictures.image import FileRefused
from studio.media.preparation import AS_USUAL, Preparation


def load(source: Path, shape: tuple[int, ...], rate: int = 0, preparation: Preparation = AS_USUAL) -> TrainingData:
    return result_of(load_data(source, shape, rate, (), preparation))


def write_pictures(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(12):
        (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (9, 9, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[number % 2] / f"{number}.png")
    (folder / "a" / "notes.txt").write_text("not a picture")
    return folder


def write_sounds(folder: Path, samples: int) -> Path:
    folder.mkdir()
    for number in range(12):
        phase = np.arange(samples + 10 * number) * (3 + number) * 2 * np.pi / samples
        soundfile.write(folder / f"{number}.wav", 0.4 * np.sin(phase), 8000)
    return folder


def check_equal(found: TrainingData, data: TrainingData) -> None:
    assert type(found) is type(data)
    for side in ("train", "test"):
        one, other = getattr(found, side), getattr(data, side)
        assert len(one) == len(other) > 0
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))
        labels = getattr(found, f"{side}_labels"), getattr(data, f"{side}_labels")
        assert (labels[0] is None) == (labels[1] is None) and np.array_equal(*labels)  # type: ignore[arg-type]
    assert (found.label_names, found.name, found.report) == (data.label_names, data.name, data.report)
    assert hash_training_data(found) == hash_training_data(data), "the run can be resumed with them"


@pytest.mark.parametrize("has_classes", [False, True])
@pytest.mark.parametrize(("shape", "rate"), [((3, 8, 8), 0), ((64,), 0), ((16_000,), 8000)])
def test_they_come_back_as_they_were(
    tmp_path: Path, studio_home: Path, shape: tuple[int, ...], rate: int, has_classes: bool
) -> None:
    if len(shape) == 3:
        source = write_pictures(tmp_path / "flowers")
    elif has_classes:
        (tmp_path / "sounds").mkdir()
        for name in "ab":
            write_sounds(tmp_path / "sounds" / name, 1000 if name == "a" else 1100)
        source = tmp_path / "sounds"
    else:
        source = write_sounds(tmp_path / "sounds", 1000)
    data = load(source, shape, rate, Preparation(folders_as_classes=has_classes))
    file = packed_artworks.pack_artworks(data)
    assert packed_artworks.pack_artworks(data) == file, "its hash tells that it was sent already"
    path = packed_artworks.write_packed(file)
    assert path.is_relative_to(studio_home)
    check_equal(load(path, shape, rate), data)


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "flowers.safetensors"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(FileRefused, match=r"packed artworks|not there any more"):
        load(path, (3, 8, 8))


def test_old_files_give_way(studio_home: Path) -> None:
    for number in range(6):
        newest = packed_artworks.write_packed(bytes([number]) * 10)
    kept = list((studio_home / "cache" / "packed").iterdir())
    assert len(kept) == packed_artworks.KEPT_FILES and newest in kept
