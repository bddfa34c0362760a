"""Shards that hold more than fits are learned as a stream: resumed exactly, in any number of processes."""

import io
import itertools
import os
import threading
import tracemalloc
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from studio import zoo
from studio.engine.device import ComputeDevice
from studio.engine.events import Pause, result_of
from studio.engine.jobs import JobStarter
from studio.engine.training import checkpoint, shard_blocks
from studio.engine.training.config import TrainingConfig, TrainingPlan, config_to_dict
from studio.engine.training.distributed import ProcessGroup
from studio.engine.training.jobs import OtherArtworks
from studio.engine.training.shard_blocks import ShardBlocks, ShardSource
from studio.media import dataset, shard_stream, shards
from studio.media.pictures.image import FileRefused
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.preparing import FilePreparer, PreparedFile
from studio.media.shard_stream import LanePlace, PieceReader, StreamPiece
from studio.media.shards import ShardList, find_shards
from studio.wire import messages as wire
from tests.media.shard_files import picture, unpack, write_pictures, write_shard

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)
PICTURES = FilePreparer((3, 8, 8), 0, AS_USUAL)
CONFIG = TrainingConfig(
    name="few",
    title="Few",
    subject="Few",
    training_data="few",
    licence="CC0 1.0",
    shape=(3, 8, 8),
    recipe=zoo.nice.NICE(depth=2, width=8),
    plan=TrainingPlan(steps=20, batch=8, evaluate_every=5, warm_up=0, mirror=True),
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load few artworks and read small blocks."""
    monkeypatch.setattr(shards, "MAX_OPENED", 30)
    monkeypatch.setattr(shard_stream, "BLOCK_FILES", 30)
    monkeypatch.setattr(shard_blocks, "SMALLEST_BLOCK", 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three shards with 84 pictures."""
    return write_pictures(tmp_path_factory.mktemp("shards"), 84, 3)


def shard_list(source: Path) -> ShardList:
    found = find_shards(source)
    assert found is not None
    return found


def train(folder: Path, source: Path, **asked: Any) -> Generator[wire.AnyEvent, None, None]:
    config = asked.pop("config", CONFIG)
    command = wire.Train(
        job="t",
        source=str(source),
        run_folder=str(folder / "run"),
        output_folder=str(folder),
        config=config_to_dict(config),
        **asked,
    )
    return (event for event in JobStarter(CPU).start(command) if event is not None and not isinstance(event, Pause))


def train_until(step: int, folder: Path, source: Path, **asked: Any) -> list[wire.AnyEvent]:
    """Train until a step, and stop: all that was learned is saved, and no model is made."""
    events = []
    steps = train(folder, source, **asked)
    for event in steps:
        events.append(event)
        if isinstance(event, wire.TrainingProgress) and event.step >= step:
            break
    steps.close()
    return events


def newest(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    found = checkpoint.load_newest(folder / "run")
    assert found is not None
    return found


def read_epoch(reader: PieceReader, epoch: int = 0) -> list[StreamPiece]:
    """Return all pieces of an epoch."""
    pieces = []
    for lane in range(reader.lanes):
        place = LanePlace()
        while reader.epoch_of(lane, place) <= epoch:
            piece = reader.read_piece(lane, place)
            if reader.epoch_of(lane, place) == epoch:
                pieces.append(piece)
            place = piece.end
    return pieces


# ── what is learned ──────────────────────────────────────────────────────────────────────────────


def test_an_epoch_holds_each_training_artwork_once_and_no_held_out_one(
    source: Path, tmp_path: Path, small_blocks: None
) -> None:
    folder = dataset.load_dataset(unpack(source, tmp_path / "folder"), (3, 8, 8))
    watched = folder.train[:4]
    left_out = frozenset(dataset.content_hash(artwork) for artwork in watched)
    reader = PieceReader(shard_list(source), PICTURES, 0, left_out)
    orders = []
    for epoch in range(2):
        pieces = read_epoch(reader, epoch)
        found = [artwork.array.tobytes() for piece in pieces for artwork in piece.artworks]
        assert Counter(found) == Counter(artwork.tobytes() for artwork in folder.train[4:])
        assert max(len(piece.artworks) for piece in pieces) <= 10, "a block of 30 has three pieces"
        orders.append(found)
    assert orders[0] != orders[1]


def test_every_file_is_reported_once_while_it_learns(source: Path, tmp_path: Path, small_blocks: None) -> None:
    write_shard(
        tmp_path / "shards/shard-3.tar", [("no.png", b"no picture"), *((f"{n}.png", picture(n)) for n in range(90, 96))]
    )
    for path in source.glob("*.tar"):
        os.link(path, tmp_path / "shards" / path.name)
    events = list(train(tmp_path, tmp_path / "shards"))
    files = [file for event in events if isinstance(event, wire.FilesExamined) for file in event.files]
    assert Counter(Counter(file.name for file in files).values()) == {1: 91}
    assert [(file.name, file.reason) for file in files if file.outcome == "skipped"] == [
        (os.path.join("shard-3.tar", "no.png"), "is not a picture that can be read here")
    ]
    sentences = [event.text for event in events if isinstance(event, wire.Notice)]
    assert "The shards hold more than was read so far. The others are read while it learns." in sentences
    assert "All shards were read once: 90 files are used, 1 are not." in sentences
    written = [event for event in events if isinstance(event, wire.ModelWritten)]
    assert [event.is_final for event in written] == [True]


def test_a_shard_larger_than_memory_needs_no_more_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = [picture(seed, 400) for seed in range(4)]
    members = [(f"{number}.png", data[number % 4]) for number in range(60)]
    path = write_shard(tmp_path / "large.tar", members)
    assert path.stat().st_size > 25e6
    monkeypatch.setattr(shard_stream, "BLOCK_FILES", 20)
    reader = PieceReader(shard_list(path), PICTURES, 0, frozenset())
    reader.read_piece(0, LanePlace())
    tracemalloc.start()
    try:
        pieces = read_epoch(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(len(piece.files) for piece in pieces) == 60
    assert peak < 12e6, "a picture that is decoded takes 0.5 MB"


# ── the same run ─────────────────────────────────────────────────────────────────────────────────


def test_a_stopped_run_resumes_exactly(source: Path, tmp_path: Path, small_blocks: None) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_until(20, whole, source)
    for step in (7, 13, 20):
        train_until(step, parts, source)
    (one, state), (other, same) = newest(whole), newest(parts)
    assert state["progress"]["stream"] == same["progress"]["stream"]
    assert state["progress"]["stream"]["block"] > 4, "it went through more than an epoch"
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_shards_of_other_sizes_are_other_artworks(source: Path, tmp_path: Path, small_blocks: None) -> None:
    for path in source.glob("*.tar"):
        os.link(path, tmp_path / path.name)
    train_until(6, tmp_path / "runs", tmp_path / "shard-{000000..000002}.tar")
    write_shard(tmp_path / "new.tar", [(f"{n}.png", picture(n)) for n in range(200, 240)])
    (tmp_path / "new.tar").replace(tmp_path / "shard-000001.tar")
    with pytest.raises(OtherArtworks):
        train_until(12, tmp_path / "runs", tmp_path / "shard-{000000..000002}.tar")
    before = newest(tmp_path / "runs")[1]["step"]
    train_until(before + 1, tmp_path / "runs", tmp_path / "shard-{000000..000002}.tar", force=True)
    place = newest(tmp_path / "runs")[1]["progress"]["stream"]
    assert (place["block"], place["first_step"]) == (0, before), "the stream began again"


class Exchange(ProcessGroup):
    """Is a group of threads in place of processes."""

    def __init__(self, rank: int, data: list[bytes], barrier: threading.Barrier) -> None:
        super().__init__(rank, len(data))
        self._data = data
        self._barrier = barrier

    def exchange_bytes(self, data: bytes) -> list[bytes]:
        self._barrier.wait()
        self._data[self.rank] = data
        self._barrier.wait()
        return list(self._data)


def batches(source: Path, group: ProcessGroup, steps: int = 20, batch: int = 8) -> list[torch.Tensor]:
    """Return the batches of the first steps."""
    found = shard_list(source)
    config = msgspec.structs.replace(CONFIG, plan=TrainingPlan(batch=batch))
    model = config.recipe.build(config.shape, config.levels)
    blocks = ShardBlocks(ShardSource(found.folder, found.paths, (), ()), config, model, group)
    place = None
    batches = []
    try:
        for step in range(steps):
            place = result_of(blocks.make_ready(place, step))
            batches.append(blocks.batch(step).x)
    finally:
        blocks.close()
    return batches


def test_a_block_grows_until_it_has_a_batch(source: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_blocks, "SMALLEST_BLOCK", 0)
    monkeypatch.setattr(shard_stream, "BLOCK_FILES", 6)
    found = batches(source, ProcessGroup(), steps=4, batch=16)
    assert [len(batch) for batch in found] == [16] * 4
    assert len({row.numpy().tobytes() for batch in found for row in batch}) == 64, "no artwork came twice"


def test_two_processes_learn_the_batches_of_one(source: Path, small_blocks: None) -> None:
    alone = batches(source, ProcessGroup())
    data, barrier = [b"", b""], threading.Barrier(2)
    found: dict[int, list[torch.Tensor]] = {}
    threads = [
        threading.Thread(target=lambda rank=rank: found.update({rank: batches(source, Exchange(rank, data, barrier))}))
        for rank in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank in range(2):
        assert all(torch.equal(one, other) for one, other in zip(alone, found[rank], strict=True))


# ── what changes meanwhile ───────────────────────────────────────────────────────────────────────


def test_it_waits_for_shards_that_are_gone_and_loses_nothing(
    source: Path, tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_stream, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(shard_blocks, "RETRY_SECONDS", 0.05)
    train_until(20, tmp_path / "whole", source)
    here, away = tmp_path / "here", tmp_path / "away"
    here.mkdir()
    for path in source.glob("*.tar"):
        os.link(path, here / path.name)
    reasons = []
    is_moved = False
    steps = train(tmp_path / "disturbed", here)
    for event in steps:
        if isinstance(event, wire.TrainingProgress) and event.step >= 5 and not is_moved:
            here.rename(away)
            is_moved = True
        if isinstance(event, wire.TrainingWaits):
            reasons.append(event.reason)
            if event.reason == "folder":
                away.rename(here)
        if isinstance(event, wire.TrainingProgress) and event.step == 20:
            break
    steps.close()
    assert reasons == ["folder", ""]
    one, other = newest(tmp_path / "whole")[0], newest(tmp_path / "disturbed")[0]
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_piece_is_whole_although_its_shards_were_gone_while_it_was_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_stream, "RETRY_SECONDS", 0.05)
    here, away = tmp_path / "here", tmp_path / "away"
    for folder in (here, away):
        folder.mkdir()
    for path in source.glob("*.tar"):
        os.link(path, here / path.name)

    def move(before: Path, after: Path) -> None:
        for path in before.glob("*.tar"):
            path.rename(after / path.name)

    calls = itertools.count()

    class Unplugged(FilePreparer):
        def prepare(self, *words: Any, **more: Any) -> PreparedFile:
            if next(calls) == 5:
                move(here, away)
                threading.Timer(0.5, move, (away, here)).start()
            return super().prepare(*words, **more)

    reader = PieceReader(shard_list(here), Unplugged(PICTURES.shape, 0, AS_USUAL), 0, frozenset())
    piece = reader.read_piece(0, LanePlace())
    whole = PieceReader(shard_list(source), PICTURES, 0, frozenset()).read_piece(0, LanePlace())
    assert next(calls) > len(piece.files), "it began again"
    assert (piece.artworks, piece.files, piece.end) == (whole.artworks, whole.files, whole.end)


def test_a_shard_that_is_gone_or_changed_is_named_and_the_others_are_learned(source: Path, tmp_path: Path) -> None:
    for path in source.glob("*.tar"):
        os.link(path, tmp_path / path.name)
    reader = PieceReader(shard_list(tmp_path), PICTURES, 0, frozenset())
    (tmp_path / "shard-000000.tar").unlink()
    (tmp_path / "shard-000001.tar").unlink()
    write_shard(tmp_path / "shard-000001.tar", [(f"{n}.png", picture(n)) for n in range(300, 310)])
    pieces = read_epoch(reader)
    assert sorted(notice for piece in pieces for notice in piece.notices) == [
        '"shard-000000.tar" is gone. The training continues with the other shards.',
        '"shard-000001.tar" was changed. It is learned as it is now.',
    ]
    assert Counter(file.outcome for piece in pieces for file in piece.files) == {"used": 38, "skipped": 1}
    os.link(source / "shard-000000.tar", tmp_path / "shard-000000.tar")
    pieces = read_epoch(reader)
    assert [notice for piece in pieces for notice in piece.notices] == ['"shard-000000.tar" is back.']


def test_shards_in_which_nothing_can_be_read_any_more_end_it_with_a_sentence(
    tmp_path: Path, small_blocks: None
) -> None:
    write_shard(tmp_path / "a.tar", [(f"{n}.png", b"no picture") for n in range(5)])
    with pytest.raises(FileRefused, match="has nothing to learn from any more"):
        batches(tmp_path, ProcessGroup())


def test_classes_and_recordings_are_streamed_too(tmp_path: Path, small_blocks: None) -> None:
    members = []
    for number in range(60):
        file = io.BytesIO()
        wave = 0.3 * np.sin(2 * np.pi * (200 + 10 * number) * np.arange(1200) / 8000)
        soundfile.write(file, wave, 8000, format="WAV")
        members += [(f"{number}.wav", file.getvalue()), (f"{number}.cls", b"01"[number % 2 : number % 2 + 1])]
    write_shard(tmp_path / "shards/a.tar", members)
    config = TrainingConfig(
        name="few", title="Few", subject="Few", training_data="few", licence="CC0 1.0", shape=(400,), sample_rate=8000,
        recipe=zoo.wavenet.WaveNet(cycles=1, layers=2, channels=8, skip=8),
        plan=TrainingPlan(steps=16, batch=8, evaluate_every=8, warm_up=0, cut_samples=1200),
        preparation=Preparation(folders_as_classes=True),
    )  # fmt: skip
    events = train_until(16, tmp_path, tmp_path / "shards", config=config)
    steps = [event for event in events if isinstance(event, wire.TrainingProgress)]
    assert steps[-1].step == 16 and np.isfinite(steps[-1].loss)
    assert newest(tmp_path)[1]["progress"]["stream"]["block"] > 0
