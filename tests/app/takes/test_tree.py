"""Takes are described by their beginning, or by what was changed since their parent."""

import numpy as np
import pytest
from msgspec.structs import replace

from studio.app.takes import tree
from studio.app.takes.store import Take
from studio.library.work import ImposedPixel, ModelMixture, RedrawnFromRow, Work

ROOT = Work(model="tiles", model_hash="", seed=4112, temperature=(1.0,))


def take(work: Work, name: str = "000001.png") -> Take:
    return Take(np.zeros((8, 8, 3), np.uint8), work, name)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"temperature": (0.92,)}, "temperature 0.92"),
        ({"rewound": RedrawnFromRow(row=17)}, "row 17"),
        ({"rewound": RedrawnFromRow(row=17), "seed": 7}, "row 17, seed 7"),
        ({"rewound": RedrawnFromRow(row=17, imposed=(ImposedPixel(20, 3, (40, 90, 200)),))}, "row 17, one pixel blue"),
        ({"mix": ModelMixture(model="stickers", model_hash="", share=0.2)}, "mix with stickers 20 %"),
        ({"sliders": (0.0, 1.5)}, "1 slider moved"),
        ({"seed": 1_000}, "seed 1\N{NARROW NO-BREAK SPACE}000"),
        ({"name": "Crown", "seed": 7}, "Crown"),
    ],
)
def test_a_take_says_what_was_changed(changed: dict[str, object], words: str) -> None:
    assert tree.take_caption(take(replace(ROOT, **changed)), take(ROOT)) == words


def test_a_root_says_how_it_began() -> None:
    assert tree.take_caption(take(ROOT), None) == "start, seed 4\N{NARROW NO-BREAK SPACE}112"
    assert tree.take_caption(take(replace(ROOT, source="rose.jpg")), None) == "from rose.jpg"


def test_a_take_stands_below_its_nearest_kept_ancestor() -> None:
    """Whatever a file says, no take comes from itself or from a later one."""
    one = take(ROOT)
    two = take(replace(ROOT, seed=2, came_from=(ROOT.identity_hash,)))
    three = take(replace(ROOT, seed=3, came_from=(two.key, one.key)))
    assert tree.find_parents((one, two, three)) == (None, 0, 1)
    assert tree.find_parents((one, three)) == (None, 0)
    assert tree.find_parents((three, two, one)) == (None, None, None)
    assert tree.path_to_root((None, 0, 1), 2) == (2, 1, 0)
