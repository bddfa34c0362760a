"""If a file crashes its reader, that file alone is refused, with the true reason."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.media import decoder, pack
from studio.media.decoder import FileDecoder
from studio.media.decoder_messages import ChildReady, DecodeAnswer, DecodeFault
from studio.media.pictures import image
from studio.media.pictures.image import FileRefused, OpenedPicture
from studio.media.sounds import audio_file, single_cycle
from tests.conftest import PLANTED
from tests.limits import LIMIT

POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has no limits for a process")
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "rose.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    path = tmp_path / "hum.wav"
    soundfile.write(path, np.sin(np.arange(4000) / 7) * 0.5, 8000)
    return path


@pytest.fixture
def misbehaving() -> Iterator[FileDecoder]:
    own = FileDecoder(PLANTED, seconds=1)
    yield own
    own.close()


def ended(process_id: int) -> bool:
    """Return whether a process ends within the limit. One that nobody waits for counts as ended."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def test_every_reader_returns_the_same_with_and_without_the_child(photo: Path, hum: Path, tmp_path: Path) -> None:
    found = decoder.open_picture(photo)
    expected = image.open_picture(photo)
    np.testing.assert_array_equal(found.array, expected.array)
    assert (found.name, found.notes) == (expected.name, expected.notes)
    heard = decoder.open_recording(hum, 16_000, centred=False)
    told = audio_file.open_recording(hum, 16_000, centred=False)
    np.testing.assert_array_equal(heard.samples, told.samples)
    assert (heard.seconds, heard.notes) == (told.seconds, told.notes)
    soundfile.write(tmp_path / "cycle.wav", np.sin(np.arange(600) / 600 * 2 * np.pi) * 0.5, 44_100)
    np.testing.assert_array_equal(
        decoder.open_wave_file(tmp_path / "cycle.wav", 128).array,
        single_cycle.read_wave(tmp_path / "cycle.wav", 128).array,
    )
    np.testing.assert_array_equal(
        decoder.open_cycle(tmp_path / "cycle.wav", 256), single_cycle.read_cycle(tmp_path / "cycle.wav", 256)
    )


def test_arrays_of_a_pack_keep_their_types_and_order(tmp_path: Path) -> None:
    parts = {
        "train_x": np.random.default_rng(0).integers(0, 256, (500, 30, 40, 3), np.uint8),  # several blocks
        "train_y": np.arange(500, dtype=">u2"),
        "test_x": np.asfortranarray(np.random.default_rng(1).integers(0, 256, (5, 3, 4, 1), np.uint8)),
        "test_y": np.zeros(0, np.int64),
        "label_names": np.array(["Rose", "Übung"]),
    }
    np.savez_compressed(tmp_path / "p.npz", more=np.zeros(3), **parts)  # type: ignore[arg-type]
    found = decoder.open_pack(tmp_path / "p.npz")
    assert found.keys() == parts.keys()
    for name, expected in parts.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype


