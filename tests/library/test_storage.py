"""A file has its old or its new contents, whatever fails while it is written."""

import datetime
import errno
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.library import storage
from studio.library.storage import NotSaved

OLD = b"old " * 1000
NEW = b"new " * 50_000
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither signals nor mounts like these")


class FaultyDisk:
    """Replaces `os` in storage: it counts disk operations and lets the N-th fail, once or from there on."""

    COUNTED = ("open", "write", "fsync", "close", "replace", "mkdir", "unlink")

    def __init__(self, nth: int, fault: BaseException | None = None, lasting: bool = False) -> None:
        self.nth = nth
        self.fault = fault
        self.lasting = lasting
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._watched(name, real) if name in self.COUNTED else real

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.done.append(name)
            count = len(self.done)
            if self.fault and (count == self.nth or (self.lasting and count > self.nth)):
                if name == "close":
                    real(*arguments)  # the test itself must not run out of file numbers
                raise self.fault
            if name == "write" and len(arguments[1]) > 70_000:
                return real(arguments[0], arguments[1][:70_000])  # a disk may accept fewer bytes than it was given
            return real(*arguments, **options)

        return call


class PowerCut(BaseException):
    """Ends everything at this point."""


def operations(monkeypatch: pytest.MonkeyPatch, path: Path) -> int:
    """Return how many operations one undisturbed write takes."""
    disk = FaultyDisk(0)
    monkeypatch.setattr(storage, "os", disk)
    storage.write_file(path, NEW)
    return len(disk.done)


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".")]


def test_a_written_file_is_readable_by_others_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "rose.png"
    before = os.umask(0o022)
    try:
        storage.write_file(path, NEW)
        os.umask(0o077)
        storage.write_file(tmp_path / "secret.png", b"")
    finally:
        os.umask(before)
    assert path.read_bytes() == NEW
    assert (tmp_path / "secret.png").read_bytes() == b""
    assert leftovers(tmp_path) == []
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o644
        assert (tmp_path / "secret.png").stat().st_mode & 0o777 == 0o600


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FaultyDisk(0)
    monkeypatch.setattr(storage, "os", disk)
    storage.write_file(tmp_path / "rose.png", NEW)
    assert disk.done.count("write") > 1
    steps = [name for name in disk.done if name not in ("open", "close", "write")]
    assert steps == (["fsync", "replace"] if os.name == "nt" else ["fsync", "replace", "fsync"])
    assert disk.done.index("replace") > disk.done.index("close")


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_any_failing_operation_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, lasting: bool
) -> None:
    path = tmp_path / "rose.png"
    count = operations(monkeypatch, tmp_path / "count.png")
    for nth in range(1, count + 1):
        path.write_bytes(OLD)
        disk = FaultyDisk(nth, OSError(number, os.strerror(number)), lasting)
        monkeypatch.setattr(storage, "os", disk)
        with pytest.raises(NotSaved) as fault:
            storage.write_file(path, NEW)
        monkeypatch.setattr(storage, "os", os)
        assert path.read_bytes() in ((OLD, NEW) if "replace" in disk.done[: nth - 1] else (OLD,)), f"operation {nth}"
        assert "rose.png" in str(fault.value)
        assert "still here" in fault.value.message
        assert lasting or leftovers(tmp_path) == [], f"operation {nth}"
        storage.delete_leftovers(tmp_path)
        assert leftovers(tmp_path) == []
        storage.write_file(path, NEW)
        assert path.read_bytes() == NEW


def test_a_power_cut_anywhere_leaves_the_old_or_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rose.png"
    for nth in range(1, operations(monkeypatch, tmp_path / "count.png") + 1):
        path.write_bytes(OLD)
        monkeypatch.setattr(storage, "os", FaultyDisk(nth, PowerCut(), lasting=True))
        with pytest.raises(PowerCut):
            storage.write_file(path, NEW)
        monkeypatch.setattr(storage, "os", os)
        assert path.read_bytes() in (OLD, NEW), f"operation {nth}"
        storage.delete_leftovers(tmp_path)
        assert leftovers(tmp_path) == []


# ── many files at once ───────────────────────────────────────────────────────────────────────────


