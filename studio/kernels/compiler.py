"""How loops are compiled: they are kept for the next start, and where that fails they are compiled all the same."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

from studio import kernels

# It has read that itself, unless somebody has imported it before.
numba.config.CACHE_DIR = os.environ[kernels.CACHE_VARIABLE]  # type: ignore[attr-defined]


def compile_function(function: Callable[..., Any], quick: set[str] | bool, **more: Any) -> Any:
    """The function, compiled when it is first called.

    Arguments
        quick: what of floating point may be done otherwise than it is written; as numba's `fastmath`
        more: what else numba is told
    """
    loop: Any = numba.njit(function, nogil=True, fastmath=quick, **more)
    with contextlib.suppress(RuntimeError):  # there is no folder at all in which it could be kept
        loop._cache = _LoopCache(function)  # type: ignore[no-untyped-call]  # instead of numba's own, by `cache=True`
    return loop


class _LoopCache(FunctionCache):
    """What was compiled at earlier starts. No fault of a file or of the disk is one of the loop."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # a file that a power cut has left half-written
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # the disk is full, or the folder is gone
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