def test_a_path_within_the_current_folder_is_found_after_the_folder_changes(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder.open_picture(photo)  # the child runs, in another folder
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert decoder.open_picture("../rose.png").array.shape == (40, 60, 3)


@pytest.mark.parametrize("reader", ["open_picture", "open_recording", "open_wave_file", "open_pack"])
def test_a_refusal_has_the_same_words_without_the_child(reader: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no artwork")
    direct = {
        "open_picture": image.open_picture,
        "open_recording": audio_file.open_recording,
        "open_wave_file": single_cycle.read_wave,
        "open_pack": pack.read_members,
    }
    with pytest.raises(FileRefused) as fault:
        getattr(decoder, reader)(tmp_path / "notes.txt")
    with pytest.raises(FileRefused) as expected:
        direct[reader](tmp_path / "notes.txt")
    assert (str(fault.value), fault.value.reason) == (str(expected.value), expected.value.reason)
    with pytest.raises(FileRefused, match="not there"):
        getattr(decoder, reader)(tmp_path / "nothing.wav")


def test_several_threads_may_open_files_at_once(photo: Path, hum: Path) -> None:
    own = FileDecoder()
    faults = list[BaseException]()

    def read() -> None:
        try:
            for _ in range(20):
                assert own.read_file("picture", photo, OpenedPicture).array.shape == (40, 60, 3)
                assert own.read_file("recording", hum, audio_file.Recording, rate=None, centred=True).rate == 8000
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not faults and len(own.process_ids) <= decoder.MAX_CHILDREN
    own.close()


# ── what a reader can do ─────────────────────────────────────────────────────────────────────────


@POSIX_ONLY
@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("kills", "crashed the program that reads files and was not opened. Try saving it again from where it came."),
        ("aborts", "crashed the program that reads files and was not opened. Try saving it again from where it came."),
        ("exits", "crashed the program that reads files and was not opened. Try saving it again from where it came."),
        ("hangs", "takes too long to read and was not opened. Try saving it again from where it came."),
        pytest.param("grows", "needs too much memory to read and was not opened.", marks=LINUX_ONLY),
        ("opens", "could not be read and was not opened. Try saving it again from where it came."),
        ("raises", "could not be read and was not opened. Try saving it again from where it came."),
    ],
)
def test_a_file_that_crashes_its_reader_is_refused_and_the_next_is_read(
    stem: str, said: str, photo: Path, misbehaving: FileDecoder
) -> None:
    bad = photo.rename(photo.with_name(f"{stem}.png"))
    good = photo.with_name("good.png")
    good.write_bytes(bad.read_bytes())
    assert misbehaving.read_file("picture", good, OpenedPicture).array.shape == (40, 60, 3)
    with pytest.raises(FileRefused) as fault:
        misbehaving.read_file("picture", bad, OpenedPicture)
    assert str(fault.value) == f'"{stem}.png" {said}'
    assert misbehaving.read_file("picture", good, OpenedPicture).array.shape == (40, 60, 3)


def test_a_file_whose_reader_hangs_is_refused(photo: Path) -> None:
    own = FileDecoder(PLANTED, seconds=0, patience=2.0)
    slow = photo.rename(photo.with_name("sleeps.png"))
    with pytest.raises(FileRefused, match="takes too long to read"):
        own.read_file("picture", slow, OpenedPicture)
    own.close()


def test_reads_end_at_once_if_they_are_interrupted(photo: Path) -> None:
    """Reads that hang, wait or begin meanwhile end; later ones do not."""
    photos = [photo.with_name(name) for name in ("sleeps.png", "hangs.png", "waits.png")]
    for path in photos:
        path.write_bytes(photo.read_bytes())
    own = FileDecoder(PLANTED, seconds=1000, patience=1000)
    told = list[str]()

    def read(path: Path) -> None:
        with pytest.raises(FileRefused) as fault:
            own.read_file("picture", path, OpenedPicture)
        told.append(str(fault.value))

    threads = [threading.Thread(target=read, args=(path,)) for path in photos]
    for thread in threads:
        thread.start()
    while len(own._busy) < 2:
        time.sleep(0.01)
    with own.interrupted():
        read(photo)
        for thread in threads:
            thread.join(LIMIT)
    assert sorted(told) == sorted(
        f'"{path.name}" was not read to its end and was not opened. Open it again.' for path in (*photos, photo)
    )
    assert own.read_file("picture", photo, OpenedPicture).array.shape == (40, 60, 3)
    own.close()


@POSIX_ONLY
def test_prints_of_a_library_are_not_mistaken_for_an_answer(photo: Path, misbehaving: FileDecoder) -> None:
    noisy = photo.rename(photo.with_name("prints.png"))
    assert misbehaving.read_file("picture", noisy, OpenedPicture).array.shape == (40, 60, 3)


