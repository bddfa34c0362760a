"""Open pictures from bytes, or catch why they are refused."""

from pathlib import Path

import pytest

from studio.media.pictures.image import FileRefused, OpenedPicture, open_picture


def opened(folder: Path, data: bytes, name: str = "rose.png") -> OpenedPicture:
    """Open bytes as a file with this name."""
    (folder / name).write_bytes(data)
    return open_picture(folder / name)


def refused(folder: Path, data: bytes, name: str = "rose.png") -> FileRefused:
    """Return how the file is refused. It must be, in a sentence that begins with its name."""
    with pytest.raises(FileRefused) as fault:
        opened(folder, data, name)
    assert str(fault.value).startswith(f'"{name}" {fault.value.reason} and was not opened.')
    return fault.value


def reason(folder: Path, data: bytes) -> str:
    """Return the reason for which the file is refused."""
    return refused(folder, data).reason
