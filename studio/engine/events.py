"""Define the values that a job yields besides events of the wire, and run steps to their end."""

from collections.abc import Generator, Iterator
from typing import NamedTuple, TypeVar

from studio.wire.messages import AnyEvent, EvaluationProgress

Found = TypeVar("Found")


class Pause(NamedTuple):
    """Asks the engine not to step this job for some seconds. A job yields it in place of an event."""

    seconds: float


EventSteps = Iterator[AnyEvent | Pause | None]
"""An event, a Pause, or None after a step without either."""


def result_of(steps: Generator[object, None, Found]) -> Found:
    """Run all steps and return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found


def with_progress(
    job: str, steps: Generator[tuple[int, int], None, Found]
) -> Generator[EvaluationProgress, None, Found]:
    """Yield the progress of a measurement, whose steps yield what is done and the total. Return its result."""
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        yield EvaluationProgress(job=job, done=done, total=total)