def many(folder: Path, data: bytes = NEW) -> list[tuple[Path, bytes]]:
    return [(folder / f"rose {number}.png", data + bytes([number])) for number in range(5)]


def test_many_files_are_written_completely_and_leave_no_other_file(tmp_path: Path, studio_home: Path) -> None:
    folder = storage.create_folder(tmp_path / "roses")
    files = [*many(folder), (storage.home_folder("works") / "tulip.png", OLD)]
    storage.write_files(files)
    assert all(path.read_bytes() == data for path, data in files)
    assert sorted(os.listdir(folder)) == sorted(path.name for path, _ in many(folder))
    storage.write_files([])


def test_all_bytes_reach_the_disk_before_any_name_and_all_names_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FaultyDisk(0)
    monkeypatch.setattr(storage, "os", disk)
    storage.write_files(many(tmp_path))
    steps = [name for name in disk.done if name not in ("open", "close", "write")]
    assert steps == ["fsync"] * 5 + ["replace"] * 5 + ([] if os.name == "nt" else ["fsync"])


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from there on"])
def test_any_failing_operation_leaves_files_before_it_new_and_others_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    disk = FaultyDisk(0)
    monkeypatch.setattr(storage, "os", disk)
    storage.write_files(many(tmp_path))
    paths = [path for path, _ in many(tmp_path)]
    for nth in range(1, len(disk.done) + 1):
        monkeypatch.setattr(storage, "os", os)
        storage.write_files([(path, OLD) for path in paths])
        monkeypatch.setattr(storage, "os", FaultyDisk(nth, OSError(errno.ENOSPC, "full"), lasting))
        with pytest.raises(NotSaved) as fault:
            storage.write_files(many(tmp_path))
        monkeypatch.setattr(storage, "os", os)
        new = [path.read_bytes() != OLD for path in paths]
        assert all(path.read_bytes() in (OLD, data) for path, data in many(tmp_path)), f"operation {nth}"
        refused = paths.index(fault.value.path)
        assert all(new[:refused]), f"operation {nth}"
        unsure = lasting or nth > len(disk.done) - 3  # the folder was not synced, so no file counts
        assert unsure or not any(new[refused:]), f"operation {nth}"
        storage.delete_leftovers(tmp_path)
        assert leftovers(tmp_path) == []


def test_a_power_cut_anywhere_leaves_each_of_many_files_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FaultyDisk(0)
    monkeypatch.setattr(storage, "os", disk)
    storage.write_files(many(tmp_path))
    for nth in range(1, len(disk.done) + 1):
        monkeypatch.setattr(storage, "os", os)
        storage.write_files([(path, OLD) for path, _ in many(tmp_path)])
        monkeypatch.setattr(storage, "os", FaultyDisk(nth, PowerCut(), lasting=True))
        with pytest.raises(PowerCut):
            storage.write_files(many(tmp_path))
        monkeypatch.setattr(storage, "os", os)
        assert all(path.read_bytes() in (OLD, data) for path, data in many(tmp_path)), f"operation {nth}"
        storage.delete_leftovers(tmp_path)
        assert leftovers(tmp_path) == []


# ── from outside ─────────────────────────────────────────────────────────────────────────────────


WRITER = """
import sys
from pathlib import Path
from studio.library import storage
folder = Path(sys.argv[1])
for turn in range(10**9):
    data = turn.to_bytes(8, "little") * 60_000
    storage.write_file(folder / "work.bin", storage.hash_bytes(data).encode() + data)
    if turn == 0:
        print("writing", flush=True)
"""


@POSIX_ONLY
def test_a_killed_writer_leaves_a_complete_file_and_its_leftovers_are_deleted(tmp_path: Path) -> None:
    dice = random.Random(1)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.02 + dice.random() * 0.05)
            writer.kill()
        data = (tmp_path / "work.bin").read_bytes()
        assert storage.hash_bytes(data[32:]) == data[:32].decode()
        storage.delete_leftovers(tmp_path)
        assert leftovers(tmp_path) == []


