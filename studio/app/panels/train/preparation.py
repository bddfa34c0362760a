"""Holds the options by which files become artworks, and by which artworks are varied."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from PySide6.QtCore import QObject

from studio.app.core.observable import Field, Fields, State, Value, one_of
from studio.app.core.undo import ChangeStep
from studio.media.preparation import WHITE, Colour

Fitting = Literal["crop", "fit", "pad"]
FITTINGS: tuple[Fitting, ...] = get_args(Fitting)
RATES = (4000, 8000, 16_000, 22_050, 32_000)
"""Hz of recordings."""
USUAL_RATE = 16_000
CLIP_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds of each recording that are used; 0 stands for all."""
GROUNDS: tuple[tuple[str, Colour], ...] = (("White", WHITE), ("Black", (0, 0, 0)))
"""The usual colours of backgrounds."""
PEAKS = (0.0, 0.5, 0.9)
"""Peaks to which each recording is amplified; 0 leaves it as recorded."""


class Variation(NamedTuple):
    """Describes a way to vary artworks at random, with the strengths to choose from."""

    key: str
    """Its field in the engine's Augmentation, or MIRROR."""
    title: str
    tooltip: str
    media: tuple[str, ...]
    """The media that can be varied in this way, as in FolderExamined.medium."""
    strengths: tuple[tuple[float, str], ...]
    """Each strength with its name for the user, none first."""


MIRROR = "mirror"
"""The key of the variation that belongs to the training's plan."""
COLOUR_VARIATION = "colour"
"""The key of the variation that a palette does not have."""
_OFF = (0, "Off")
VARIATIONS = (
    Variation(MIRROR, "Mirror", "Use every second one mirrored", ("pictures", "cycles"), (_OFF, (1, "On"))),
    Variation(
        "shift", "Shift", "Move pictures at random by up to this much", ("pictures",),
        (_OFF, (1, "1 pixel"), (2, "2 pixels"), (4, "4 pixels"), (8, "8 pixels")),
    ),
    Variation("quarter_turns", "Turn", "Use pictures turned by quarters at random", ("pictures",), (_OFF, (1, "On"))),
    Variation(
        COLOUR_VARIATION, "Colour", "Change brightness, contrast and colour strength at random", ("pictures",),
        (_OFF, (0.05, "5 %"), (0.1, "10 %"), (0.2, "20 %"), (0.4, "40 %")),
    ),
    Variation(
        "gain", "Quieter", "Make sounds quieter at random by up to this much", ("recordings",),
        (_OFF, (3, "3 dB"), (6, "6 dB"), (12, "12 dB"), (24, "24 dB")),
    ),
    Variation(
        "speed", "Speed", "Play sounds faster or slower at random by up to this much", ("recordings",),
        (_OFF, (0.02, "2 %"), (0.05, "5 %"), (0.1, "10 %"), (0.2, "20 %")),
    ),
    Variation(
        "noise", "Noise", "Add noise this far below each sound", ("recordings",),
        (_OFF, (60, "60 dB below"), (50, "50 dB below"), (40, "40 dB below"), (30, "30 dB below")),
    ),
    Variation(
        "fade", "Fade", "Let sounds fade in and out over up to this long", ("recordings",),
        (_OFF, (0.01, "10 ms"), (0.05, "50 ms"), (0.2, "0.2 s"), (1, "1 s")),
    ),
)  # fmt: skip


