"""The window can ask for a scan of a folder and for a preview of what a model will see."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.training.config import TrainingConfig, config_for_data, config_to_dict
from studio.engine.training.findings import FolderCounts, find_out
from studio.library import models
from studio.media import dataset, decoder, shards
from studio.media.pictures.image import FileRefused
from studio.wire import messages as wire
from studio.wire.frames import decode, encode
from tests.media.shard_files import picture, write_shard

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)


def ask(command: wire.AnyCommand) -> list[Any]:
    """Return the events of a command, as they arrive at the other end of the pipe."""
    events = [event for event in JobStarter(CPU).start(command) if event is not None]
    return [decode(memoryview(encode(event))[4:], wire.AnyEvent) for event in events]


def scan(source: Path, **asked: Any) -> tuple[list[wire.ExaminedFile], wire.FolderExamined]:
    *streamed, summed = ask(wire.ScanFolder(job="s", source=str(source), **asked))
    assert isinstance(summed, wire.FolderExamined)
    return [file for event in streamed for file in event.files], summed


def scene(seed: int, size: int = 24) -> np.ndarray:
    """Draw a picture of a few soft blobs."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    picture = np.zeros((size, size, 3)) + generator.uniform(0, 80, 3)
    for row, column in generator.uniform(0, size, (5, 2)):
        picture += np.exp(-((y - row) ** 2 + (x - column) ** 2) / size)[..., None] * generator.uniform(0, 175, 3)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of 60 pictures, with a copy, one that looks alike, one unlike the others and two useless files."""
    source = tmp_path / "photos"
    source.mkdir()
    for number in range(60):
        Image.fromarray(scene(number)).save(source / f"{number:02}.png")
    Image.fromarray(scene(4)).save(source / "copy of 04.bmp")
    Image.fromarray(scene(9)).save(source / "like 09.jpg", quality=60)
    Image.fromarray(np.full((24, 24, 3), 255, np.uint8)).save(source / "white.png")
    (source / "notes.txt").write_text("not a picture")
    (source / "empty.png").write_bytes(b"")
    return source


def test_every_file_is_reported_and_then_the_folder(folder: Path) -> None:
    files, summed = scan(folder, shape=(3, 16, 16))
    names = [file.name for file in files]
    assert names == sorted(names)
    assert Counter(file.outcome for file in files) == {"used": 62, "duplicate": 1, "skipped": 2}
    assert (summed.files, summed.used, summed.duplicates, summed.skipped, summed.left_out) == (65, 62, 1, 2, 0)
    assert [tuple(names[number] for number in group) for group in summed.alike] == [("09.png", "like 09.jpg")]
    assert [names[number] for number in summed.odd][:1] == ["white.png"]
    assert [finding.sentence for finding in summed.findings][:4] == [
        "2 of 65 files cannot be used.",
        "62 pictures are ready.",
        "1 of 65 files is a copy of another and not used.",
        "2 look alike.",
    ]
    loaded = dataset.load_dataset(folder, (3, 16, 16))
    assert (loaded.report.used, len(loaded.test)) == (summed.used, summed.held_out)


def test_the_first_thumbnails_come_with_the_files_and_those_to_look_at_with_the_end(folder: Path) -> None:
    *streamed, summed = ask(wire.ScanFolder(job="s", source=str(folder), shape=(3, 16, 16), thumbnails=5))
    files = [file for event in streamed for file in event.files]
    for event in streamed:
        assert event.thumbnails.shape[1:] == (64, 64, 3)
        assert len(event.thumbnails) == sum(file.has_thumbnail for file in event.files)
    assert [file.name for file in files if file.has_thumbnail] == ["00.png", "01.png", "02.png", "03.png", "04.png"]
    white = [file.name for file in files].index("white.png")
    assert white in summed.thumbnail_files
    assert (summed.thumbnails[summed.thumbnail_files.index(white)] == 255).all()
    assert set(summed.thumbnail_files) == {*summed.odd, *summed.alike[0]}


def test_a_second_scan_decodes_nothing_again_and_finds_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scan(folder, shape=(3, 16, 16))
    opened: list[str] = []
    open_picture = decoder.open_picture

    def watched(path: str, **words: Any) -> Any:
        opened.append(Path(path).name)
        return open_picture(path, **words)

    monkeypatch.setattr(decoder, "open_picture", watched)
    again = scan(folder, shape=(3, 16, 16))
    assert again[0] == before[0] and again[1].findings == before[1].findings
    assert opened == ["notes.txt"], "it is no picture, so nothing of it is kept"
    scan(folder, shape=(3, 8, 8))
    assert len(opened) > 60, "another size is another artwork"


def test_a_scan_ends_between_two_steps(folder: Path) -> None:
    steps = JobStarter(CPU).start(wire.ScanFolder(job="s", source=str(folder), shape=(3, 16, 16)))
    with contextlib.closing(steps):  # type: ignore[type-var]
        next(event for event in steps if isinstance(event, wire.FilesExamined))
    files, _ = scan(folder, shape=(3, 16, 16))
    assert len(files) == 65, "what is scanned afterwards is complete"


def test_the_engine_chooses_what_most_files_are(folder: Path, tmp_path: Path) -> None:
    assert scan(folder)[1].medium == "pictures"
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for number in range(3):
        soundfile.write(sounds / f"{number}.wav", 0.5 * np.sin(np.arange(8000) * (number + 1) / 20), 16_000)
    Image.fromarray(scene(0)).save(sounds / "cover.png")
    files, summed = scan(sounds)
    assert (summed.medium, summed.used, summed.skipped) == ("recordings", 3, 1)
    assert [(file.seconds, file.rate, file.channels) for file in files[:3]] == [(0.5, 16_000, 1)] * 3
    assert "2 seconds of sound is little. 10 minutes are better." in [each.sentence for each in summed.findings]


def test_the_scan_uses_the_chosen_size_for_what_most_files_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training then decodes nothing again."""
    _, summed = scan(folder, shape=(1, 16, 16), sample_rate=8000)
    assert (summed.medium, summed.needed, summed.sub_folders) == ("pictures", 4, 0)
    opened: list[str] = []
    open_picture = decoder.open_picture

    def watched(path: str, **words: Any) -> Any:
        opened.append(Path(path).name)
        return open_picture(path, **words)

    monkeypatch.setattr(decoder, "open_picture", watched)
    made = study(folder, (1, 16, 16), plan={"steps": 1, "batch": 4})
    steps = JobStarter(CPU).start(
        wire.Train(job="t", source=str(folder), run_folder=str(folder.parent / "run"), config=config_to_dict(made))
    )
    with contextlib.closing(steps):  # type: ignore[type-var]
        next(event for event in steps if isinstance(event, wire.DatasetLoaded))
    assert opened == ["notes.txt"], "it is no picture, so nothing of it is kept"


