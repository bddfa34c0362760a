"""An artwork without a class has the bits of the even mixture of classes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from studio import cli, zoo
from studio.engine.generation import inpainting
from studio.engine.jobs import JobStarter
from studio.library import models
from studio.wire import messages as wire


def test_the_mixture_of_two_classes_equals_a_calculation_by_hand() -> None:
    """Compute by hand: with p(x | A) = ½ · ½ and p(x | B) = ¼ · ⅛, the mixture gives 3/8 to each entry."""
    mixture = inpainting.ClassMixture()
    mixture.add_class(torch.tensor([1.0, 1.0]))
    mixture.add_class(torch.tensor([2.0, 3.0]))
    assert mixture.mixture_bits().tolist() == pytest.approx([-math.log2(3 / 8)] * 2)
    assert mixture.log_probs == pytest.approx([math.log(1 / 4), math.log(1 / 32)])


def test_the_bits_of_each_pixel_are_its_probability_given_those_before_it() -> None:
    """The mixture's probabilities sum to 1 over all values of the last entry drawn."""
    torch.manual_seed(0)
    recipe = zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8, classes=3)
    model = recipe.build((2, 3, 3), 4).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randint(0, 4, (1, 2, 3, 3), dtype=torch.uint8)
    total = 0.0
    for level in range(4):
        x[0, 1, 2, 2] = level
        mixture = inpainting.ClassMixture()
        for kind in range(3):
            with torch.no_grad():
                mixture.add_class(model.surprisal(x, torch.tensor([kind]))[0])
        total += 2 ** -float(mixture.mixture_bits()[1, 2, 2])
    assert total == pytest.approx(1)


@pytest.fixture
def picture(tmp_path: Path, rings: np.ndarray) -> Path:
    path = tmp_path / "one.png"
    Image.fromarray(rings[3, ::2, ::2, 0]).save(path)
    return path


def test_score_reports_the_mixture_and_the_likeliest_class(
    tiny_kinds: str, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    for label in ("Dark", "Light"):
        assert cli.main(["score", tiny_kinds, str(picture), "--label", label, "--json"]) == 0
        line = json.loads(capsys.readouterr().out)
        assert (line["label"], line["bits_per_dimension_given_label"]) == (label, line["bits_per_dimension"])
        given.append(line["bits_per_dimension"])
    assert cli.main(["score", tiny_kinds, str(picture), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    mixed = -math.log2(sum(2 ** (-16 * bits) for bits in given) / 2) / 16
    assert line["bits_per_dimension"] == pytest.approx(mixed, abs=1e-4)
    assert line["bits_per_dimension_given_label"] == pytest.approx(min(given), abs=1e-4)
    assert line["label"] == ("Dark", "Light")[given.index(min(given))]
    assert line["percentile"] == models.find_model(tiny_kinds).card.strangeness_percentile(
        line["bits_per_dimension_given_label"]
    )

    assert cli.main(["score", tiny_kinds, str(picture)]) == 0
    said = capsys.readouterr().out
    assert f"{mixed:.4f} bits per dimension, bound; {min(given):.4f} given {line['label']}, its likeliest class" in said
    assert cli.main(["score", tiny_kinds, str(picture), "--label", "Light"]) == 0
    assert f"{given[1]:.4f} bits per dimension given Light, bound" in capsys.readouterr().out


def test_the_map_sums_to_the_total_bits(tiny_kinds: str, tiny_recordings: str, rings: np.ndarray) -> None:
    from studio.engine.device import choose_device

    jobs = JobStarter(choose_device("cpu"))
    for model, artwork in (
        (tiny_kinds, rings[3, ::2, ::2, :1].copy()),
        (tiny_recordings, (np.arange(300) % 7 * 3000).astype(np.int16)),
    ):
        (found,) = (
            event
            for event in jobs.start(wire.Score(job="a", model=model, picture=artwork))
            if isinstance(event, wire.Scored)
        )
        assert found.log_prob_given_class is not None and found.label is not None
        assert float(found.bits.sum()) == pytest.approx(-found.log_prob / math.log(2), rel=1e-4)
        assert found.log_prob_given_class - math.log(2) - 1e-3 <= found.log_prob <= found.log_prob_given_class + 1e-3
