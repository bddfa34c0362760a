"""Compiles loops and stores them for the next start. A loop that cannot be stored is compiled at each start."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

from studio import kernels

# Numba reads the variable when it is imported, which may have happened before the variable was set.
numba.config.CACHE_DIR = os.environ[kernels.CACHE_VARIABLE]  # type: ignore[attr-defined]


def compile_function(function: Callable[..., Any], quick: set[str] | bool, **more: Any) -> Any:
    """Return the function in a form that numba compiles at the first call.

    Arguments
        quick: the changes of floating-point arithmetic that the compiler may make, as in numba's `fastmath`
        more: further options of `numba.njit`
    """
    loop: Any = numba.njit(function, nogil=True, fastmath=quick, **more)
    with contextlib.suppress(RuntimeError):  # no folder can be written at all
        loop._cache = _LoopCache(function)  # type: ignore[no-untyped-call]  # replaces the one of `cache=True`
    return loop


class _LoopCache(FunctionCache):
    """Stores compiled code like numba's own cache, but no fault of a file or disk stops the loop."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # for example a file that a power cut left half-written
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # for example a full disk or a deleted folder
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
