"""If a path cannot be written, the message names what is in the way."""

import errno
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.library import storage
from studio.library.storage import NotSaved


def a_file(folder: Path) -> Path:
    (folder / "notes.txt").write_bytes(b"mine")
    return folder / "notes.txt"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "a" / "b"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(folder)  # its path may have 107 bytes only
        one.bind("plug")
    return folder / "plug"


def a_dangling_link(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "gone")
    return folder / "link"


def below_a_dangling_link(folder: Path) -> Path:
    return a_dangling_link(folder) / "a"


def links_in_a_circle(folder: Path) -> Path:
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    return folder / "one" / "a"


FOLDERS: list[tuple[Callable[[Path], Path], str]] = [
    (a_file, 'notes.txt" is a file, not a folder'),
    (below_a_file, 'notes.txt" is a file, not a folder'),
    (a_pipe, 'pipe" is a pipe, not a folder'),
    (a_socket, 'plug" is a socket, not a folder'),
    (a_dangling_link, 'link" is a link to "'),
    (below_a_dangling_link, 'gone", which is not there'),
    (links_in_a_circle, "lead in a circle"),
    (lambda folder: Path("/dev/null"), '"/dev/null" is a device, not a folder'),
    (lambda folder: Path("/dev/null/a"), '"/dev/null" is a device, not a folder'),
    (lambda folder: Path("/proc/studio"), 'the system keeps no files in "/proc"'),
    (lambda folder: Path("/proc/studio/a/b"), 'the system keeps no files in "/proc"'),
    (lambda folder: Path("/proc"), '"proc" was not used: the system keeps no files in "/proc"'),
    (lambda folder: folder / ("n" * 300), f'the name "{"n" * 120}…{"n" * 79}" is 45 bytes too long'),
    (lambda folder: folder / ("é" * 200) / "a", "is 145 bytes too long"),
    (lambda folder: folder / ("n" * 300) / ("m" * 310), "is 45 bytes too long"),
    (lambda folder: folder.joinpath(*["n" * 200] * 25), "its path is too long"),
]


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("make", "words"), FOLDERS, ids=lambda value: getattr(value, "__name__", value))
def test_a_folder_that_cannot_be_created_is_refused(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(NotSaved) as fault:
        storage.create_folder(path)
    assert words in fault.value.message
    assert "Nothing was changed. Choose another place." in fault.value.message


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_file, 'notes.txt" is a file, not a folder'),
        (a_dangling_link, 'gone", which is not there'),
        (links_in_a_circle, "lead in a circle"),
        (lambda folder: Path("/dev/null"), '"/dev/null" is a device, not a folder'),
        (lambda folder: Path("/proc"), 'the system keeps no files in "/proc"'),
        (lambda folder: folder / "gone", 'gone" is not there'),
        (lambda folder: folder / ("n" * 300), "is 45 bytes too long"),
    ],
)
def test_a_file_in_an_impossible_place_is_refused(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    path = make(tmp_path) / "rose.png"
    with pytest.raises(NotSaved) as one:
        storage.write_file(path, b"1")
    with pytest.raises(NotSaved) as many:
        storage.write_files([(path, b"1")])
    for fault in (one, many):
        assert words in fault.value.message
        assert "The picture is still here." in fault.value.message


def test_a_file_whose_name_is_a_folder_or_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rose.png").mkdir()
    for name, words in (("rose.png", "a folder has this name"), ("n" * 252 + ".png", "is 1 bytes too long")):
        with pytest.raises(NotSaved) as fault:
            storage.write_file(tmp_path / name, b"1")
        assert words in fault.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["rose.png"], "no half-written file is left"


def test_a_deleted_file_cannot_be_moved_to_the_bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSaved, match='"rose.png" was not moved to the bin: it is not there'):
        storage.move_to_bin(tmp_path / "rose.png")
    (tmp_path / "rose.png").write_bytes(b"1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data").write_bytes(b"a file in place of the folder")
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "other"))
    with pytest.raises(NotSaved, match='data" is a file, not a folder'):
        storage.move_to_bin(tmp_path / "rose.png")


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Path]:
    """Make a folder in which not even the administrator may write."""
    folder = tmp_path / "protected"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "studio", folder], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_folder_in_which_nothing_may_be_written_is_refused_before_the_work(protected: Path) -> None:
    with pytest.raises(NotSaved, match=f'"protected" was not used: nothing may be written in "{protected}"') as fault:
        storage.create_folder(protected)
    assert fault.value.cause == "read-only"
    with pytest.raises(NotSaved, match=f'nothing may be written in "{protected}"'):
        storage.create_folder(protected / "a" / "b")
    with pytest.raises(NotSaved, match=f'nothing may be written in "{protected}"'):
        storage.write_file(protected / "rose.png", b"1")


@pytest.mark.parametrize(("make", "words"), [(a_pipe, 'pipe" is a pipe'), (a_socket, 'plug" is a socket')])
def test_a_file_never_replaces_something_that_is_not_a_file(
    make: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    before = os.stat(path)
    with pytest.raises(NotSaved, match=words):
        storage.write_file(path, b"1")
    with pytest.raises(NotSaved, match=words):
        storage.write_files([(path, b"1")])
    with pytest.raises(NotSaved, match=words):
        storage.create_parent(path)
    assert os.stat(path) == before


def test_a_quota_is_not_called_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, words in ((errno.EDQUOT, "Your share of the disk is used up"), (errno.ENOSPC, "The disk is full")):

        def refuse(*asked: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(storage, "_write_new", refuse)
        with pytest.raises(NotSaved, match=f'{words}: "rose.png" was not saved'):
            storage.write_file(tmp_path / "rose.png", b"1")
