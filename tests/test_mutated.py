"""Mutated files of every sort are opened or refused in words, and nothing else happens."""

import sys

import pytest

from tests.benchmarks import mutated

NUMBER = 200
UNREAD = {"adpcm.wav", "manifest.json"}
"""Good files that may be refused: ADPCM is not read, and the listed checkpoints are missing."""


@pytest.mark.parametrize("good", mutated.good_files(), ids=lambda good: good.name)
def test_a_file_is_opened_before_it_is_mutated(good: mutated.Good, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("good") / good.name
    path.write_bytes(good.data)
    found = mutated.Found()
    for way in good.ways:
        mutated.open_one(way, path, good.sort, found)
    assert found.faults == []
    assert found.opened[good.sort] or good.name in UNREAD


@pytest.mark.skipif(sys.platform != "linux", reason="processor time and memory of a child are read from /proc")
def test_a_mutated_file_is_opened_or_refused_in_words() -> None:
    found = mutated.run(NUMBER, seed=0)
    assert found.faults == []
    assert found.files == NUMBER and found.opened.total() + found.refused.total() == NUMBER
    assert 0 < found.peak <= 2**30
    for sort in ("picture", "sound", "work", "model", "manifest"):
        assert found.opened[sort] and found.refused[sort]