def test_sub_folders_are_counted(folder: Path) -> None:
    for name in ("roses", "tulips", ".hidden"):
        (folder / name).mkdir()
    _, summed = scan(folder, shape=(3, 8, 8))
    assert summed.sub_folders == 2


def test_a_pack_is_summed_up(rings: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    (summed,) = ask(wire.ScanFolder(job="s", source=str(tmp_path / "rings.npz")))
    assert (summed.used, summed.held_out, summed.findings[0].sentence) == (160, 40, "160 pictures are ready.")


def test_what_is_no_folder_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "rose.png").write_bytes(b"no zip")
    for name, words in (("rose.png", "is not a pack"), ("gone", "is not there .* then look again")):
        with pytest.raises(FileRefused, match=words):
            ask(wire.ScanFolder(job="s", source=str(tmp_path / name)))


# ── findings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("counts", "weight", "sentence"),
    [
        ({}, "stop", "The folder is empty."),
        ({"skipped": 3}, "stop", 'None of 3 files can be used. The first: "a.png" is empty.'),
        ({"used": 1}, "stop", "1 picture is too few. At least 4 are needed."),
        ({"used": 3}, "stop", "3 pictures are too few. At least 4 are needed."),
        ({"used": 1, "duplicate": 11}, "stop", "All pictures are the same."),
        ({"used": 4}, "warning", "4 pictures are few. A model needs about 50."),
        ({"used": 200}, "note", "200 pictures are ready."),
        ({"used": 190, "damaged": 6, "skipped": 12}, "warning", "12 of 208 files cannot be used."),
        ({"used": 190, "damaged": 6}, "note", "6 of 196 files are damaged, but used."),
        ({"used": 60, "duplicate": 1}, "note", "1 of 61 files is a copy of another and not used."),
    ],
)
def test_findings_are_sentences(counts: dict[str, int], weight: str, sentence: str) -> None:
    reason = '"a.png" is empty' if counts.get("skipped") else ""
    found = find_out(FolderCounts("pictures", Counter(counts), first_reason=reason))  # type: ignore[arg-type]
    assert (weight, sentence) in [(each.weight, each.sentence) for each in found]
    assert all(len(each.sentence.split(".")[0].split()) <= 12 for each in found)
    weights = [("stop", "warning", "note").index(each.weight) for each in found]
    assert weights == sorted(weights)


