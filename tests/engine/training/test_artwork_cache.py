"""What files became is kept, and decoded again if it is damaged."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.engine.training import artwork_cache
from studio.engine.training.artwork_cache import ArtworkCache, cache_folder
from studio.library import storage
from studio.media.preparing import PreparedFile

OPTIONS: dict[str, Any] = {"shape": (3, 8, 8), "fitting": "crop"}


def prepared(seed: int, **changes: Any) -> PreparedFile:
    generator = np.random.default_rng(seed)
    found = PreparedFile(
        content=generator.bytes(16),
        artwork=generator.integers(0, 256, (8, 8, 3), np.uint8),
        thumbnail=generator.integers(0, 256, (64, 64, 3), np.uint8),
        width=seed,
        height=2 * seed,
    )
    return dataclasses.replace(found, **changes)


def same(one: PreparedFile | None, other: PreparedFile) -> bool:
    if one is None:
        return False
    fields = (field.name for field in dataclasses.fields(other))
    pairs = [(getattr(one, name), getattr(other, name)) for name in fields]
    return all(np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None) for a, b in pairs)


@pytest.fixture
def kept() -> dict[str, PreparedFile]:
    """Keep twelve files in several blocks, and return them by their keys."""
    files = {f"{seed:032x}": prepared(seed) for seed in range(10)}
    wave = np.arange(-500, 500, dtype=np.int16)
    files["a" * 32] = prepared(20, artwork=wave, seconds=1.5, rate=44_100, channels=2, damage="cut off")
    files["b" * 32] = prepared(21, artwork=wave[:0], unsuited="is silent")
    cache = ArtworkCache(OPTIONS)
    for key, file in files.items():
        cache.add(key, file)
    cache.close()
    return files


def blocks() -> list[Path]:
    return sorted(cache_folder().rglob("*.block"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artwork_cache, "BLOCK_BYTES", 40_000)


def test_what_files_became_is_the_same_in_the_next_session(kept: dict[str, PreparedFile], studio_home: Path) -> None:
    assert len(blocks()) > 2
    assert all(path.is_relative_to(studio_home / "cache") for path in blocks())
    cache = ArtworkCache(OPTIONS)
    assert all(same(cache.find(key), file) for key, file in kept.items())
    assert cache.find("c" * 32) is None


def test_other_options_find_nothing(kept: dict[str, PreparedFile]) -> None:
    other = ArtworkCache({**OPTIONS, "fitting": "pad"})
    assert all(other.find(key) is None for key in kept)


def test_a_file_is_found_before_its_block_is_written() -> None:
    cache = ArtworkCache(OPTIONS)
    cache.add("a" * 32, prepared(1))
    assert not blocks()
    assert same(cache.find("a" * 32), prepared(1))


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_flipped_bit_anywhere_is_noticed_and_rebuilt(place: int, kept: dict[str, PreparedFile]) -> None:
    first = blocks()[0]
    data = bytearray(first.read_bytes())
    data[len(data) * place // 100] ^= 4
    first.write_bytes(data)
    cache = ArtworkCache(OPTIONS)
    found = {key: cache.find(key) for key in kept}
    lost = [key for key, file in found.items() if file is None]
    assert lost and len(lost) < len(kept)
    assert all(same(file, kept[key]) for key, file in found.items() if file is not None)
    assert first not in blocks()
    for key in [key for key in kept if cache.find(key) is None]:
        cache.add(key, kept[key])
    cache.close()
    again = ArtworkCache(OPTIONS)
    assert all(same(again.find(key), file) for key, file in kept.items())


@pytest.mark.parametrize("length", [0, 5, 20, 200, 20_000])
def test_a_block_that_is_cut_off_is_noticed(length: int, kept: dict[str, PreparedFile]) -> None:
    first = blocks()[0]
    first.write_bytes(first.read_bytes()[:length])
    cache = ArtworkCache(OPTIONS)
    found = {key: cache.find(key) for key in kept}
    assert None in found.values()
    assert all(same(file, kept[key]) for key, file in found.items() if file is not None)


def test_a_block_that_vanishes_is_decoded_again(kept: dict[str, PreparedFile]) -> None:
    cache = ArtworkCache(OPTIONS)
    for path in blocks():
        path.unlink()
    assert all(cache.find(key) is None for key in kept)


def test_the_oldest_blocks_go_if_there_are_too_many(
    kept: dict[str, PreparedFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = blocks()
    monkeypatch.setattr(artwork_cache, "MAX_BYTES", 100_000)
    other = ArtworkCache({**OPTIONS, "fitting": "pad"})
    other.add("d" * 32, prepared(30))
    other.close()
    after = blocks()
    assert sum(path.stat().st_size for path in after) <= 100_000
    assert before[0] not in after and before[-1] in after
    assert same(ArtworkCache({**OPTIONS, "fitting": "pad"}).find("d" * 32), prepared(30))


def test_a_full_disk_costs_only_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise storage.NotSaved(path, "full", "The disk is full.")

    monkeypatch.setattr(storage, "write_file", full)
    cache = ArtworkCache(OPTIONS)
    for seed in range(10):
        cache.add(f"{seed:032x}", prepared(seed))
    cache.close()
    assert not blocks()
