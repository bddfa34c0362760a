"""Draw pictures pixel by pixel: compiled loops run the schedule of a network."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio import kernels
from studio.density.threads import single_threaded
from studio.nets.pixel_schedule import BufferWindow, Operation, PixelSchedule, RowBuffer, ScheduleRunner


class CompiledSteppers:
    """Runs schedules with compiled loops. The newest schedule is kept in the form that these read."""

    def __init__(self) -> None:
        self._known: tuple[PixelSchedule, Any] | None = None

    def __call__(self, schedule: PixelSchedule, seen: Tensor, c: Tensor | None) -> ScheduleRunner | None:
        """Return a runner for float32 on a processor; None otherwise, or if nothing can be compiled."""
        if seen.dtype != torch.float32 or seen.device.type != "cpu":
            return None
        if kernels.compiled_elsewhere("pixels"):
            return _SingleThreadedRunner(schedule, seen, c)
        try:
            from studio.kernels import pixels  # noqa: F401  not before it is needed: the compiler takes half a second
        except ImportError:
            return None
        if self._known is None or self._known[0] is not schedule:
            self._known = schedule, _tape(schedule)
        return _CompiledRunner(schedule, seen, c, self._known[1])


class _SingleThreadedRunner(ScheduleRunner):
    """Runs a schedule with torch in one thread, while another process compiles the loops.

    The products of a pixel are small, and beside a busy process two threads wait for each other: on two busy cores a
    picture took four to five times as long.
    """

    def __call__(self, i: int, j: int) -> Tensor:
        with single_threaded():
            return super().__call__(i, j)


class _CompiledRunner(ScheduleRunner):
    """Runs a schedule with compiled loops. All buffers are parts of one flat state for each picture."""

    def __init__(self, schedule: PixelSchedule, seen: Tensor, c: Tensor | None, tape: Any) -> None:
        from studio.kernels.made_plan import padded_count

        self.tape = tape
        self.state = torch.zeros(padded_count(len(seen)), tape.size)
        self.flat = self.state.numpy()
        self.threads = torch.get_num_threads()
        super().__init__(schedule, seen, c)

    def _memory(self, buffers: Sequence[RowBuffer]) -> dict[RowBuffer, Tensor]:
        own = self.state[: len(self.pictures)]
        places = _places(buffers)
        return {b: own[:, at : at + math.prod(b.shape)].view(len(own), *b.shape) for b, at in places.items()}

    def _begin_row(self, i: int) -> None:
        from studio.kernels import pixels

        pixels.run_row(self.tape, self.flat, len(self.pictures), i, self.pictures.shape[3], self.threads)

    def _run_pixel(self, i: int, j: int) -> None:
        from studio.kernels import pixels

        pixels.run_column(self.tape, self.flat, i, j)


def _places(buffers: Sequence[RowBuffer]) -> dict[RowBuffer, int]:
    """Return where each buffer begins in a picture's state."""
    ends = np.cumsum([0, *(math.prod(buffer.shape) for buffer in buffers)]).tolist()
    return dict(zip(buffers, ends, strict=False))


def _tape(schedule: PixelSchedule) -> Any:
    """Return a schedule as `pixels.CompiledSchedule`."""
    from studio.kernels import pixels

    places = _places(schedule.buffers())
    weights = []
    begin = 0
    tables: list[Any] = []
    for operations in (schedule.backwards, schedule.rows, schedule.columns):
        heads = np.zeros((len(operations), 7), np.int64)
        windows = np.zeros((len(operations), 4, 6), np.int64)
        for o, operation in enumerate(operations):
            heads[o] = _head(operation, pixels.OPERATION_NAMES.index(operation.kind), begin)
            windows[o] = [_window(window, places[window.buffer]) for window in _four(operation)]
            if operation.weight is not None:
                weights.append(operation.weight.t().flatten())
                begin += len(weights[-1])
        tables.append((heads, windows))
    size = sum(math.prod(buffer.shape) for buffer in places)
    widest = max(window.size for operation in schedule.operations() for window in _four(operation))
    backwards, rows, columns = tables
    return pixels.CompiledSchedule(backwards, rows, columns, torch.cat(weights).numpy(), size, widest)


def _head(operation: Operation, kind: int, begin: int) -> list[int]:
    """Return an operation as a row with the columns `pixels.OPERATION`."""
    out, given = operation.out[0].size, operation.given[-1].size
    return [kind, operation.every, operation.later, out, given, begin, len(operation.given) > 1]


def _four(operation: Operation) -> tuple[BufferWindow, BufferWindow, BufferWindow, BufferWindow]:
    """Return the windows out, second out, start and x. An operation with one out or one input repeats it."""
    return operation.out[0], operation.out[-1], operation.given[0], operation.given[-1]


def _window(window: BufferWindow, place: int) -> list[int]:
    """Return a window as a row with the columns `pixels.WINDOW`."""
    buffer, down, across, _, step = window
    rows, _, channels = buffer.shape
    row_size = math.prod(buffer.shape) // rows
    return [place + (buffer.left + across) * channels, rows, row_size, down, step, channels]
