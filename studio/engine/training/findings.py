"""Write the sentences about a folder that the user should read before a training."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from studio.media.dataset import MIN_LEARNED
from studio.media.folder_scan import FileOutcome
from studio.wire import messages as wire

ENOUGH_PICTURES = 50
"""Pictures with which a model can be expected to learn, as the window says."""
ENOUGH_SECONDS = 600.0
"""The same for recordings."""
FEW_OF_CLASS = 20
"""Artworks of a class below which it is called small."""
MOST_NAMED = 3
"""The most small classes that a sentence names."""
Medium = Literal["pictures", "recordings", "cycles"]
_ONE = {"pictures": "picture", "recordings": "sound", "cycles": "wave"}
_MANY = {"pictures": "pictures", "recordings": "sounds", "cycles": "waves"}


@dataclass
class FolderCounts:
    """Counts the files of a folder by their outcomes."""

    medium: Medium
    outcomes: Counter[FileOutcome] = field(default_factory=Counter)
    excluded: int = 0
    unsuited: int = 0
    """Files that can be read but contain nothing to learn."""
    unclassed: int = 0
    """Files that lie in no sub-folder, if sub-folders are classes."""
    seconds: float = 0.0
    """Seconds of all recordings that are used."""
    classes: Counter[str] = field(default_factory=Counter)
    """Artworks of each class, if sub-folders are classes."""
    alike: int = 0
    odd: int = 0
    texts: int = 0
    """Texts beside the files of shards, which are not learned."""
    is_opening: bool = False
    """Whether shards hold more than was looked at."""
    first_reason: str = ""
    """The reason why the first unused file is not used, as a part of a sentence that names it."""

    @property
    def files(self) -> int:
        """Return the number of all files."""
        return self.outcomes.total()

    @property
    def used(self) -> int:
        """Return the number of files that are used."""
        return self.outcomes["used"] + self.outcomes["damaged"]

    @property
    def needed(self) -> int:
        """Return the least artworks that a training accepts."""
        return 1 if self.medium == "recordings" else MIN_LEARNED + 1


def find_out(counts: FolderCounts) -> tuple[wire.Finding, ...]:
    """Return the findings about a folder, those that stop a training first."""
    weights = ("stop", "warning", "note")
    return tuple(sorted(_findings(counts), key=lambda finding: weights.index(finding.weight)))


def _findings(counts: FolderCounts) -> Iterator[wire.Finding]:
    yield from _usable(counts)
    files = counts.files
    skipped = counts.outcomes["skipped"]
    if skipped and counts.used:
        yield _finding("unusable", "warning", skipped, files, f"{_of(skipped, files)} cannot be used.")
    if counts.unsuited and counts.used:
        sentence = f"{_of(counts.unsuited, files)} {_have(counts.unsuited)} nothing to learn from."
        yield _finding("unusable", "warning", counts.unsuited, files, sentence)
    if counts.unclassed and counts.used:
        are = "is" if counts.unclassed == 1 else "are"
        sentence = f"{_of(counts.unclassed, files)} {are} in no sub-folder and not used."
        yield _finding("unusable", "warning", counts.unclassed, files, sentence)
    if damaged := counts.outcomes["damaged"]:
        are = "is" if damaged == 1 else "are"
        yield _finding("damaged", "note", damaged, files, f"{_of(damaged, files)} {are} damaged, but used.")
    if copies := counts.outcomes["duplicate"]:
        words = "is a copy of another" if copies == 1 else "are copies of others"
        yield _finding("duplicates", "note", copies, files, f"{_of(copies, files)} {words} and not used.")
    if counts.excluded:
        sentence = f"You excluded {_of(counts.excluded, files)}."
        yield _finding("excluded", "note", counts.excluded, files, sentence)
    if counts.alike:
        verb = "sound" if counts.medium == "recordings" else "look"
        yield _finding("alike", "note", counts.alike, counts.used, f"{counts.alike:,} {verb} alike.")
    if counts.odd:
        verb = "is" if counts.odd == 1 else "are"
        yield _finding("odd", "note", counts.odd, counts.used, f"{counts.odd:,} {verb} very unlike the others.")
    if counts.texts:
        are = "text is" if counts.texts == 1 else "texts are"
        yield _finding("texts", "note", counts.texts, counts.texts, f"{counts.texts:,} {are} not learned.")
    if counts.is_opening:
        sentence = f"These are the first {counts.files:,} files. Training reads the others as it learns."
        yield _finding("stream", "note", counts.files, counts.files, sentence)
    yield from _small_classes(counts)


def _usable(counts: FolderCounts) -> Iterator[wire.Finding]:
    """State whether there is enough to learn from."""
    used = counts.used
    one, many = _ONE[counts.medium], _MANY[counts.medium]
    if used == 0:
        why = f" The first: {counts.first_reason}." if counts.first_reason else ""
        what = f"None of {counts.files:,} files can be used." if counts.files else "The folder is empty."
        yield _finding("too_few", "stop", 0, counts.files, f"{what}{why}")
    elif used == 1 and counts.outcomes["duplicate"]:
        weight: Literal["stop", "warning"] = "stop" if counts.needed > 1 else "warning"
        yield _finding("same", weight, counts.outcomes["duplicate"] + 1, counts.files, f"All {many} are the same.")
    elif used < counts.needed:
        is_few = "1 " + one + " is" if used == 1 else f"{used} {many} are"
        yield _finding("too_few", "stop", used, counts.files, f"{is_few} too few. At least {counts.needed} are needed.")
    elif counts.medium == "recordings" and counts.seconds < ENOUGH_SECONDS:
        sentence = f"{_duration(counts.seconds)} of sound is little. 10 minutes are better."
        yield _finding("few", "warning", used, counts.files, sentence)
    elif counts.medium != "recordings" and used < ENOUGH_PICTURES:
        yield _finding(
            "few", "warning", used, counts.files, f"{used} {many} are few. A model needs about {ENOUGH_PICTURES}."
        )
    else:
        yield _finding("ready", "note", used, counts.files, f"{used:,} {many} are ready.")


def _small_classes(counts: FolderCounts) -> Iterator[wire.Finding]:
    """State which classes have too few artworks."""
    if not counts.classes:
        return
    total = len(counts.classes)
    small = sorted((number, name) for name, number in counts.classes.items() if number < FEW_OF_CLASS)
    empty = [name for number, name in small if number == 0]
    if empty:
        sentence = f'Class "{empty[0]}" has nothing to learn from. Fill it, or mix the sub-folders.'
        yield _finding("classes", "stop", len(empty), total, sentence)
    elif small:
        named = ", ".join(f'"{name}" {number}' for number, name in small[:MOST_NAMED])
        more = f" and {len(small) - MOST_NAMED:,} more" if len(small) > MOST_NAMED else ""
        yield _finding("classes", "warning", len(small), total, f"Too few for classes: {named}{more}.")


def _finding(
    kind: str, weight: Literal["note", "warning", "stop"], count: int, total: int, sentence: str
) -> wire.Finding:
    return wire.Finding(kind=kind, weight=weight, count=count, total=total, sentence=sentence)  # type: ignore[arg-type]


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} files"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
