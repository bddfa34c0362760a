"""The sound card of tests/media."""

from tests.media.conftest import recording, sound_card

__all__ = ["recording", "sound_card"]