def test_small_classes_are_named() -> None:
    counts = FolderCounts("pictures", Counter(used=63), classes=Counter(roses=3, tulips=60))
    assert 'Too few for classes: "roses" 3.' in [each.sentence for each in find_out(counts)]
    counts.classes.update(ivy=19, moss=5, fern=7)
    sentences = [each.sentence for each in find_out(counts)]
    assert 'Too few for classes: "roses" 3, "moss" 5, "fern" 7 and 1 more.' in sentences
    counts.classes["empty"] = 0
    assert find_out(counts)[0].sentence.startswith('Class "empty" has nothing to learn from.')


def test_files_in_no_sub_folder_have_no_class(tmp_path: Path) -> None:
    for number in range(12):
        kind = tmp_path / ("roses", "tulips", "")[number % 3]
        kind.mkdir(exist_ok=True)
        Image.fromarray(scene(number)).save(kind / f"{number}.png")
    _, summed = scan(tmp_path, shape=(3, 8, 8), preparation={"folders_as_classes": True})
    assert summed.classes == (("roses", 4), ("tulips", 4)) and summed.left_out == 4
    sentences = [each.sentence for each in summed.findings]
    assert "4 of 12 files are in no sub-folder and not used." in sentences
    assert 'Too few for classes: "roses" 4, "tulips" 4.' in sentences


def test_a_folder_that_a_scan_accepts_can_be_trained_on(tmp_path: Path) -> None:
    """Four pictures are the least, whatever their hashes."""
    for first in range(0, 40, 4):
        source = tmp_path / str(first)
        source.mkdir()
        for number in range(first, first + 4):
            Image.fromarray(scene(number, 8)).save(source / f"{number}.png")
        loaded = dataset.load_dataset(source, (3, 8, 8))
        assert len(loaded.train) >= dataset.MIN_LEARNED


# ── a preview ────────────────────────────────────────────────────────────────────────────────────


def study(source: Path, shape: tuple[int, ...] = (3, 16, 16), rate: int = 0, **parts: Any) -> TrainingConfig:
    family = "wavenet" if rate else "realnvp"
    made = config_for_data("mine", source, family, "tiny", shape, rate)
    return msgspec.convert({**config_to_dict(made), **parts}, TrainingConfig)


def preview(source: Path, what: TrainingConfig, **asked: Any) -> wire.ExamplesPreview:
    (found,) = ask(wire.PreviewExamples(job="p", source=str(source), config=config_to_dict(what), **asked))
    assert isinstance(found, wire.ExamplesPreview)
    return found


