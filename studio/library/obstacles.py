"""Name what keeps a file or a folder from being written."""

import errno
import os
import stat
from pathlib import Path

from studio.media.names import display_name

MAX_NAME_BYTES = 255
"""Bytes in a name, on nearly every file system."""
_SORTS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def describe_obstacle(path: Path, error: OSError, *, folder: bool = False) -> str:
    """Return why an absolute path could not be written. The clause follows a colon.

    Arguments
        error: the error of the system
        folder: whether the path itself should be a folder, and not only its parents
    """
    if not folder and (reason := why_not_a_file(path)):
        return reason
    match error.errno:
        case errno.ENAMETOOLONG:
            return _too_long_text(path)
        case errno.ELOOP:
            return _link_loop_text(path)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return _forbidden_text(path)
        case errno.ENOENT | errno.ENOTDIR | errno.EEXIST:
            return _missing_parent_text(path, folder)
    return f'the disk reported "{error.strerror or "no reason given"}"'


def why_not_a_file(path: Path) -> str:
    """Return why an absolute path cannot be a file; empty if it can."""
    try:
        found = os.stat(path).st_mode
    except OSError as error:
        reasons = {errno.ENAMETOOLONG: _too_long_text, errno.ELOOP: _link_loop_text}
        return reasons[error.errno](path) if error.errno in reasons else ""
    if stat.S_ISDIR(found):
        return "a folder has this name"
    return "" if stat.S_ISREG(found) else f'"{display_name(str(path))}" is {_file_type(found)}'


def _file_type(mode: int) -> str:
    return next((sort for fits, sort in _SORTS if fits(mode)), "of an unknown sort")


def _too_long_text(path: Path) -> str:
    for part in path.parts:
        if (length := len(os.fsencode(part))) > MAX_NAME_BYTES:
            return f'the name "{display_name(part)}" is {length - MAX_NAME_BYTES} bytes too long'
    return "its path is too long"


def _link_loop_text(path: Path) -> str:
    return f'links on the way to "{display_name(str(path))}" lead in a circle'


def _forbidden_text(path: Path) -> str:
    parent = next(folder for folder in path.parents if os.path.isdir(folder))
    if os.path.isfile(path) and os.access(parent, os.W_OK):
        return f'the file "{display_name(str(path))}" may not be replaced'
    return f'nothing may be written in "{display_name(str(parent))}"'


def _missing_parent_text(path: Path, folder: bool) -> str:
    """Return what stands in place of the first folder that is missing."""
    for part in (*reversed(path.parents), *((path,) if folder else ())):
        if os.path.isdir(part):
            continue
        name = display_name(str(part))
        try:
            found = os.stat(part).st_mode
        except OSError as fault:
            if fault.errno == errno.ELOOP:
                return _link_loop_text(path)
            if os.path.islink(part):
                return f'"{name}" is a link to "{display_name(os.readlink(part))}", which is not there'
            if not folder:
                return f'the folder "{display_name(str(path.parent))}" is not there'
            break
        return f'"{name}" is {_file_type(found)}, not a folder'
    parent = next(part for part in path.parents if os.path.isdir(part))
    return f'the system keeps no files in "{display_name(str(parent))}"'
