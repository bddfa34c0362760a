"""The shipped models do what the window promises."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from studio import zoo
from studio.engine.device import choose_device
from studio.engine.generation import sampling
from studio.engine.jobs import JobStarter
from studio.engine.levels import to_arrays, to_levels
from studio.library import models
from studio.library.models import InstalledModel
from studio.wire import messages as wire
from tests.shipped import MODEL_FILES

EXACT = ("glow", "nice", "realnvp", "maf-mnist-28", "iaf-mnist-28")
"""Families whose couplings bring back any picture, and models with a latent that does, once others of it are tried.
What a MAF says of a pixel can rest on hundreds before it, so that float64 alone does not hold a picture unlike all that
it learned, such as white paper of a model of digits."""


@pytest.fixture(scope="module", params=("cpu", *(("cuda",) if torch.cuda.is_available() else ())))
def jobs(request: pytest.FixtureRequest) -> JobStarter:
    return JobStarter(choose_device(request.param))


@pytest.fixture(params=MODEL_FILES, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> InstalledModel:
    return models.find_model(str(request.param))


def asked(jobs: JobStarter, command: wire.AnyCommand) -> list[wire.AnyEvent]:
    return [event for event in jobs.start(command) if event is not None]


def odd_pictures(shape: tuple[int, ...], *, together: bool) -> dict[str, np.ndarray]:
    """Return pictures that no model was trained on, or one picture with a quarter of each."""
    channels, height, width = shape
    size = (height, width, channels)
    board = np.indices((height, width)).sum(0) % 2 * 255
    found = {
        "black": np.zeros(size, np.uint8),
        "white": np.full(size, 255, np.uint8),
        "checkerboard": np.repeat(board[..., None], channels, 2).astype(np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8),
    }
    if not together:
        return found
    rows, columns = np.indices((height, width)) * 2 // np.array([height, width])[:, None, None]
    return {"all four": np.choose((2 * rows + columns)[..., None], list(found.values()))}


def test_odd_pictures_decode_back_or_the_difference_is_reported(shipped: InstalledModel, jobs: JobStarter) -> None:
    card = shipped.card
    if card.medium != "picture" or not zoo.recipe_from_fields(card.recipe).build(card.shape, card.levels).invertible:
        pytest.skip("only where an artwork has a latent of its own size")
    for name, picture in odd_pictures(card.shown_shape, together=card.can_inpaint).items():
        (found,) = asked(jobs, wire.Encode(job="a", model=card.name, picture=picture))
        assert isinstance(found, wire.Encoded)
        assert found.exact or not {card.family, card.name} & set(EXACT), name
        (shown,) = asked(jobs, wire.DecodeLatent(job="b", model=card.name, latent=found.latent, label=found.label))
        assert isinstance(shown, wire.Decoded)
        known = to_arrays(to_levels(picture[None], card.shape, card.levels, card.palette), card.levels, card.palette)[0]
        assert found.differing == np.count_nonzero(shown.picture != known), name


@pytest.mark.parametrize("seed", range(3))
def test_a_square_on_white_decodes_back_with_a_model_of_digits(seed: int, jobs: JobStarter) -> None:
    generator = np.random.default_rng(seed)
    row, column = generator.integers(0, 22, 2)
    side = generator.integers(2, 12)
    paper = np.full((28, 28, 1), 255, np.uint8)
    paper[row : row + side, column : column + side] = generator.integers(0, 200)
    (found,) = asked(jobs, wire.Encode(job="a", model="maf-mnist-28", picture=paper))
    assert isinstance(found, wire.Encoded) and (found.exact, found.differing) == (True, 0)
    (shown,) = asked(jobs, wire.DecodeLatent(job="b", model="maf-mnist-28", latent=found.latent, label=found.label))
    assert isinstance(shown, wire.Decoded) and np.array_equal(shown.picture, paper)


def test_a_seed_is_one_artwork_alone_and_among_others(shipped: InstalledModel, jobs: JobStarter) -> None:
    name, heat = shipped.card.name, (shipped.card.temperature,)
    seeds = tuple(range(2 if shipped.card.can_inpaint else 8))  # what is drawn entry by entry takes seconds each
    many = asked(jobs, wire.Sample(job="a", model=name, seeds=seeds, temperature=heat))
    (one,) = asked(jobs, wire.DecodeLatent(job="b", model=name, seed=seeds[-1], temperature=heat))
    last = many[-1]
    assert isinstance(last, wire.PicturesPreview)
    assert isinstance(one, wire.Decoded)
    assert last.log_prob is not None
    assert np.isfinite(last.log_prob).all()
    assert np.array_equal(last.pictures[-1], one.picture)


def steps_apart(frames: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """Return root mean square differences of last and first, and of neighbours, as shares of full scale."""
    scale = 255 if frames[0].dtype == np.uint8 else 65535
    wide = [frame.astype(float) / scale for frame in frames]
    apart = [float(np.sqrt(((b - a) ** 2).mean())) for a, b in zip(wide, wide[1:], strict=False)]
    return float(np.sqrt(((wide[-1] - wide[0]) ** 2).mean())), np.array(apart)


def test_the_first_sliders_change_the_artwork_visibly_and_smoothly(shipped: InstalledModel, jobs: JobStarter) -> None:
    loaded: sampling.LoadedModel = jobs.model_cache.get_model(shipped.card.name)
    if loaded.model.can_inpaint:
        pytest.skip("what draws entry by entry has no directions")
    assert len(loaded.card.directions) == len(loaded.directions) >= 8
    name = shipped.card.name
    heat = (shipped.card.temperature,)
    for slider in range(2):
        frames = []
        for value in np.linspace(-3, 3, 25):
            moved = (*[0.0] * slider, float(value))
            (shown,) = asked(jobs, wire.DecodeLatent(job="a", model=name, seed=3, sliders=moved, temperature=heat))
            assert isinstance(shown, wire.Decoded)
            frames.append(shown.picture)
        whole, apart = steps_apart(frames)
        assert whole > 0.03, f"slider {slider + 1} is not seen"
        assert apart.max() < 0.2, f"slider {slider + 1} jumps"
