"""Sequential loops, compiled for the processor: numpy and numba only.

Compiled code is stored in the user's cache folder, and the next start loads it from there. Numba would store it beside
the sources, but the user may not be allowed to write there. Numba also compiles again only if the file of the function
itself has changed, although a loop contains the code of functions of other files. So the folder's name is a digest of
everything that the code is made from. Another version or another processor gets another folder.

The folder does not depend on `STUDIO_HOME`, because compiled code belongs to the computer.
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
"""Numba's own environment variable. Users who set it choose another folder and clear it themselves."""


class CompiledLoop(NamedTuple):
    """Names a loop that is compiled in one go."""

    file: str
    """The module in `studio/kernels` that holds the loop."""
    prepare: str
    """The function of that module that compiles the loop."""
    last: str
    """A pattern for the file that numba stores last. The loop is complete once this file is there."""


LOOPS = {
    "masked maps": CompiledLoop("made", "prepare", "made._forward-*.1.nbc"),
    "pixels": CompiledLoop("pixels", "prepare", "pixels._run_schedule-*.1.nbc"),
    "sound": CompiledLoop("wavenet", "prepare", "wavenet._sample-*.1.nbc"),
    "two sounds": CompiledLoop("wavenet", "prepare_two", "wavenet._sample_two-*.1.nbc"),
    "masked maps in float64": CompiledLoop("made", "prepare_double", "made._forward-*.2.nbc"),
    "masked maps that learn": CompiledLoop("made", "prepare_adjoint", "made._adjoint-*.1.nbc"),
    "masked mixtures": CompiledLoop("mixture", "prepare", "mixture._inverse-*.1.nbc"),
}
"""All loops by purpose, in the order of compiling. Loops that compile quickly or are used most come first."""


class OtherCompiler:
    """Answers whether another process is compiling a loop. Until it is done, torch does the work instead."""

    is_pending: Callable[[str], bool] | None = None
    """The question to that process. The engine sets it if it has started one."""

    def __call__(self, loop: str) -> bool:
        return self.is_pending is not None and self.is_pending(loop)


compiled_elsewhere = OtherCompiler()


def cache_folder() -> Path:
    """Return the folder in which compiled code is stored."""
    return Path(os.environ[CACHE_VARIABLE])


def is_own_folder() -> bool:
    """Return whether the program chose the cache folder, and not the user."""
    return cache_folder() == OWN_FOLDER


def missing_loops() -> tuple[str, ...]:
    """Return the names of the loops that are not compiled yet."""
    return tuple(name for name, loop in LOOPS.items() if not any(cache_folder().glob(f"*/{loop.last}")))


def sources_digest() -> str:
    """Return a digest of all that determines compiled code.

    These are the sources and their folder, the versions of numba and Python, and the processor.
    """
    found = hashlib.blake2b(digest_size=8)
    here = Path(__file__).parent
    for source in sorted(here.glob("*.py")):
        found.update(source.read_bytes())
    surroundings = (
        importlib.metadata.version("numba"),
        sys.version,
        platform.machine(),
        _processor_features(),
        str(here),
    )
    for text in surroundings:
        found.update(text.encode())
    return found.hexdigest()


def _processor_features() -> str:
    """Return the processor's features as Linux lists them, or nothing on other systems.

    On Linux the same home folder may be used by several computers. On other systems numba's own check is enough.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


OWN_FOLDER = platformdirs.user_cache_path("latent-studio", False) / "loops" / sources_digest()
os.environ.setdefault(CACHE_VARIABLE, str(OWN_FOLDER))