@POSIX_ONLY
def test_a_reader_cannot_write_a_file(
    photo: Path, misbehaving: FileDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_FILE", str(tmp_path / "written"))
    with pytest.raises(FileRefused, match="could not be read"):
        misbehaving.read_file("picture", photo.rename(photo.with_name("writes.png")), OpenedPicture)
    assert not (tmp_path / "written").exists() or not (tmp_path / "written").read_bytes()


def test_no_file_is_blamed_for_damage_by_an_earlier_one(photo: Path, misbehaving: FileDecoder) -> None:
    first = photo.with_name("breaks.png")
    first.write_bytes(photo.read_bytes())
    for path in (first, photo, photo):
        assert misbehaving.read_file("picture", path, OpenedPicture).array.shape == (40, 60, 3)


@POSIX_ONLY
def test_a_child_that_was_killed_while_it_waited_is_replaced(photo: Path) -> None:
    own = FileDecoder()
    own.read_file("picture", photo, OpenedPicture)
    os.kill(own.process_ids[0], signal.SIGKILL)
    assert own.read_file("picture", photo, OpenedPicture).array.shape == (40, 60, 3)
    own.close()


@LINUX_ONLY
@pytest.mark.parametrize("stem", ["rose", "hangs"])
def test_the_child_ends_with_its_parent_also_in_the_middle_of_a_file(stem: str, photo: Path) -> None:
    path = photo.rename(photo.with_name(f"{stem}.png"))
    program = (
        "import sys, threading, time\n"
        "from studio.media import decoder\n"
        "from studio.media.pictures.image import OpenedPicture\n"
        f"own = decoder.FileDecoder({PLANTED!r}, seconds=60)\n"
        f"threading.Thread(target=own.read_file, args=('picture', {str(path)!r}, OpenedPicture), daemon=True).start()\n"
        "time.sleep(3600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        threads = Path(f"/proc/{parent.pid}/task")
        end = time.monotonic() + LIMIT
        found: list[str] = []
        while not found and time.monotonic() < end:
            found = [pid for each in threads.glob("*/children") for pid in each.read_text().split()]
            time.sleep(0.02)
        assert found, "no child was started"
        time.sleep(0.5)  # it may be reading by now
    finally:
        parent.kill()
        parent.wait(LIMIT)
    assert ended(int(found[0]))


@LINUX_ONLY
def test_the_child_runs_within_its_limits(photo: Path) -> None:
    own = FileDecoder()
    own.read_file("picture", photo, OpenedPicture)
    folder = Path(f"/proc/{own.process_ids[0]}")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (folder / "limits").read_text().splitlines()}
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    assert limits["Max open files"] == "64"
    assert limits["Max file size"] == limits["Max core file size"] == "0"
    assert int(limits["Max cpu time"]) <= 20
    reserved = 1024 * (int(status["VmSize"].split()[0]) - int(status["VmRSS"].split()[0]))
    assert int(limits["Max address space"]) - reserved <= 1.05 * 2**30
    assert status["NoNewPrivs"].strip() == "1"
    nowhere = {link.name for link in (folder / "fd").iterdir() if os.readlink(link) == os.devnull}
    assert nowhere <= {"0", "1", "2"}, "the child keeps a descriptor that it does not need"
    own.close()


def test_a_child_that_cannot_start_is_reported(photo: Path) -> None:
    for program in (["/nowhere/python"], [sys.executable, "-c", "raise SystemExit(1)"]):
        with pytest.raises(FileRefused) as fault:
            FileDecoder(program).read_file("picture", photo, OpenedPicture)
        assert "The program that reads files does not start." in str(fault.value)


# ── false answers of a child ─────────────────────────────────────────────────────────────────────


def frame(message: ChildReady | DecodeAnswer | DecodeFault) -> bytes:
    body = msgspec.json.encode(message)
    return struct.pack("<I", len(body)) + body


def answer(dtype: str, shape: tuple[int, ...], value: bytes = b'{"array":0,"name":"a","notes":[]}') -> bytes:
    return frame(DecodeAnswer(((dtype, shape),), msgspec.Raw(value)))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xff\xff\xff",
        struct.pack("<I", 4) + b"{}{}",
        frame(ChildReady()),
        answer("|O", (1,)),
        answer("|V8", (1,)),
        answer("|u1", (2**50, 3, 3)),
        answer("|u1", (-1, 3, 3)),
        answer("|u1", (1,) * 40),
        answer("nonsense", (1,)),
        answer("|u1", (4,)) + struct.pack("<I", 5) + b"12345",
        answer("|u1", (4,)) + struct.pack("<I", 0) + frame(ChildReady()),
        answer("|u1", (4,)) + struct.pack("<I", 2) + b"12",
        answer("|u1", (1,), b'{"array":7,"name":"a","notes":[]}') + struct.pack("<I", 1) + b"1",
        answer("|u1", (1,), b'{"array":0}') + struct.pack("<I", 1) + b"1",
        answer("|u1", (1,), b"[") + struct.pack("<I", 1) + b"1",
    ],
    ids=str,
)
def test_an_impossible_answer_of_a_reader_is_not_trusted(said: bytes, photo: Path) -> None:
    program = (
        f"import sys; sys.stdout.buffer.write({frame(ChildReady()) + said!r}); sys.stdout.flush(); sys.stdin.read()"
    )
    own = FileDecoder([sys.executable, "-c", program], seconds=0, patience=1.0)
    with pytest.raises(FileRefused, match="crashed the program that reads files|takes too long"):
        own.read_file("picture", photo, OpenedPicture)
    own.close()


