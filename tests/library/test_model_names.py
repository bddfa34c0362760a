"""A model's name must be valid on every system and free. Otherwise a free one is offered."""

from pathlib import Path

import pytest

from studio.library import model_names, models, storage

DEVICES = ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that replaces the shipped models, with one model in it."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "glow-emoji-32.safetensors").write_bytes(b"")
    monkeypatch.setattr(models, "shipped_folder", lambda: folder)
    return folder


@pytest.fixture(autouse=True)
def own() -> Path:
    folder = storage.home_folder("models")
    folder.mkdir(parents=True)
    (folder / "Roses.SAFETENSORS").write_bytes(b"")
    return folder


@pytest.mark.parametrize("name", [*DEVICES, *(f"{name}.v2" for name in DEVICES[:6])])
def test_devices_of_windows_are_not_valid_names(name: str) -> None:
    assert model_names.name_fault(name) == "is not a name that Windows allows"
    offered = model_names.free_model_name(name)
    assert offered == f"my-{name}" and model_names.name_fault(offered) == ""


@pytest.mark.parametrize(
    ("name", "words", "offered"),
    [
        ("glow-emoji-32", "comes with the program", "glow-emoji-32-2"),
        ("roses", "there already", "roses-2"),
        ("Roses", "small letters", "roses-2"),
        ("Glow-Emoji-32", "small letters", "glow-emoji-32-2"),
        ("my roses", "small letters", "my-roses"),
        (" roses ", "small letters", "roses-2"),
        ("../roses", "small letters", "roses-2"),
        ("a/b\\c:d", "small letters", "a-b-c-d"),
        ("", "small letters", "model"),
        (".", "small letters", "model"),
        ("--", "small letters", "model"),
        ("Übermalung", "small letters", "ubermalung"),
        ("花", "small letters", "model"),
        ("tulips\n", "small letters", "tulips"),
        ("tulips.", "Windows", "tulips"),
        ("tulips.safetensors", "ends like a file", "tulips"),
        ("tulips.pt", "ends like a file", "tulips"),
        ("t" * 101, "longer than 100", "t" * 90),
        ("t" * 300, "longer than 100", "t" * 90),
    ],
)
def test_an_invalid_name_is_reported_with_a_free_one(name: str, words: str, offered: str) -> None:
    assert words in model_names.name_fault(name)
    assert model_names.free_model_name(name) == offered
    assert model_names.name_fault(offered) == ""


def test_an_offered_name_is_not_the_name_of_a_run() -> None:
    for taken in ("tulips", "tulips-2"):
        (storage.home_folder("runs") / taken).mkdir(parents=True)
    assert model_names.free_model_name("tulips") == "tulips-3"


def test_a_name_must_be_free_in_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    assert model_names.name_fault("glow-emoji-32", folder) == "", "it hides no model that comes with the program"
    assert model_names.name_fault("roses", folder) == ""
    (folder / "tulips.safetensors").write_bytes(b"")
    assert "there already" in model_names.name_fault("tulips", folder)
    assert model_names.free_model_name("tulips", folder) == "tulips-2"
    assert "Windows" in model_names.name_fault("con", folder)


def test_every_offered_name_can_be_found_by_its_name() -> None:
    for wish in ("con", "a.pt", "x.bin.", "A B"):
        name = model_names.free_model_name(wish)
        assert Path(name).name == name and Path(name).suffix not in (".pt", ".bin", ".safetensors")