class PreparationSettings(State):
    """Holds the options of preparation and variation. The size and the colours belong to the model's settings."""

    def __init__(self, change: ChangeStep, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._change = change
        self.fitting: Value[Fitting] = Value("crop", self)
        self.ground: Value[Colour] = Value(WHITE, self)
        """The colour behind transparent pictures and of margins."""
        self.rate: Value[int] = Value(USUAL_RATE, self)
        """Hz of recordings."""
        self.trims_silence: Value[bool] = Value(False, self)
        self.clip_seconds: Value[float] = Value(0.0, self)
        self.peak: Value[float] = Value(0.0, self)
        self.are_cycles: Value[bool] = Value(False, self)
        """Whether sounds are single cycles of waves instead of recordings."""
        self.has_classes: Value[bool] = Value(False, self)
        """Whether sub-folders are classes."""
        self.strengths: Value[dict[str, float]] = Value({}, self)
        """The strength of each variation that is on, by its key."""

    @property
    def fields(self) -> Fields:  # type: ignore[override]
        """Return the fields of the panel's table."""
        return (
            Field("fitting", self.fitting.get, lambda fitting: self.fitting.set(one_of(FITTINGS, fitting))),
            Field("ground", lambda: list(self.ground.get()), lambda colour: self.ground.set(_checked_colour(colour))),
            Field("rate", self.rate.get, lambda rate: self.rate.set(one_of(RATES, rate))),
            Field.of("trims_silence", self.trims_silence, bool),
            Field("clip_seconds", self.clip_seconds.get, lambda s: self.clip_seconds.set(one_of(CLIP_SECONDS, s))),
            Field("peak", self.peak.get, lambda peak: self.peak.set(one_of(PEAKS, peak))),
            Field.of("are_cycles", self.are_cycles, bool),
            Field.of("has_classes", self.has_classes, bool),
            Field("strengths", self.strengths.get, lambda strengths: self.strengths.set(_checked(strengths))),
        )

    # ── changes by the user ──────────────────────────────────────────────────────────────────────

    def choose_fitting(self, fitting: str) -> None:
        self._change("cut", fitting=fitting)

    def choose_ground(self, colour: Iterable[int]) -> None:
        self._change("background", ground=list(colour))

    def choose_rate(self, rate: int) -> None:
        self._change("rate", rate=rate, start_model="")

    def set_trims_silence(self, on: bool) -> None:
        self._change("silence", trims_silence=on)

    def choose_clip_seconds(self, seconds: float) -> None:
        self._change("length", clip_seconds=seconds)

    def choose_peak(self, peak: float) -> None:
        self._change("loudness", peak=peak)

    def set_cycles(self, on: bool) -> None:
        self._change("sounds", are_cycles=on, start_model="")

    def choose_strength(self, key: str, strength: float) -> None:
        """Set the strength of a variation; 0 turns it off."""
        others = {other: value for other, value in self.strengths.get().items() if other != key}
        title = next(variation.title for variation in VARIATIONS if variation.key == key)
        self._change(title.lower(), strengths={**others, key: strength} if strength else others)

    # ── for the engine ───────────────────────────────────────────────────────────────────────────

    def as_record(self) -> dict[str, Any]:
        """Return the options as commands to the engine take them, without excluded files."""
        return {
            "fitting": self.fitting.get(),
            "ground": list(self.ground.get()),
            "folders_as_classes": self.has_classes.get(),
            "trim_silence": self.trims_silence.get(),
            "clip_seconds": self.clip_seconds.get(),
            "peak": self.peak.get(),
        }

    def variations_of(self, medium: str) -> list[Variation]:
        """Return the variations of a medium that are on."""
        strengths = self.strengths.get()
        return [each for each in VARIATIONS if medium in each.media and each.key in strengths]

    def augmentation_of(self, variations: Iterable[Variation]) -> dict[str, Any]:
        """Return variations as commands to the engine take them. The mirror belongs to the plan."""
        strengths = self.strengths.get()
        keys = [variation.key for variation in variations if variation.key != MIRROR]
        return {key: bool(strengths[key]) if key == "quarter_turns" else strengths[key] for key in keys}


def _checked_colour(stored: Any) -> Colour:
    """Return a stored colour. Raises ValueError or TypeError."""
    red, green, blue = (one_of(range(256), level) for level in stored)
    return red, green, blue


def _checked(stored: Any) -> dict[str, float]:
    """Return stored strengths. Raises KeyError or ValueError if one is none of the choices."""
    choices = {variation.key: [strength for strength, _ in variation.strengths] for variation in VARIATIONS}
    return {key: one_of(choices[key], strength) for key, strength in dict(stored).items()}