# ── other systems ────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = """
import sys
import types
system = {system!r}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "resource":
            raise ImportError("there is no such module on this system")
if system == "win32":
    sys.meta_path.insert(0, Missing())
    import os, signal
    for name in ("SIGXCPU",):
        delattr(signal, name)
import ctypes, numpy, PIL.Image, soundfile, msgspec, subprocess  # as they are here
sys.platform = system
if system == "win32":
    subprocess.CREATE_NO_WINDOW = 0
    del os.O_NOFOLLOW, os.O_NONBLOCK
else:
    from ctypes import CDLL
    def refuse(*_):
        raise AssertionError("this system has no prctl")
    ctypes.CDLL = refuse
from studio.media import decoder, decoder_process
{then}
"""
"""A program as Windows or macOS runs it: without the modules, signals and flags that they lack."""


def elsewhere(system: str, then: str) -> list[str]:
    return [sys.executable, "-c", ELSEWHERE.format(system=system, then=then)]


@POSIX_ONLY
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_a_child_without_the_limits_of_linux_reads_files(system: str, photo: Path, hum: Path) -> None:
    own = FileDecoder(elsewhere(system, "sys.exit(decoder_process.main())"))
    assert own.read_file("picture", photo, OpenedPicture).array.shape == (40, 60, 3)
    assert own.read_file("recording", hum, audio_file.Recording, rate=None).seconds == 0.5
    with pytest.raises(FileRefused, match="is not there"):
        own.read_file("picture", photo.with_name("none.png"), OpenedPicture)
    own.close()


@POSIX_ONLY
def test_a_child_on_macos_has_limits_of_time_and_descriptors(photo: Path) -> None:
    then = (
        "import time\n"
        "def hang(path, **words):\n"
        "    while path.stem == 'hangs':\n        pass\n"
        "    return decoder_process.image.open_picture(path)\n"
        "decoder_process.FILE_READERS['picture'] = hang\n"
        "sys.exit(decoder_process.main())"
    )
    own = FileDecoder(elsewhere("darwin", then), seconds=1)
    (photo.parent / "hangs.png").write_bytes(photo.read_bytes())
    with pytest.raises(FileRefused, match="takes too long to read"):
        own.read_file("picture", photo.parent / "hangs.png", OpenedPicture)
    assert own.read_file("picture", photo, OpenedPicture).array.shape == (40, 60, 3)
    own.close()


@POSIX_ONLY
def test_a_parent_on_windows_limits_a_file_by_the_clock_and_opens_no_console(photo: Path) -> None:
    """Windows does not end a process for its processor time."""
    (photo.parent / "sleeps.png").write_bytes(photo.read_bytes())
    then = (
        "from studio.media.pictures.image import FileRefused, OpenedPicture\n"
        f"own = decoder.FileDecoder({PLANTED!r}, seconds=0, patience=1.0)\n"
        f"for path in ({str(photo.parent / 'sleeps.png')!r}, {str(photo)!r}):\n"
        "    try:\n        print(own.read_file('picture', path, OpenedPicture).array.shape)\n"
        "    except FileRefused as fault:\n        print(fault)\n"
        "own.close()"
    )
    done = subprocess.run(elsewhere("win32", then), capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stdout.splitlines() == [
        '"sleeps.png" takes too long to read and was not opened. Try saving it again from where it came.',
        "(40, 60, 3)",
    ], done.stderr
