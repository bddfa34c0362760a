"""Sequential loops, compiled for the processor: numpy and numba only.

What is compiled is kept in the person's cache folder, for the next start. Beside the sources, where numba would keep
it, nobody may be allowed to write. And numba looks at no more than the file of a function to see whether it is still
the same, though a loop holds the code of functions of other files, too. So the name of the folder is a digest of
everything that the code is made from; of another version, or on another processor, it is another folder.

It is the same folder wherever the person's works lie: what is compiled belongs to the computer.
"""

import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import platformdirs

ASKED = "NUMBA_CACHE_DIR"
"""Numba's own variable. Whoever sets it chooses another folder, and sees to it himself."""


class Loop(NamedTuple):
    """What is compiled at once: `prepare` of a file compiles it, and keeps what is named `last` after all else."""

    file: str
    prepare: str
    last: str


LOOPS = {
    "masked maps": Loop("made", "prepare", "made._forward-*.1.nbc"),
    "pixels": Loop("pixels", "prepare", "pixels._play-*.1.nbc"),
    "sound": Loop("wavenet", "prepare", "wavenet._play-*.1.nbc"),
    "two sounds": Loop("wavenet", "prepare_two", "wavenet._play_two-*.1.nbc"),
    "masked maps in float64": Loop("made", "prepare_double", "made._forward-*.2.nbc"),
    "masked maps that learn": Loop("made", "prepare_adjoint", "made._adjoint-*.1.nbc"),
    "masked mixtures": Loop("mixture", "prepare", "mixture._inverse-*.1.nbc"),
}
"""By what they are for, in the order in which they are compiled ahead: first what is quick, or waited for most."""


class Elsewhere:
    """Whether another process compiles a loop for this one, so that torch is to serve meanwhile."""

    asked: Callable[[str], bool] | None = None
    """Set by an engine that has such a process."""

    def __call__(self, loop: str) -> bool:
        return self.asked is not None and self.asked(loop)


elsewhere = Elsewhere()


def folder() -> Path:
    """Where what is compiled is kept."""
    return Path(os.environ[ASKED])


def own() -> bool:
    """Whether we have chosen it."""
    return folder() == OURS


def missing() -> tuple[str, ...]:
    """The loops that are not compiled yet."""
    return tuple(name for name, loop in LOOPS.items() if not any(folder().glob(f"*/{loop.last}")))


def digest() -> str:
    """Of all that compiled code is made from: the sources and where they lie, the compiler, Python, the processor."""
    found, here = hashlib.blake2b(digest_size=8), Path(__file__).parent
    for source in sorted(here.glob("*.py")):
        found.update(source.read_bytes())
    what_else = importlib.metadata.version("numba"), sys.version, platform.machine(), _processor(), str(here)
    for what in what_else:
        found.update(what.encode())
    return found.hexdigest()


def _processor() -> str:
    """What Linux says that it can do. Elsewhere a folder stays with its computer, and numba looks at that itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


OURS = platformdirs.user_cache_path("latent-studio", False) / "loops" / digest()
os.environ.setdefault(ASKED, str(OURS))
