"""The naive way is counted in passes of a network. No test asks how long a pass takes."""

import pytest

from studio import zoo
from studio.engine import benchmark


@pytest.fixture(autouse=True)
def a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every pass count as one second."""
    monkeypatch.setattr(benchmark, "_time_once", lambda act: float(act() is not None))


def found(
    recipe: zoo.Recipe, shape: tuple[int, ...], levels: int = 256, count: int = 2, rate: int = 0
) -> benchmark.SpeedReport:
    model = recipe.build(shape, levels).eval().requires_grad_(False)
    zoo.fold(model)
    return benchmark.measure_speed(model, count, rate)


def test_pictures_drawn_pixel_by_pixel_need_a_pass_for_every_step() -> None:
    by_net = found(zoo.pixelcnn.PRESETS["tiny"], (3, 4, 8), 4)
    assert by_net.naive_seconds == 3 * 4 * 8, "each colour is a step of its own"
    assert by_net.first_seconds is not None
    assert 0 < by_net.first_seconds <= by_net.total_seconds
    assert found(zoo.pixelcnn_pp.PRESETS["tiny"], (3, 4, 8)).naive_seconds == 4 * 8, (
        "a pixel's colours come of one step"
    )


def test_only_layers_inverted_for_sampling_need_a_pass_for_every_entry() -> None:
    maf = found(zoo.maf.MAF(layers=3, hidden=(16,)), (1, 4, 4))
    assert maf.naive_seconds is not None
    assert maf.naive_seconds >= 3 * 16
    assert maf.naive_seconds % 16 == 0
    assert found(zoo.iaf.IAF(layers=3, hidden=(16,)), (1, 4, 4)).naive_seconds is None
    assert found(zoo.realnvp.PRESETS["tiny"], (3, 8, 8)).naive_seconds is None


def test_the_speed_of_recordings_is_measured_for_a_second() -> None:
    sound = found(zoo.wavenet.PRESETS["tiny"], (1000,), count=1, rate=8000)
    assert (sound.naive_seconds, sound.first_seconds) == (8000, None)
    assert sound.total_seconds > 0
