"""Names of files are valid on every system, and no two are the same."""

import os
from pathlib import Path

import pytest

from studio.library import file_names, storage

NAMES = [
    "rose",
    "",
    ".",
    "..",
    ".hidden",
    "a/b\\c",
    "../../etc/passwd",
    "C:\\Windows",
    "con",
    "CON.txt",
    "nul .x",
    "lpt1",
    "COM¹",
    "trailing. . ",
    "-rf",
    "new\nline\ttab\0null",
    "\x1b[31mred",
    "<img src='x'>",
    'q?u*o"te|',
    "\u202egnp.exe",
    "\ud800half",
    os.fsdecode(b"\xff\xfe"),
    "é" * 300,
    "日本語" * 200,
    "👩\u200d👩\u200d👧" * 60,
    "e\u0301" * 20,
    "a" * 1000,
    "STRASSE straße",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_becomes_one_that_every_system_accepts(tmp_path: Path, name: str) -> None:
    path = file_names.next_free_path(tmp_path, name, ".png")
    assert path.parent == tmp_path
    assert len(path.name.encode()) <= 255
    assert path.name.endswith("-0001.png")
    assert not set('<>:"/\\|?*\u202e\x1b\0\n') & set(path.name)
    assert not path.name.startswith((".", " "))
    assert path.name.split(".")[0].upper() not in ("CON", "NUL", "LPT1", "COM¹")
    storage.write_file(path, b"1")
    assert os.listdir(tmp_path) == [path.name]
    assert file_names.next_free_path(tmp_path, name, "png").name.endswith("-0002.png")


def test_a_free_name_follows_the_highest_taken_whatever_its_case(tmp_path: Path) -> None:
    for taken in ("Rose-0001.png", "rose-0041.PNG", "rose-0050.wav", "rosette-0099.png", "rose-x.png"):
        (tmp_path / taken).write_bytes(b"")
    assert file_names.next_free_path(tmp_path, "rose", ".png").name == "rose-0042.png"
    assert file_names.next_free_path(tmp_path / "not yet", "rose", ".png").name == "rose-0001.png"


def test_a_name_that_is_cut_keeps_its_ending() -> None:
    name = file_names.clean_name("é" * 150 + ".png")
    assert (len(name.encode()), name[-5:]) == (254, "é.png")
    assert file_names.clean_name("é" * 150).encode() == ("é" * 127).encode()
