"""Files become artworks as the options say."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.media.dataset import MIN_LEARNED, class_folders, load_dataset, split_keys
from studio.media.pictures.image import FileRefused
from studio.media.preparation import Preparation
from studio.media.preparing import THUMBNAIL, FilePreparer, PreparedFile
from studio.media.sounds.audio_dataset import RecordingDataset, load_recordings_in_steps

RED, GREEN = (255, 0, 0), (0, 128, 0)


def prepared(path: Path, shape: tuple[int, ...], rate: int = 0, **options: object) -> PreparedFile:
    return FilePreparer(shape, rate, Preparation(**options)).prepare(str(path))  # type: ignore[arg-type]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Write a picture of 32 × 16: black with white outer quarters."""
    array = np.zeros((16, 32, 3), np.uint8)
    array[:, :8] = array[:, -8:] = 255
    Image.fromarray(array).save(tmp_path / "wide.png")
    return tmp_path / "wide.png"


def test_the_middle_is_cut_out_unless_another_fitting_is_chosen(wide: Path) -> None:
    assert prepared(wide, (3, 16, 16)).artwork.max() == 0
    fit = prepared(wide, (3, 16, 16), fitting="fit").artwork
    assert fit[:, :3].min() > 250 and fit[:, 7:9].max() < 5 and fit[:, -3:].min() > 250
    pad = prepared(wide, (3, 16, 16), fitting="pad", ground=GREEN).artwork
    assert (pad[:4] == GREEN).all() and (pad[-4:] == GREEN).all()
    assert pad[4:12, 7:9].max() == 0
    grey = prepared(wide, (1, 16, 16), fitting="pad", ground=GREEN).artwork
    assert (grey[:4] == 75).all(), "as bright as the colour is"


def test_the_chosen_colour_lies_behind_transparent_parts(tmp_path: Path) -> None:
    array = np.zeros((8, 8, 4), np.uint8)
    array[:, 4:] = (0, 0, 255, 255)
    array[0, 0] = (0, 0, 0, 128)
    Image.fromarray(array, "RGBA").save(tmp_path / "half.png")
    usual = prepared(tmp_path / "half.png", (3, 8, 8)).artwork
    red = prepared(tmp_path / "half.png", (3, 8, 8), ground=RED).artwork
    assert (usual[1, 0].tolist(), red[1, 0].tolist()) == ([255, 255, 255], [255, 0, 0])
    assert red[0, 0].tolist() == [127, 0, 0]
    assert usual[0, 7].tolist() == red[0, 7].tolist() == [0, 0, 255]


def test_numbers_that_are_none_count_as_damage(tmp_path: Path) -> None:
    heights = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    heights[2, 2] = np.nan
    Image.fromarray(heights).save(tmp_path / "heights.tiff")
    assert prepared(tmp_path / "heights.tiff", (1, 8, 8)).damage == "values that are not numbers became black"
    wave = np.sin(np.arange(8000, dtype=np.float32))
    wave[[5, 900]] = np.nan
    soundfile.write(tmp_path / "wave.wav", wave, 8000, "FLOAT")
    assert prepared(tmp_path / "wave.wav", (), 8000).damage == "2 samples that were not numbers became silence"


def test_a_thumbnail_shows_a_picture_as_it_is_prepared(wide: Path) -> None:
    thumbnail = prepared(wide, (1, 8, 8), fitting="pad", ground=RED).thumbnail
    assert thumbnail.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert (thumbnail[:16] == RED).all() and (thumbnail[24:40, :8] == 255).all()


def test_a_recordings_thumbnail_shows_its_pitch(tmp_path: Path) -> None:
    rows = []
    for hertz in (200, 3000):
        path = tmp_path / f"{hertz}.wav"
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000), 16_000)
        rows.append(int(prepared(path, (), 16_000).thumbnail[..., 0].sum(1).argmax()))
    assert rows[0] > rows[1] + 20, "low tones are at the bottom"


