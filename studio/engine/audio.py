"""torchaudio, wherever it is installed: the only import of it."""

import sys
from types import ModuleType

_EXTENSION = "torchaudio._extension"


def torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled part if that cannot be loaded. Raises ImportError if it is missing.

    The wheel for Linux on PyPI is linked to CUDA. Beside a torch without CUDA its libraries cannot be loaded, and
    torchaudio refuses to be imported, though all that we use of it is written in Python. It knows a build without
    these libraries, and so it is told that it is one.
    """
    try:
        import torchaudio
    except (OSError, RuntimeError):  # RuntimeError: both are built with CUDA, but with different versions of it
        sys.modules[_EXTENSION] = _no_extension()
        import torchaudio
    return torchaudio  # type: ignore[no-any-return]


def is_whole() -> bool:
    """Whether torchaudio has its compiled part; False if it was imported without."""
    return bool(torchaudio()._extension._IS_TORCHAUDIO_EXT_AVAILABLE)


def _no_extension() -> ModuleType:
    """What `torchaudio._extension` is in a build without compiled parts."""

    def fail_if_no_align(function: object) -> object:
        return function  # of forced alignment, which then says itself that its operator does not exist

    module = ModuleType(_EXTENSION)
    module.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=fail_if_no_align
    )
    return module
