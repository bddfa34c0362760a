"""Pictures that look alike are grouped, and pictures unlike the others are found."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.media.similarity import LEAST, LikenessIndex

PACK = Path(__file__).parents[2] / "../shared/data/packs/flowers64.npz"
needs_pack = pytest.mark.skipif(not PACK.is_file(), reason="the photographs of flowers are not here")


def scene(seed: int) -> np.ndarray:
    """Draw a picture (64, 64, 3) of five soft blobs."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    picture = np.zeros((64, 64, 3)) + generator.uniform(0, 80, 3)
    for _ in range(5):
        row, column = generator.uniform(0, 64, 2)
        blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / generator.uniform(50, 300))
        picture += blob[..., None] * generator.uniform(0, 175, 3)
    return picture.clip(0, 255).astype(np.uint8)


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def halved(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((32, 32)).resize((64, 64)))


def index_of(pictures: list[np.ndarray]) -> LikenessIndex:
    index = LikenessIndex()
    for number, picture in enumerate(pictures):
        index.add(number, picture)
    return index


def groups(pictures: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [group for group in index_of(pictures).find_alike() if group is not None]


def test_copies_that_were_saved_again_are_alike_and_others_are_not() -> None:
    scenes = [scene(seed) for seed in range(40)]
    assert groups(scenes) == []
    copies = [as_jpeg(scenes[3], 40), halved(scenes[7]), as_jpeg(halved(scenes[3]), 60)]
    assert groups([*scenes, *copies]) == [(3, 40, 42), (7, 41)]


def test_plain_colours_are_alike_only_if_they_are_nearly_the_same() -> None:
    plain = [np.full((64, 64, 3), colour, np.uint8) for colour in (0, 3, 200, 255)]
    assert groups(plain) == [(0, 1)]


def test_a_thousand_equal_pictures_are_one_group() -> None:
    (group,) = groups([scene(0)] * 1000)
    assert group == tuple(range(1000))


def test_pictures_unlike_the_others_are_named_the_strangest_first() -> None:
    night = [(scene(seed) // 4).astype(np.uint8) for seed in range(60)]
    night[17] = np.full((64, 64, 3), 255, np.uint8)
    night[40] = (scene(40) // 2 + 100).astype(np.uint8)
    assert index_of(night).find_odd() == (17, 40)


def test_no_picture_is_odd_among_equals_or_among_few() -> None:
    assert index_of([scene(0)] * 50).find_odd() == ()
    few = [np.zeros((64, 64, 3), np.uint8)] * (LEAST - 2) + [scene(1)]
    assert index_of(few).find_odd() == ()


@needs_pack
def test_the_figures_for_photographs_are_as_documented() -> None:
    with np.load(PACK) as pack:
        photographs = list(pack["train_x"][:200])
    assert groups(photographs) == []
    for copies, least in (
        ([as_jpeg(each, 40) for each in photographs], 0.99),
        ([halved(each) for each in photographs], 0.99),
    ):
        found = groups([*photographs, *copies])
        assert sum((number, number + 200) in found for number in range(200)) >= least * 200
