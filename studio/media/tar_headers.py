"""Read the headers of a tar archive from a place on, without unpacking it.

tarfile ends its list silently at the first damaged header. Here, the next intact header is searched for, so that a
damaged place costs the members in it alone.
"""

import json
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

import msgspec

from studio.media.containers.spliced_file import file_size, find_bytes, read_bytes_at
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused, decode_opened

MAX_ARCHIVE_BYTES = 2**50
"""The largest archive that is opened. It is never read at once."""
MAX_NAME = 1000
"""Characters of the longest name of a member."""
MAX_LABEL_BYTES = 2**20
"""Bytes of the largest member that is read for a class."""
LABEL_ENDINGS = (".cls", ".json")
"""Endings of members that name the class of their sample."""
_LABEL_FIELDS = ("label", "class", "cls")
_SEARCHED_BYTES = 2**28
"""Bytes that are searched for the next header in one call."""
_SIGNATURE_PLACE = 257
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_OUTSIDE = "has a name that leads out of its archive"


class TarMember(msgspec.Struct, frozen=True):
    """Describes a member of an archive, or a fault of the archive, which has no name."""

    name: str
    header: int
    """The place of its header, from which headers can be read again."""
    begin: int = 0
    """The place of its bytes."""
    size: int = 0
    fault: str = ""
    """Why it cannot be used, which continues from its name."""
    label: str = ""
    """The class that it names, if it is a member for that."""


class TarHeaders(msgspec.Struct, frozen=True):
    """Holds some members of an archive."""

    members: tuple[TarMember, ...]
    following: int
    """The place of the next header; -1 at the end."""


def read_headers(path: Path | str, begin: int, count: int) -> TarHeaders:
    """Return at most about `count` members of an archive whose headers begin at `begin` or later.

    Folders are left out. Raises FileRefused if the archive cannot be opened.
    """
    name = display_name(os.path.basename(path))
    with decode_opened(Path(path), name, MAX_ARCHIVE_BYTES) as file:
        if begin == 0 and read_bytes_at(file, 0, 8).startswith(_COMPRESSED):
            raise FileRefused(name, "is compressed", "Unpack it to a plain .tar, for example with gunzip.")
        size = file_size(file)
        members: list[TarMember] = []
        at = begin
        while at >= 0 and len(members) < count:
            found, stop = _read_run(file, at, size, count - len(members))
            members += found
            if stop < size and len(members) < count:
                stop, fault = _skip_gap(file, stop, size, is_first=at == 0 and not found)
                members += fault
            at = -1 if stop >= size else stop
            if not found:  # a search may take long, so each call makes only one
                break
        return TarHeaders(tuple(members), at)


def _read_run(file: BinaryIO, at: int, size: int, count: int) -> tuple[list[TarMember], int]:
    """Return members from an intact header on, and the place where the next one should be."""
    file.seek(at)
    members: list[TarMember] = []
    try:
        with tarfile.TarFile(fileobj=file, mode="r", encoding="utf-8", errors="replace") as archive:
            while len(members) < count:
                info = archive.next()
                if info is None:
                    break
                if not info.isdir():
                    members.append(_describe(file, info, size))
                at = max(archive.offset, at + tarfile.BLOCKSIZE)
    except Exception:  # tarfile raises many types on damaged headers; what follows `at` is then passed over
        pass
    return members, at


def _describe(file: BinaryIO, info: tarfile.TarInfo, size: int) -> TarMember:
    name = "/".join(part for part in info.name.split("/") if part not in ("", "."))
    member = TarMember(name[:MAX_NAME], info.offset, info.offset_data, info.size)
    if fault := _fault_of(info, name, size):
        return msgspec.structs.replace(member, fault=fault)
    if name.lower().endswith(LABEL_ENDINGS):
        return msgspec.structs.replace(member, label=_read_label(file, member))
    return member


def _fault_of(info: tarfile.TarInfo, name: str, size: int) -> str:
    """Return why a member is not read; nothing if it may be."""
    if info.issym() or info.islnk():
        return "is a link"
    if not info.isreg():
        return "is not a file but a device or a pipe"
    if info.issparse():
        return "is stored with holes, which are not read here"
    if info.name.startswith("/") or ".." in name.split("/"):
        return _OUTSIDE
    if not name or len(name) > MAX_NAME or "\0" in name:
        return "has a name that cannot be used"
    if not 0 <= info.size <= size - info.offset_data:
        return "is cut off, because its archive is"
    return ""


def _read_label(file: BinaryIO, member: TarMember) -> str:
    """Return the class that a member names; nothing if it names none."""
    if member.size > MAX_LABEL_BYTES:
        return ""
    text = read_bytes_at(file, member.begin, member.size).decode("utf-8", "replace").strip()
    if member.name.lower().endswith(".json"):
        text = _label_in_json(text)
    return display_name(text)


def _label_in_json(text: str) -> str:
    try:
        fields = json.loads(text)
        found = [fields[key] for key in _LABEL_FIELDS if key in fields] if isinstance(fields, dict) else []
        return str(found[0]).strip() if found and isinstance(found[0], str | int) else ""
    except (ValueError, RecursionError):
        return ""


def _skip_gap(file: BinaryIO, at: int, size: int, *, is_first: bool) -> tuple[int, list[TarMember]]:
    """Return where the next header is, and a fault if something else than padding lies before it."""
    place = _find_header(file, at + tarfile.BLOCKSIZE, min(at + _SEARCHED_BYTES, size))
    place = min(at + _SEARCHED_BYTES, size) if place < 0 else place
    if not read_bytes_at(file, at, min(place - at, 2 * tarfile.BLOCKSIZE)).strip(b"\0"):
        fault = "is empty" if is_first and place == size else ""
    elif is_first and place == size:
        fault = "is not a tar archive"
    elif size - at < tarfile.BLOCKSIZE:
        fault = "is cut off"
    else:
        fault = "is damaged in the middle" if place < size else "is damaged at the end"
    return place, [TarMember("", at, fault=fault)] if fault else []


def _find_header(file: BinaryIO, at: int, stop: int) -> int:
    """Return the place of the next intact header, or -1. Headers begin at multiples of 512 bytes."""
    place = find_bytes(file, b"ustar", at + _SIGNATURE_PLACE, stop)
    while place >= 0:
        begin = place - _SIGNATURE_PLACE
        if begin % tarfile.BLOCKSIZE == 0 and _is_header(read_bytes_at(file, begin, tarfile.BLOCKSIZE)):
            return begin
        place = find_bytes(file, b"ustar", place + 1, stop)
    return -1


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.TarError, ValueError):
        return False
    return True