def test_silence_is_trimmed_at_both_ends_and_not_within(tmp_path: Path) -> None:
    beep = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    gap = np.zeros(4000)
    noise = np.random.default_rng(0).normal(0, 0.0002, 24_000)  # 68 dB below
    soundfile.write(tmp_path / "a.wav", np.concatenate((gap, beep[:4000], gap, beep, gap)) + noise, 8000)
    assert len(prepared(tmp_path / "a.wav", (), 8000).artwork) == 24_000
    trimmed = prepared(tmp_path / "a.wav", (), 8000, trim_silence=True).artwork
    assert len(trimmed) == pytest.approx(16_000, abs=160)
    assert len(prepared(tmp_path / "a.wav", (), 8000, clip_seconds=0.5).artwork) == 4000


def test_a_recording_that_is_too_short_once_trimmed_is_left_out(tmp_path: Path) -> None:
    click = np.zeros(8000)
    click[4000:4010] = 0.9
    soundfile.write(tmp_path / "click.wav", click, 8000)
    assert prepared(tmp_path / "click.wav", (), 8000).unsuited == ""
    found = prepared(tmp_path / "click.wav", (), 8000, trim_silence=True)
    assert found.unsuited == "is shorter than 0.05 seconds once it is cut"


# ── classes ──────────────────────────────────────────────────────────────────────────────────────


def fill(folder: Path, count: int, first: int) -> None:
    folder.mkdir(parents=True)
    for seed in range(first, first + count):
        array = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(array).save(folder / f"{seed}.png")


def test_sub_folders_are_classes_of_pictures(tmp_path: Path) -> None:
    fill(tmp_path / "tulips", 6, 20)
    fill(tmp_path / "roses", 4, 0)
    (tmp_path / ".git").mkdir()
    found = load_dataset(tmp_path, (3, 8, 8), Preparation(folders_as_classes=True))
    assert found.label_names == class_folders(tmp_path) == ("roses", "tulips")
    assert found.train_labels is not None and found.test_labels is not None
    labels = [*found.train_labels.tolist(), *found.test_labels.tolist()]
    assert (labels.count(0), labels.count(1)) == (4, 6)
    rose = np.asarray(Image.open(tmp_path / "roses" / "0.png"))
    number = next(i for i, each in enumerate((*found.train, *found.test)) if np.array_equal(each, rose))
    assert labels[number] == 0
    assert load_dataset(tmp_path, (3, 8, 8)).train_labels is None


def test_a_class_without_a_usable_file_is_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path / "roses", 6, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileRefused) as fault:
        load_dataset(tmp_path, (3, 8, 8), Preparation(folders_as_classes=True))
    assert 'a sub-folder without anything to learn from, "empty"' in str(fault.value)
    assert fault.value.hint == "Fill it, move it elsewhere, or train without classes."


def test_sub_folders_are_classes_of_recordings(tmp_path: Path) -> None:
    for number, name in enumerate(("high", "low", "low")):
        (tmp_path / name).mkdir(exist_ok=True)
        wave = 0.5 * np.sin(2 * np.pi * (900 - 100 * number) * np.arange(4000) / 8000)
        soundfile.write(tmp_path / name / f"{number}.wav", wave, 8000)
    steps = load_recordings_in_steps(tmp_path, 8000, (), Preparation(folders_as_classes=True))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: RecordingDataset = end.value
            break
    assert found.label_names == ("high", "low")
    assert found.train_labels is not None and found.test_labels is not None
    assert sorted((*found.train_labels, *found.test_labels)) == [0, 1, 1]


def test_enough_is_left_to_learn_from_whatever_the_hashes_choose() -> None:
    chosen = [(10 * number).to_bytes(16, "big") for number in range(1, 9)]  # all are of the tenth
    for count in range(2, 9):
        kept, held = split_keys(chosen[:count])
        assert len(held) >= 1 and len(kept) >= min(MIN_LEARNED, count - 1)
    assert split_keys(chosen[:1]) == (chosen[:1], [])
