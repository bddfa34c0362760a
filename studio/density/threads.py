"""Limit the number of threads that torch uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let torch use only one thread inside this context.

    It is for many short operations. Some of them, such as Φ in float64, wake the other threads whatever their size, and
    these then spin for milliseconds on cores that other programs need.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