def test_a_preview_shows_training_pictures_exactly(folder: Path) -> None:
    what = study(folder, preparation={"fitting": "pad"}, levels=32)
    found = preview(folder, what, count=12, seed=3)
    assert {each.shape for each in found.examples} == {(16, 16, 3)} and len(set(found.names)) == 12
    loaded = dataset.load_dataset(folder, (3, 16, 16), what.preparation)
    learned = {(each // 8).tobytes() for each in (*loaded.train, *loaded.test)}
    assert all((each.astype(int) * 32 // 256).astype(np.uint8).tobytes() in learned for each in found.examples)
    assert preview(folder, what, count=12, seed=4).names != found.names


def test_a_preview_is_augmented_by_its_seed_as_in_training(folder: Path) -> None:
    plain = study(folder)
    varied = study(folder, augmentation={"shift": 2, "quarter_turns": True}, plan={"mirror": True})
    before, after, again = (preview(folder, what, seed=1, variations=4) for what in (plain, varied, varied))
    assert before.names == after.names
    np.testing.assert_array_equal(before.examples, after.examples)
    np.testing.assert_array_equal(after.variations, again.variations)
    assert all((each == example).all() for each, example in zip(before.variations, before.examples, strict=True))
    for example, drawn in zip(after.examples, after.variations, strict=True):
        assert drawn.shape == (4, 16, 16, 3)
        assert len({each.tobytes() for each in (example, *drawn)}) >= 3, "they differ from each other"


def test_a_preview_shows_the_files_as_they_are(folder: Path) -> None:
    Image.fromarray(scene(70, 600)[:300]).save(folder / "wide.png")
    what = study(folder, preparation={"excluded": [], "fitting": "pad"})
    found = preview(folder, what, count=16, originals=True)
    assert preview(folder, what, count=16).originals == ()
    for name, original in zip(found.names, found.originals, strict=True):
        if name.endswith(".png") and name != "wide.png":
            np.testing.assert_array_equal(original, np.asarray(Image.open(folder / name)))
    alone = folder / "alone"
    alone.mkdir()
    (folder / "wide.png").rename(alone / "wide.png")
    (wide,) = preview(alone, what, originals=True).originals
    assert wide.shape == (128, 256, 3), "large ones are made smaller"


def test_a_preview_of_recordings_is_what_a_wavenet_hears(tmp_path: Path) -> None:
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", 0.5 * np.sin(np.arange(4000) * (number + 1) / 9), 8000)
    what = study(tmp_path, (16_000,), 8000, plan={"cut_samples": 3000})
    found = preview(tmp_path, what, count=2, variations=2)
    assert [each.shape for each in found.examples] == [(4000,)] * 2 and found.examples[0].dtype == np.int16
    assert [each.shape for each in found.variations] == [(2, 3000)] * 2, "cuts as a training takes them"
    assert (found.sample_rate, len(found.names)) == (8000, 2)
    loud = study(tmp_path, (16_000,), 8000, plan={"cut_samples": 3000}, augmentation={"gain": 20.0})
    quieter = preview(tmp_path, loud, count=2, variations=2)
    assert np.abs(quieter.variations[0].astype(int)).max() < np.abs(found.variations[0].astype(int)).max()
    long = study(tmp_path, (16_000,), 8000, plan={"cut_samples": 5000})
    cuts = preview(tmp_path, long, count=1, variations=1).variations[0]
    assert np.abs(cuts[0, 4100:]).max() < 100, "silence follows"


def test_a_preview_of_recordings_follows_every_option(tmp_path: Path) -> None:
    silence = np.zeros(8000)
    tone = 0.25 * np.sin(np.arange(32_000) / 9)
    soundfile.write(tmp_path / "a.wav", np.concatenate([silence, tone, silence]), 16_000)
    options = {"trim_silence": True, "clip_seconds": 1.0, "peak": 0.9}
    found = preview(tmp_path, study(tmp_path, (16_000,), 8000, preparation=options), originals=True)
    (seen,), (original,) = found.examples, found.originals
    assert len(original) == 48_000 and found.original_rates == (16_000,)
    assert len(seen) == 8000 and found.sample_rate == 8000, "one second of it, without the silence before"
    assert np.abs(seen[:200].astype(int)).max() > 0.5 * 32_768
    assert abs(np.abs(seen.astype(int)).max() / 32_768 - 0.9) < 0.02


# ── training with the options ────────────────────────────────────────────────────────────────────


def train(source: Path, what: TrainingConfig, home: Path) -> list[Any]:
    run = home / "runs" / what.name
    command = wire.Train(job="t", source=str(source), run_folder=str(run), config=config_to_dict(what))
    return [event for event in JobStarter(CPU).start(command) if event is not None]


def test_a_model_learns_sub_folders_as_classes_with_all_options(tmp_path: Path, studio_home: Path) -> None:
    source = tmp_path / "garden"
    for number in range(16):
        kind = source / ("roses", "tulips")[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(number, 8)).save(kind / f"{number}.png")
    made = config_for_data("mine", source, "maf", "tiny", (3, 8, 8))
    options = {
        "preparation": {"folders_as_classes": True, "fitting": "pad", "ground": (9, 9, 9)},
        "augmentation": {"shift": 1, "quarter_turns": True, "colour": 0.1},
        "plan": {"steps": 2, "batch": 4, "mirror": True},
    }
    what = msgspec.convert({**config_to_dict(made), **options}, TrainingConfig)
    train(source, what, studio_home)
    card = models.find_model("mine").card
    assert card.classes == ("roses", "tulips")
    assert card.preparation == what.preparation
    figures = ask(wire.Evaluate(job="e", model="mine", source=str(source)))[-1]
    assert figures.figures and figures.done == figures.total


def test_a_wavenet_learns_from_varied_recordings(tmp_path: Path, studio_home: Path) -> None:
    source = tmp_path / "beeps"
    source.mkdir()
    for number in range(6):
        soundfile.write(source / f"{number}.wav", 0.5 * np.sin(np.arange(3000) * (number + 2) / 19), 8000)
    options = {
        "augmentation": {"gain": 6.0, "speed": 0.1, "noise": 40.0, "fade": 0.05},
        "plan": {"steps": 2, "batch": 2, "cut_samples": 500, "evaluate_every": 2},
    }
    events = train(source, study(source, (4000,), 8000, **options), studio_home)
    assert any(isinstance(event, wire.TrainingProgress) and event.step == 2 for event in events)


def test_a_file_that_is_excluded_is_not_learned(folder: Path, studio_home: Path) -> None:
    files, _ = scan(folder, shape=(3, 8, 8))
    white = next(file for file in files if file.name == "white.png")
    made = study(folder, (3, 8, 8), preparation={"excluded": [white.key]}, plan={"steps": 1, "batch": 4})
    events = train(folder, made, studio_home)
    outcomes = {
        file.name: file.outcome for event in events if isinstance(event, wire.FilesExamined) for file in event.files
    }
    assert outcomes["white.png"] == "left_out"
    (loaded,) = [event for event in events if isinstance(event, wire.DatasetLoaded)]
    assert loaded.used == 61


def test_shards_are_examined_as_far_as_is_needed_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [(f"{n}.{end}", data) for n in range(30) for end, data in (("png", picture(n)), ("cls", b"%d" % (n % 3)))]
    write_shard(tmp_path / "shards/a.tar", [*members, ("31.png", picture(31)), ("31.txt", b"words")])
    files, summed = scan(tmp_path / "shards", shape=(3, 8, 8))
    assert (len(files), summed.used, summed.sub_folders) == (31, 31, 3)
    assert "1 text is not learned." in [finding.sentence for finding in summed.findings]
    monkeypatch.setattr(shards, "MAX_OPENED", 20)
    files, summed = scan(tmp_path / "shards", preparation={"folders_as_classes": True}, shape=(3, 8, 8))
    assert len(files) == summed.used == 20
    assert dict(summed.classes) == {"0": 7, "1": 7, "2": 6}
    sentence = "These are the first 20 files. Training reads the others as it learns."
    assert sentence in [finding.sentence for finding in summed.findings]


def test_pictures_in_shards_can_be_previewed_beside_their_originals(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", [(f"{n}.png", picture(n, 24)) for n in range(6)])
    config = config_for_data("cats", tmp_path / "a.tar", "glow", "tiny", (3, 8, 8))
    (shown,) = ask(
        wire.PreviewExamples(
            job="p", source=str(tmp_path / "a.tar"), config=config_to_dict(config), count=3, originals=True
        )
    )
    assert len(set(shown.names)) == 3 and all(name.startswith("a.tar") for name in shown.names)
    assert [each.shape for each in shown.examples] == [(8, 8, 3)] * 3
    assert [each.shape for each in shown.originals] == [(24, 24, 3)] * 3
