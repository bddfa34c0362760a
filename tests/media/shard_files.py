"""Write shards for tests."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

BLOCK = tarfile.BLOCKSIZE


def picture(seed: int, size: int = 12) -> bytes:
    """Return the bytes of a small PNG."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_shard(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    """Write a tar archive with these members, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return path


def write_pictures(folder: Path, count: int, shards: int, size: int = 12) -> Path:
    """Write different pictures into shards, the same ones for the same count."""
    names = [(f"{seed:05d}.png", picture(seed, size)) for seed in range(count)]
    for number in range(shards):
        write_shard(folder / f"shard-{number:06d}.tar", names[number::shards])
    return folder


def unpack(shards: Path, folder: Path) -> Path:
    """Write the members of shards as files into a folder."""
    for shard in sorted(shards.glob("*.tar")):
        with tarfile.open(shard) as archive:
            for info in archive:
                file = archive.extractfile(info)
                assert file is not None
                target = folder / info.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())
    return folder
