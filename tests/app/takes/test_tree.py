"""How takes are said: what each began with, or what was changed since the one it came from."""

import numpy as np
import pytest
from msgspec.structs import replace

from studio.app.core.artwork import Artwork
from studio.app.takes import tree
from studio.library.work import FixedPixel, ModelMixture, RedrawnFromRow, Work

ROOT = Work(model="tiles", model_hash="", seed=4112, temperature=(1.0,))


def take(work: Work, name: str = "000001.png") -> Artwork:
    return Artwork(np.zeros((8, 8, 3), np.uint8), work, name)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"temperature": (0.92,)}, "temperature 0.92"),
        ({"redrawn": RedrawnFromRow(row=17)}, "row 17"),
        ({"redrawn": RedrawnFromRow(row=17), "seed": 7}, "row 17, seed 7"),
        (
            {"redrawn": RedrawnFromRow(row=17, fixed_pixels=(FixedPixel(20, 3, (40, 90, 200)),))},
            "row 17, one pixel blue",
        ),
        ({"mix": ModelMixture(model="stickers", model_hash="", share=0.2)}, "mix with stickers 20 %"),
        ({"sliders": (0.0, 1.5)}, "1 slider moved"),
        ({"seed": 1_000}, "seed 1\N{NARROW NO-BREAK SPACE}000"),
        ({"name": "Crown", "seed": 7}, "Crown"),
    ],
)
def test_a_take_says_what_was_changed(changed: dict[str, object], words: str) -> None:
    assert tree.take_caption(take(replace(ROOT, **changed)), take(ROOT)) == words


def test_a_root_says_where_it_began() -> None:
    assert tree.take_caption(take(ROOT), None) == "start, seed 4\N{NARROW NO-BREAK SPACE}112"
    assert tree.take_caption(take(replace(ROOT, source="rose.jpg")), None) == "from rose.jpg"


def test_a_take_hangs_on_the_nearest_that_is_here() -> None:
    """Whatever files say, nothing comes from itself or from what was kept later."""
    one, two = take(ROOT), take(replace(ROOT, seed=2, ancestors=(ROOT.identity_hash,)))
    three = take(replace(ROOT, seed=3, ancestors=(two.key, one.key)))
    assert tree.find_parents((one, two, three)) == (None, 0, 1)
    assert tree.find_parents((one, three)) == (None, 0)
    assert tree.find_parents((three, two, one)) == (None, None, None)
    assert tree.path_to_root((None, 0, 1), 2) == (2, 1, 0)
