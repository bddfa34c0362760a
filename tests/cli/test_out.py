"""A place where nothing can be saved is refused before the work, with its reason."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from studio import cli
from studio.engine.jobs import JobStarter


def a_file(folder: Path) -> str:
    (folder / "notes").write_bytes(b"mine")
    return str(folder / "notes")


def a_dangling_link(folder: Path) -> str:
    (folder / "link").symlink_to(folder / "gone")
    return str(folder / "link")


PLACES: dict[str, tuple[Callable[[Path], str], str]] = {
    "a file": (a_file, 'notes" is a file, not a folder'),
    "below a file": (lambda folder: f"{a_file(folder)}/a", 'notes" is a file, not a folder'),
    "proc": (lambda folder: "/proc/studio", 'the system keeps no files in "/proc"'),
    "a device": (lambda folder: "/dev/full", '"/dev/full" is a device, not a folder'),
    "a link": (a_dangling_link, 'gone", which is not there'),
    "too long": (lambda folder: str(folder / ("n" * 300)), "is 45 bytes too long"),
}
"""Folders in which nothing can be saved."""
FILES: dict[str, tuple[Callable[[Path], str], str]] = {
    "below a file": (lambda folder: f"{a_file(folder)}/a.wav", 'notes" is a file, not a folder'),
    "proc": (lambda folder: "/proc/a.wav", 'the system keeps no files in "/proc"'),
    "a device": (lambda folder: "/dev/full", '"/dev/full" is a device'),
    "below a link": (lambda folder: f"{a_dangling_link(folder)}/a.wav", 'gone", which is not there'),
    "too long": (lambda folder: str(folder / ("n" * 300)), "is 45 bytes too long"),
    "too long with its ending": (lambda folder: str(folder / ("n" * 253)), "is 2 bytes too long"),
    "a folder": (str, "is a folder. Give the name of a file."),
    "here": (lambda folder: ".", "is a folder. Give the name of a file."),
    "above": (lambda folder: "..", "is a folder. Give the name of a file."),
    "the root": (lambda folder: "/", "is a folder. Give the name of a file."),
}
"""Files that cannot be saved."""
CASES = [
    pytest.param(command, make, words, id=f"{command}-{name}")
    for commands, places in (
        (("sample", "invert", "complete", "score", "train"), PLACES),
        (("blend", "continue"), FILES),
    )
    for command in commands
    for name, (make, words) in places.items()
]


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fail if a job is started before the place is known to be good."""

    def start(jobs: JobStarter, command: object) -> None:
        pytest.fail("the work began")

    monkeypatch.setattr(JobStarter, "start", start)
    monkeypatch.chdir(tmp_path)


def refused(command: list[str], place: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Save the results of a command in a place; return its message. Nothing else may happen."""
    if command[0] == "train":
        command = [*command, "--out", "out"]  # in the models' folder if none is given
    at = next(command.index(option) for option in ("--out", "--map") if option in command) + 1
    before = there(folder)
    status = 2 if not place.strip() or os.path.isdir(place) else 1
    assert cli.main([*command[:at], place, *command[at + 1 :]]) == status
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert there(folder) == before
    return said


def there(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if "home" not in path.parts)


@pytest.mark.parametrize(("command", "make", "words"), CASES, indirect=["command"])
def test_a_place_that_accepts_no_files_is_refused(
    command: list[str],
    make: Callable[[Path], str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = make(tmp_path)
    assert words in refused(command, place, tmp_path, capsys)


@pytest.mark.parametrize(
    "command", ["sample", "invert", "complete", "score", "train", "blend", "continue"], indirect=True
)
def test_an_empty_place_is_not_the_current_folder(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for empty in ("", " "):
        assert "it is empty: give a file or a folder" in refused(command, empty, tmp_path, capsys)


@pytest.mark.parametrize(
    "command", ["invert", "complete", "score", "train", "blend", "continue", "evaluate"], indirect=True
)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_file_is_not_the_current_folder(
    empty: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [word for word in command if word.startswith(str(tmp_path)) and Path(word).is_file()]
    for file in files:
        asked = [empty if word == file else word for word in command]
        assert cli.main(asked) == 2
        assert "empty" in capsys.readouterr().err
