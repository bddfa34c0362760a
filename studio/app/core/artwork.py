"""Defines the record of an artwork: a picture or a sound with its recipe."""

import functools
from dataclasses import dataclass

from studio.library.work import Work
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class Artwork:
    """Holds an artwork with everything needed to make it again."""

    array: Array
    """A picture (height, width, channels) uint8, a sound (samples,) int16, or a wavetable (frames, samples) int16."""
    work: Work
    name: str = ""
    """The name of its file, or the one that is suggested for it."""

    @functools.cached_property
    def key(self) -> str:
        """Return the key by which its descendants name it."""
        return self.work.identity_hash
