"""Puts samples and the training artworks nearest to them in pairs, with words."""

from dataclasses import dataclass

from studio.library.runs import ComparedSamples
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class SamplePair:
    """Holds a sample and the training artwork nearest to it."""

    sample: Array
    nearest: Array
    distance: float
    """In shares of the usual distance of unseen artworks to training artworks."""
    is_copy: bool

    @property
    def caption(self) -> str:
        """Return the distance in words."""
        share = f"{100 * self.distance:.0f} % of usual"
        return f"Copy, {share}" if self.is_copy else share

    @property
    def description(self) -> str:
        """Return the distance in a sentence."""
        share = f"{100 * self.distance:.0f} % of the usual distance"
        return f"A copy: {share} to a training artwork" if self.is_copy else f"{share} to its nearest training artwork"


def make_pairs(compared: ComparedSamples | None) -> tuple[SamplePair, ...]:
    """Return pairs, the nearest first."""
    if compared is None:
        return ()
    each = zip(compared.samples, compared.nearest, compared.distances, compared.copied, strict=True)
    return tuple(sorted((SamplePair(*fields) for fields in each), key=lambda pair: pair.distance))


def copied_text(compared: ComparedSamples, things: str) -> str:
    """Return how many samples are copies, and what that means."""
    count = sum(compared.copied)
    if not count:
        return f"No sample is a copy. A copy is below 50 % of usual. Unseen {things} are at 100 %."
    verb = "is a copy" if count == 1 else "are copies"
    return f"{count} of {len(compared.copied)} {verb}, far nearer to training {things} than unseen ones."