def test_two_simultaneous_writers_leave_one_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    contents = [letter.encode() * 30_000 for letter in "abcd"]

    def again(data: bytes) -> None:
        for _ in range(15):
            storage.write_file(path, data)
            storage.delete_leftovers(tmp_path)  # must not remove what another process is writing

    threads = [threading.Thread(target=again, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert leftovers(tmp_path) == []


# ── disks that are full, read-only or gone ───────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Make a disk of 1 MB of its own."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_keeps_the_old_file_and_the_message_says_what_to_do(small_disk: Path) -> None:
    path = small_disk / "rose.png"
    storage.write_file(path, OLD)
    with pytest.raises(NotSaved) as fault:
        storage.write_file(path, b"x" * 1_900_000)
    assert fault.value.cause == "full"
    assert fault.value.path == path
    assert fault.value.message == (
        'The disk is full: "rose.png" was not saved. The picture is still here. '
        "Free about 2 MB or choose another place."
    )
    assert path.read_bytes() == OLD
    assert os.listdir(small_disk) == ["rose.png"]
    storage.write_file(path, NEW)
    assert path.read_bytes() == NEW


def test_the_message_names_a_read_only_disk(small_disk: Path) -> None:
    storage.write_file(small_disk / "rose.png", OLD)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(NotSaved, match="nothing may be written") as fault:
        storage.write_file(small_disk / "rose.png", NEW)
    assert fault.value.cause == "read-only"
    assert (small_disk / "rose.png").read_bytes() == OLD
    with pytest.raises(NotSaved, match="moved to the bin. It is where|not moved"):
        storage.move_to_bin(small_disk / "rose.png")
    assert (small_disk / "rose.png").read_bytes() == OLD


def test_a_deleted_folder_is_not_created_again_silently(tmp_path: Path) -> None:
    with pytest.raises(NotSaved, match="is not there") as fault:
        storage.write_file(tmp_path / "stick" / "rose.png", NEW)
    assert fault.value.cause == "missing"
    assert not (tmp_path / "stick").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotSaved) as fault:
        storage.create_folder(tmp_path / "file" / "below")
    assert fault.value.cause == "missing"


def test_a_folder_is_created_in_the_requested_place(tmp_path: Path) -> None:
    assert storage.create_folder(tmp_path / "a" / "b").is_dir()
    assert storage.create_folder(tmp_path / "a" / "b").is_dir()


def test_a_fault_is_explained_to_the_user(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(NotSaved) as fault:
        storage.write_file(tmp_path / "folder.json", b"{}")
    assert fault.value.cause == "other"
    for word in ("Errno", "Traceback", "!"):
        assert word not in fault.value.message
    assert "What was saved before is unchanged." in fault.value.message


# ── folders ──────────────────────────────────────────────────────────────────────────────────────


def test_the_folders_follow_studio_home_and_are_made_on_demand(studio_home: Path) -> None:
    assert not studio_home.exists()
    for kind in storage.FOLDER_NAMES:
        assert storage.home_folder(kind) == studio_home / kind
        storage.write_file(storage.home_folder(kind) / "deeper" / "note.txt", b"1")
        assert (studio_home / kind / "deeper" / "note.txt").read_bytes() == b"1"


def test_the_folders_are_the_systems_without_studio_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_HOME")
    for kind in storage.FOLDER_NAMES:
        folder = storage.home_folder(kind)
        assert folder.is_absolute()
        assert "latent-studio" in str(folder) or kind == "works"
    assert len({storage.home_folder(kind) for kind in storage.FOLDER_NAMES}) >= 6


@POSIX_ONLY
def test_only_leftovers_of_dead_processes_are_deleted(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as dead:
        pass
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        keep = [
            f".studio-{living.pid}-0123456789ab",
            ".tmpAbC123",
            ".studio-notes",
            "rose.png",
            f"studio-{dead.pid}-0123456789ab",
        ]
        for name in [*keep, f".studio-{dead.pid}-0123456789ab", ".tmpold123", ".studio-9999999999-0123456789ab"]:
            (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / ".tmpold123", (0, 0))
        (tmp_path / f".studio-{dead.pid}-00000000000a").mkdir()
        (tmp_path / f".studio-{dead.pid}-00000000000b").symlink_to(tmp_path / "rose.png")
        assert storage.delete_leftovers(tmp_path) == 3
        living.communicate(b"\n")
    assert set(os.listdir(tmp_path)) == {*keep, *(f".studio-{dead.pid}-00000000000{x}" for x in "ab")}
    assert storage.delete_leftovers(tmp_path / "no such folder") == 0


def test_the_newest_folders_of_a_cache_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(["a", "d", "b", "c"]):
        (tmp_path / name / "below").mkdir(parents=True)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    storage.keep_newest(tmp_path, 2)
    assert set(os.listdir(tmp_path)) == {"a", "d", "file", "link"}
    storage.keep_newest(tmp_path / "no such folder", 2)


def test_the_bin_keeps_everything_under_its_date(tmp_path: Path, studio_home: Path) -> None:
    bins = []
    for content in (b"1", b"2", b"3"):
        (tmp_path / "rose.png").write_bytes(content)
        bins.append(storage.move_to_bin(tmp_path / "rose.png"))
        assert not (tmp_path / "rose.png").exists()
    assert [path.read_bytes() for path in bins] == [b"1", b"2", b"3"]
    assert bins[0].parent == studio_home / "data" / "bin" / datetime.date.today().isoformat()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "curve.json").write_bytes(b"[]")
    assert (storage.move_to_bin(tmp_path / "run") / "curve.json").read_bytes() == b"[]"
    with pytest.raises(NotSaved, match="bin"):
        storage.move_to_bin(tmp_path / "nothing")


def test_the_bin_takes_from_another_disk(small_disk: Path) -> None:
    (small_disk / "rose.png").write_bytes(OLD)
    assert storage.move_to_bin(small_disk / "rose.png").read_bytes() == OLD
    assert os.listdir(small_disk) == []


def test_the_digest_is_blake2b() -> None:
    assert storage.hash_bytes(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert storage.hash_bytes(b"a") != storage.hash_bytes(b"b")


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_grows_at_its_end_and_starts_again_when_it_is_full(studio_home: Path) -> None:
    log = storage.home_folder("log") / "window.log"
    for line in ("one\n", "two\n"):
        storage.append_to_log(log, line, 10)
    assert log.read_text() == "one\ntwo\n"
    storage.append_to_log(log, "three\n", 10)
    assert log.read_text() == "three\n"
    assert (log.parent / "window.old.log").read_text() == "one\ntwo\n"
    storage.append_to_log(log, "a line that is longer than the log\n", 10)
    assert log.stat().st_size == 10
    assert sorted(path.name for path in log.parent.iterdir()) == ["window.log", "window.old.log"]


def test_a_log_that_cannot_be_written_says_why(studio_home: Path) -> None:
    studio_home.mkdir()
    (studio_home / "log").write_text("a file where the folder should be")
    with pytest.raises(NotSaved, match="was not saved"):
        storage.append_to_log(storage.home_folder("log") / "window.log", "one", 10)


# ── locks ────────────────────────────────────────────────────────────────────────────────────────

HOLDER = """
import sys, time
from pathlib import Path
from studio.library import storage
print(storage.lock_file(Path(sys.argv[1])) is not None, flush=True)
time.sleep(600)
"""


def test_a_lock_is_held_by_one_process_and_never_outlives_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "window.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "True\n"
        unused = os.dup(holder.stdout.fileno())  # the lowest number that no open file has
        os.close(unused)
        assert storage.lock_file(path) is None
        assert os.dup(holder.stdout.fileno()) == unused, "the file that was tried stays open"
        os.close(unused)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    mine = storage.lock_file(path)
    assert mine is not None, "the file is still there, but whoever held it was killed"
    os.close(mine)


def test_a_lock_in_a_protected_folder_says_why_it_failed(studio_home: Path) -> None:
    studio_home.mkdir()
    (studio_home / "data").write_text("a file where the folder should be")
    with pytest.raises(NotSaved, match="was not made"):
        storage.lock_file(storage.home_folder("data") / "window.lock")


def test_what_was_binned_goes_back_unless_its_place_is_taken(tmp_path: Path, studio_home: Path) -> None:
    run = tmp_path / "runs" / "garden"
    run.mkdir(parents=True)
    (run / "study.json").write_text("{}")
    binned = storage.move_to_bin(run)
    run.mkdir()
    with pytest.raises(storage.NotSaved, match="its name is in use again. It is still there"):
        storage.move_from_bin(binned, run)
    run.rmdir()
    storage.move_from_bin(binned, run)
    assert (run / "study.json").read_text() == "{}" and not binned.exists()
