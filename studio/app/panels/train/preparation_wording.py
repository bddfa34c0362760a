"""Writes the sentences about how files are prepared, varied and divided into classes."""

from studio.app.panels.train.folder import FolderScan
from studio.app.panels.train.preparation import PreparationSettings, Variation

FITTING_WORDS = {"crop": "Middle", "fit": "Squeezed", "pad": "Whole, with margins"}
MOST_NAMED = 3
"""The most classes that are named."""


def rate_text(rate: int) -> str:
    """Return `16 kHz` or `22.05 kHz`."""
    return f"{rate / 1000:g} kHz"


def seconds_text(seconds: float) -> str:
    """Return `10 seconds`, `1 minute` or `5 minutes`."""
    number, unit = (seconds, "second") if seconds < 60 else (seconds / 60, "minute")
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def colours_text(grey: bool, palette_size: int) -> str:
    """Return `colour`, `grey` or `palette of 16`."""
    if palette_size:
        return f"palette of {palette_size}"
    return "grey" if grey else "colour"


def picture_text(preparation: PreparationSettings, size: tuple[int, int], colours: str) -> str:
    """Return `Middle, 32 × 32, colour, turned upright`."""
    fitting = FITTING_WORDS[preparation.fitting.get()]
    return f"{fitting}, {size[0]} × {size[1]}, {colours}, turned upright"


def recording_text(preparation: PreparationSettings, rate: int) -> str:
    """Return `16 kHz, mono, silence trimmed, the first 5 seconds, one peak`."""
    parts = [rate_text(rate), "mono"]
    if preparation.trims_silence.get():
        parts.append("silence trimmed")
    if seconds := preparation.clip_seconds.get():
        parts.append(f"the first {seconds_text(seconds)}")
    if preparation.peak.get():
        parts.append("one peak")
    return ", ".join(parts)


def variation_text(variations: list[Variation], strengths: dict[str, float]) -> str:
    """Return `Varied at random: mirror, shift 2 pixels`, or that nothing is varied."""
    if not variations:
        return "Not varied"
    words = []
    for variation in variations:
        name = dict(variation.strengths)[strengths[variation.key]]
        words.append(variation.title.lower() + ("" if name == "On" else f" {name}"))
    return f"Varied at random: {', '.join(words)}"


def classes_text(folder: FolderScan, has_classes: bool) -> str:
    """Return how many classes there are or could be, and the number of artworks in the largest."""
    report = folder.report.get()
    if report is None:
        return ""
    if not has_classes:
        return f"{report.sub_folders:,} sub-folders can be classes."
    counts = folder.class_counts
    if not counts:
        return "The classes are being counted."
    largest = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{name} {count:,}" for name, count in largest[:MOST_NAMED])
    return f"{len(counts):,} classes: {named}{' …' if len(counts) > MOST_NAMED else ''}"
