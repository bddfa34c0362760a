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

CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""Numba's own variable. Whoever sets it chooses another folder, and sees to it himself."""


class CompiledLoop(NamedTuple):
    """What is compiled at once: `prepare` of a file compiles it, and keeps what is named `last` after all else."""

    file: str
    prepare: str
    last: str


LOOPS = {
    "masked maps": CompiledLoop("made", "prepare", "made._forward-*.1.nbc"),
    "pixels": CompiledLoop("pixels", "prepare", "pixels._play-*.1.nbc"),
    "sound": CompiledLoop("wavenet", "prepare", "wavenet._play-*.1.nbc"),
    "two sounds": CompiledLoop("wavenet", "prepare_two", "wavenet._play_two-*.1.nbc"),
    "masked maps in float64": CompiledLoop("made", "prepare_double", "made._forward-*.2.nbc"),
    "masked maps that learn": CompiledLoop("made", "prepare_adjoint", "made._adjoint-*.1.nbc"),
    "masked mixtures": CompiledLoop("mixture", "prepare", "mixture._inverse-*.1.nbc"),
}
"""By what they are for, in the order in which they are compiled ahead: first what is quick, or waited for most."""


class OtherCompiler:
    """Whether another process compiles a loop for this one, so that torch is to serve meanwhile."""

    is_pending: Callable[[str], bool] | None = None
    """Set by an engine that has such a process."""

    def __call__(self, loop: str) -> bool:
        return self.is_pending is not None and self.is_pending(loop)


compiled_elsewhere = OtherCompiler()


def cache_folder() -> Path:
    """Where what is compiled is kept."""
    return Path(os.environ[CACHE_VARIABLE])


def is_own_folder() -> bool:
    """Whether we have chosen it."""
    return cache_folder() == OWN_FOLDER


def missing_loops() -> tuple[str, ...]:
    """The loops that are not compiled yet."""
    return tuple(name for name, loop in LOOPS.items() if not any(cache_folder().glob(f"*/{loop.last}")))


def sources_digest() -> str:
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


OWN_FOLDER = platformdirs.user_cache_path("latent-studio", False) / "loops" / sources_digest()
os.environ.setdefault(CACHE_VARIABLE, str(OWN_FOLDER))
