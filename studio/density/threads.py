"""How many threads torch counts with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Torch keeps to one thread inside.

    For many short operations: some of them (Φ in float64 among them) wake the other threads whatever their size, which
    then spin for milliseconds on the cores that others need.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
