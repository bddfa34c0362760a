"""Folders and packs of recordings are read, with reasons for refusals and with classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.media import decoder
from studio.media.containers.streams import BROKEN, CUT
from studio.media.pictures.image import FileRefused
from studio.media.sounds.audio_dataset import RecordingDataset, as_samples, load_recordings_in_steps

DATA = Path(__file__).parents[3] / "../shared/data"
needs_packs = pytest.mark.skipif(not (DATA / "packs").is_dir(), reason="the packs of sounds are not here")
needs_user = pytest.mark.skipif(not (DATA / "user/audio").is_dir(), reason="the messy sample files are not here")


def load(source: Path, rate: int, columns: Sequence[str] = ()) -> RecordingDataset:
    steps = load_recordings_in_steps(source, rate, columns)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: RecordingDataset = end.value
            return found


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    wave: np.ndarray = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return wave


def write(path: Path, wave: np.ndarray, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="PCM_16")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Write a pack of clips with two groups of classes. Clip i holds only the number i."""
    folder = tmp_path / "clips"
    rows = ["split,start,length,label,speaker"]
    for split, count in (("train", 6), ("test", 2)):
        write(folder / f"{split}.flac", np.repeat(np.arange(count) + 1, 1000).astype(np.int16) * 100, 8000)
        rows += [f"{split},{1000 * i},{900 + i},{'ab'[i % 2]}_x,{'uvw'[i % 3]}" for i in range(count)]
    (folder / "index.csv").write_text("\n".join(rows))
    return folder


def test_clips_are_cut_by_the_index_and_counted_through_all_groups(clips: Path) -> None:
    found = load(clips, 8000, ("label", "speaker"))
    assert [len(x) for x in found.train] == [900, 901, 902, 903, 904, 905]
    assert [set(x.tolist()) for x in found.train] == [{100 * (i + 1)} for i in range(6)]
    assert found.label_names == ("a x u", "a x v", "a x w", "b x u", "b x v", "b x w")
    assert found.train_labels is not None
    names = [found.label_names[label] for label in found.train_labels]
    assert names == ["a x u", "b x v", "a x w", "b x u", "a x v", "b x w"]
    assert len(found.test) == 2
    assert load(clips, 8000).train_labels is None


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("split,start,length\ntrain,0,99999", "ends at 99,999 of 6,000 samples"),
        ("split,start,length\ntrain,-4,100", "ends at 96 of 6,000"),
        ("split,start,length\ntrain,x,100", "cannot be read"),
        ("split,start,length", "without rows"),
        ("start,length\n0,100", 'no column "split"'),
        ("split,start,length\ntrain,0,100", "1 and 0 held out"),
        ("split,file\ntrain,../../secret.flac", "names no file of its own"),
    ],
)
def test_a_damaged_index_is_named(clips: Path, index: str, reason: str) -> None:
    (clips / "index.csv").write_text(index)
    with pytest.raises(FileRefused, match=reason):
        load(clips, 8000)


def test_a_users_folder_is_converted_to_one_rate_and_channel(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(folder / "a.wav", tone(1, 48_000), 48_000)
    write(folder / "deep/b.flac", np.stack([tone(2, 16_000, 300), tone(2, 16_000, 300)], 1), 16_000)
    write(folder / "again.wav", tone(1, 48_000), 48_000)
    write(folder / "quiet.wav", np.zeros(9000), 16_000)
    write(folder / "short.wav", tone(0.01, 16_000), 16_000)
    (folder / "notes.txt").write_text("not a sound")
    found = load(folder, 16_000)
    assert sorted(len(x) for x in (*found.train, *found.test)) == [16_000, 32_000]
    assert found.report.duplicates == 1
    assert {reason for _, reason in found.report.skipped} == {
        "is silent",
        "is shorter than 0.05 seconds",
        "is not a sound that can be read",
    }
    (second,) = (x for x in (*found.train, *found.test) if len(x) == 16_000)
    spectrum = np.abs(np.fft.rfft(second))
    assert int(spectrum.argmax()) == 440
    with pytest.raises(FileRefused, match="no index.csv"):
        load(folder, 16_000, ("label",))


def test_the_end_of_a_single_recording_is_held_out(tmp_path: Path) -> None:
    write(tmp_path / "one/long.wav", tone(2, 8000), 8000)
    found = load(tmp_path / "one", 8000)
    assert [len(found.train[0]), len(found.test[0])] == [14_400, 1_600]
    (tmp_path / "none").mkdir()
    with pytest.raises(FileRefused, match="no sounds to learn from"):
        load(tmp_path / "none", 8000)


@needs_packs
def test_the_shipped_packs_can_be_read() -> None:
    digits = load(DATA / "packs/fsdd8k", 8000, ("label", "speaker"))
    assert (len(digits.train), len(digits.test), len(digits.label_names)) == (2700, 300, 60)
    music = load(DATA / "packs/musicbox16k", 16_000)
    assert (len(music.train), len(music.test)) == (18, 2)
    assert sum(map(len, music.train)) / 16_000 / 60 == pytest.approx(9.84, abs=0.01)


@needs_user
def test_messy_files_are_opened_or_refused_with_a_reason() -> None:
    used = 0
    for path in sorted((DATA / "user/audio").rglob("*")):
        if path.is_dir():
            continue
        try:
            wave = as_samples(decoder.open_recording(path, 16_000))
        except FileRefused as refusal:
            assert refusal.reason
            continue
        used += 1
        assert wave.dtype == np.int16
        assert len(wave) >= 800
    assert used >= 20


def test_sounds_that_are_used_although_cut_off_are_named(tmp_path: Path, clips: Path) -> None:
    for number in range(4):
        write(tmp_path / "mine" / f"{number}.wav", tone(1, 8000, 200 + number), 8000)
    for name in ("1.wav", "3.wav"):
        data = (tmp_path / "mine" / name).read_bytes()
        (tmp_path / "mine" / name).write_bytes(data[: len(data) * 3 // 4])
    (tmp_path / "mine" / "copy of 1.wav").write_bytes((tmp_path / "mine" / "1.wav").read_bytes())
    report = load(tmp_path / "mine", 8000).report
    assert report.damaged == (("1.wav", CUT), ("3.wav", CUT))
    assert report.summary == (
        '4 sounds are used. 2 files are used, although cut off or damaged: "1.wav", "3.wav". 1 was a duplicate.'
    )
    data = bytearray((clips / "train.flac").read_bytes())
    data[-1] ^= 1
    (clips / "train.flac").write_bytes(data)
    (clips / "index.csv").write_text("split,start,length\ntrain,0,1000\ntest,0,1000")
    assert load(clips, 8000).report.damaged == (("train.flac", BROKEN),)
