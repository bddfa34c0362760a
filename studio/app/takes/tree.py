"""Arranges takes as a tree by their ancestors, and describes them for the user."""

from collections.abc import Sequence

from studio.app.core.artwork import Artwork
from studio.app.core.colours import colour_name
from studio.app.core.text import group_digits, timecode
from studio.library.work import Work

Parents = tuple[int | None, ...]


def find_parents(takes: Sequence[Artwork]) -> Parents:
    """Return the place of each take's nearest ancestor; None if none is here.

    Only earlier takes count, so there are no cycles.
    """
    places = {take.key: place for place, take in reversed(list(enumerate(takes)))}
    return tuple(
        next((at for key in take.work.ancestors if (at := places.get(key, place)) < place), None)
        for place, take in enumerate(takes)
    )


def path_to_root(up: Parents, place: int) -> tuple[int, ...]:
    """Return the places from a take to its root, including both."""
    found = [place]
    while (above := up[found[-1]]) is not None:
        found.append(above)
    return tuple(found)


def origin_of(takes: Sequence[Artwork], above: Work, work: Work) -> Work:
    """Return the work from which the kept rows of a redrawn picture really come.

    If its parent took all of these rows from an earlier work, that is the earlier work.
    """
    known = {take.key: take.work for take in takes}
    while above.redrawn is not None and work.redrawn is not None and work.redrawn.row <= above.redrawn.row:
        if not above.ancestors or above.ancestors[0] not in known:
            break
        above = known[above.ancestors[0]]
    return above


def take_caption(take: Artwork, parent: Artwork | None) -> str:
    """Return a take's name; without one, where it began, or its changes since its parent."""
    return take.work.name or ", ".join(_changes(take.work, parent.work if parent is not None else None))


def take_title(takes: Sequence[Artwork], up: Parents, place: int) -> str:
    """Return `Take 4, from take 2 at row 17`, with its name if it has one."""
    work = takes[place].work
    above = up[place]
    name = f", {work.name}" if work.name else ""
    if above is None:
        return f"Take {place + 1}{name}"
    row = f" at row {work.redrawn.row}" if work.redrawn is not None else ""
    row = (
        f" at {timecode(work.continued_samples / work.sample_rate)}"
        if work.sample_rate and work.continued_samples
        else row
    )
    return f"Take {place + 1}{name}, from take {above + 1}{row}"


def accessible_text(takes: Sequence[Artwork], up: Parents, place: int, chosen: bool) -> str:
    """Return the text for screen readers: `Take 4, from take 2 at row 17, level 2, chosen`."""
    work = takes[place].work
    start = f"from {work.source}" if work.source else f"seed {work.seed}"
    more = start if up[place] is None else f"level {len(path_to_root(up, place))}"
    return f"{take_title(takes, up, place)}, {more}{', chosen' if chosen else ''}"


def _changes(work: Work, parent: Work | None) -> list[str]:
    found = []
    if work.redrawn is not None:
        found.append(f"row {work.redrawn.row}{_imposed_text(work)}")
    elif work.sample_rate and work.continued_samples and parent is not None:
        found.append(f"from {timecode(work.continued_samples / work.sample_rate)}")
    elif parent is None:
        start = f"from {work.source}" if work.source else f"start, seed {group_digits(work.seed)}"
        return [start, *_mix_text(work), *filter(None, [work.sharpening_text])]
    if parent is not None and work.model != parent.model:
        found.append(work.model)
    if (work.redrawn is not None or work.sample_rate) and (parent is None or work.seed != parent.seed):
        found.append(f"seed {group_digits(work.seed)}")
    if parent is not None and work.temperature != parent.temperature:
        found.append("temperature " + " · ".join(f"{heat:.2f}" for heat in work.temperature))
    if parent is not None and work.sliders != parent.sliders:
        count = max(len(work.sliders), len(parent.sliders))
        one, other = (tuple(each.sliders) + (0.0,) * (count - len(each.sliders)) for each in (work, parent))
        moved = sum(abs(a - b) > 5e-4 for a, b in zip(one, other, strict=True))
        if moved:
            found.append(f"{moved} slider{'s' if moved > 1 else ''} moved")
    if parent is not None and work.mix != parent.mix:
        found += _mix_text(work) or ["no mix"]
    if parent is not None and work.sharpening_text != parent.sharpening_text:
        found.append(work.sharpening_text or "not sharpened")
    return found or [f"seed {group_digits(work.seed)}"]


def _mix_text(work: Work) -> list[str]:
    return [f"mix with {work.mix.model} {work.mix.share:.0%}".replace("%", " %")] if work.mix is not None else []


def _imposed_text(work: Work) -> str:
    imposed = work.redrawn.fixed_pixels if work.redrawn is not None else ()
    if len(imposed) == 1:
        return f", one pixel {colour_name(imposed[0].colour)}"
    return f", {len(imposed)} pixels" if imposed else ""
