"""Import torchaudio if it is installed. No other module imports it."""

import sys
from types import ModuleType

_EXTENSION = "torchaudio._extension"


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled part if that cannot be loaded. Raises ImportError if it is missing.

    The wheel for Linux on PyPI is linked to CUDA. Beside a torch without CUDA its libraries cannot be loaded and the
    import fails, although everything that the studio uses is written in Python. torchaudio also supports builds
    without these libraries, so a stub of `torchaudio._extension` makes it behave like such a build.
    """
    try:
        import torchaudio
    except (OSError, RuntimeError):  # RuntimeError: both are built with CUDA, but with different versions of it
        sys.modules[_EXTENSION] = _no_extension()
        import torchaudio
    return torchaudio  # type: ignore[no-any-return]


def works() -> bool:
    """Return whether torchaudio was imported with its compiled part."""
    return bool(import_torchaudio()._extension._IS_TORCHAUDIO_EXT_AVAILABLE)


def _no_extension() -> ModuleType:
    """Return `torchaudio._extension` as it is in a build without compiled parts."""

    def fail_if_no_align(function: object) -> object:
        return function  # this decorates forced alignment, which fails by itself without its operator

    module = ModuleType(_EXTENSION)
    module.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=fail_if_no_align
    )
    return module
