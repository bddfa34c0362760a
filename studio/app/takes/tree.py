"""Finds the tree of takes, and describes it in words."""

from collections.abc import Sequence

from studio.app.core.colours import colour_name
from studio.app.core.text import group_digits, timecode
from studio.app.takes.store import Take
from studio.library.work import Work

Parents = tuple[int | None, ...]


def find_parents(takes: Sequence[Take]) -> Parents:
    """Return the place of each take's nearest kept ancestor; None if it has none.

    There is no circle: a take cannot come from a later one.
    """
    places = {take.key: place for place, take in reversed(list(enumerate(takes)))}
    return tuple(
        next((at for key in take.work.came_from if (at := places.get(key, place)) < place), None)
        for place, take in enumerate(takes)
    )


def path_to_root(up: Parents, place: int) -> tuple[int, ...]:
    """Return the places from a take to its root, both included."""
    path = [place]
    while (parent := up[path[-1]]) is not None:
        path.append(parent)
    return tuple(path)


def origin_of(takes: Sequence[Take], above: Work, work: Work) -> Work:
    """Return the artwork that a branch from a row really comes from.

    If all rows kept from `above` were already kept from one of its ancestors, the branch comes from that ancestor.
    """
    known = {take.key: take.work for take in takes}
    while above.rewound is not None and work.rewound is not None and work.rewound.row <= above.rewound.row:
        if not above.came_from or above.came_from[0] not in known:
            break
        above = known[above.came_from[0]]
    return above


def take_caption(take: Take, parent: Take | None) -> str:
    """Return what distinguishes a take: its name, its start, or its changes since its parent."""
    return take.work.name or ", ".join(_changes(take.work, parent.work if parent is not None else None))


def take_title(takes: Sequence[Take], up: Parents, place: int) -> str:
    """Return the title of a take.

    Example: `Take 4, from take 2 at row 17`, with its name if it has one.
    """
    work = takes[place].work
    above = up[place]
    name = f", {work.name}" if work.name else ""
    if above is None:
        return f"Take {place + 1}{name}"
    row = f" at row {work.rewound.row}" if work.rewound is not None else ""
    row = f" at {timecode(work.heard / work.rate)}" if work.rate and work.heard else row
    return f"Take {place + 1}{name}, from take {above + 1}{row}"


def accessible_text(takes: Sequence[Take], up: Parents, place: int, chosen: bool) -> str:
    """Describe a take for screen readers.

    Example: `Take 4, from take 2 at row 17, level 2, chosen`.
    """
    work = takes[place].work
    start = f"from {work.source}" if work.source else f"seed {work.seed}"
    more = start if up[place] is None else f"level {len(path_to_root(up, place))}"
    return f"{take_title(takes, up, place)}, {more}{', chosen' if chosen else ''}"


def _changes(work: Work, parent: Work | None) -> list[str]:
    changes = []
    if work.rewound is not None:
        changes.append(f"row {work.rewound.row}{_imposed_text(work)}")
    elif work.rate and work.heard and parent is not None:
        changes.append(f"from {timecode(work.heard / work.rate)}")
    elif parent is None:
        start = f"from {work.source}" if work.source else f"start, seed {group_digits(work.seed)}"
        return [start, *_mix_text(work)]
    if parent is not None and work.model != parent.model:
        changes.append(work.model)
    if (work.rewound is not None or work.rate) and (parent is None or work.seed != parent.seed):
        changes.append(f"seed {group_digits(work.seed)}")
    if parent is not None and work.temperature != parent.temperature:
        changes.append("temperature " + " · ".join(f"{temperature:.2f}" for temperature in work.temperature))
    if parent is not None and work.sliders != parent.sliders:
        count = max(len(work.sliders), len(parent.sliders))
        one, other = (tuple(each.sliders) + (0.0,) * (count - len(each.sliders)) for each in (work, parent))
        moved = sum(abs(a - b) > 5e-4 for a, b in zip(one, other, strict=True))
        changes += [f"{moved} slider{'s' if moved > 1 else ''} moved"] if moved else []
    if parent is not None and work.mix != parent.mix:
        changes += _mix_text(work) or ["no mix"]
    return changes or [f"seed {group_digits(work.seed)}"]


def _mix_text(work: Work) -> list[str]:
    return [f"mix with {work.mix.model} {work.mix.share:.0%}".replace("%", " %")] if work.mix is not None else []


def _imposed_text(work: Work) -> str:
    imposed = work.rewound.imposed if work.rewound is not None else ()
    if len(imposed) == 1:
        return f", one pixel {colour_name(imposed[0].colour)}"
    return f", {len(imposed)} pixels" if imposed else ""
