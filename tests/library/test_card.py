"""A card states how many of a hundred held-out artworks are less typical."""

import msgspec
import pytest

from studio.library import card as cards
from tests.app.fake_model import make_card


@pytest.mark.parametrize(
    ("bits", "percentile"),
    [(0.5, 100.0), (1.0, 100.0), (1.5, 75.0), (2.0, 50.0), (3.0, 25.0), (4.0, 0.0), (9.0, 0.0)],
)
def test_a_score_has_its_percentile_among_held_out_artworks(bits: float, percentile: float) -> None:
    known = msgspec.structs.replace(make_card(), bits_quantiles=(1.0, 2.0, 4.0))
    assert known.strangeness_percentile(bits) == percentile
    assert cards.card_from_json(cards.card_to_json(known)) == known


def test_equal_bits_are_one_step() -> None:
    known = msgspec.structs.replace(make_card(), bits_quantiles=(1.0, 2.0, 2.0, 2.0, 3.0))
    assert known.strangeness_percentile(2.0) == 25.0


def test_an_older_card_has_no_percentile() -> None:
    plain = msgspec.json.decode(cards.card_to_json(make_card()))
    del plain["bits_quantiles"]
    assert cards.card_from_json(msgspec.json.encode(plain)).strangeness_percentile(1.0) is None


def test_classes_of_two_groups_are_separated() -> None:
    names = ("0 ann", "0 bob", "1 ann", "1 bob", "2 ann", "2 bob")
    known = msgspec.structs.replace(make_card(), classes=names, label_columns=("label", "speaker"))
    assert known.class_groups == (("Class", ("0", "1", "2")), ("Speaker", ("ann", "bob")))
    odd = msgspec.structs.replace(known, classes=("hihat closed", "hihat open", "kick"))
    assert odd.class_groups == (("Class", odd.classes),)
    assert make_card().class_groups == ()
