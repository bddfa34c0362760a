"""Each held-out figure equals a value computed by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from studio.density.autoregressive import Autoregressive
from studio.density.bijections.bijection import Bijection
from studio.density.bijections.linear import BatchNorm
from studio.density.conditional import BernoulliLevels as Bits
from studio.density.conditional import Categorical
from studio.density.decoder_likelihood import BernoulliLikelihood, DecoderLikelihood, LogisticLikelihood
from studio.density.flow import Flow
from studio.density.posterior import Posterior
from studio.density.variational import Variational
from studio.engine.events import result_of
from studio.engine.levels import TrainingExamples
from studio.engine.training import evaluation
from studio.engine.training.recordings import TrainingRecordings, bits_per_sample
from studio.zoo.maf import MAF
from studio.zoo.wavenet import WaveNet

FINE = 65_536
"""So many levels that the dequantising noise moves no figure by 0.001."""
TOLERANCE = 2e-4


class Shift(Bijection):
    """Computes z = h - c. Class 0 changes nothing, class 1 moves every entry by one."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        moved = torch.zeros(len(x)) if c is None else c.to(x)
        return x - moved.view(-1, 1, 1, 1), x.new_zeros(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        raise NotImplementedError


class Constant(nn.Module):
    """Gives every artwork of a class the same probability."""

    def __init__(self, *numbers: Tensor) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.stack(numbers))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        found: Tensor = self.numbers[c] if c is not None else self.numbers[0].expand(len(x), *self.numbers[0].shape)
        return found


def flow(alpha: float | None, classes: int = 0) -> Flow:
    model = Flow((1, 1, 1), FINE, Shift(), alpha, classes=classes)
    model.register_parameter("unused", nn.Parameter(torch.zeros(1)))  # defines the model's precision
    return model.double().eval()


def quarter(count: int = 1) -> Tensor:
    """Return artworks of one entry at a quarter of the range."""
    return torch.full((count, 1, 1, 1), FINE // 4, dtype=torch.int32)


def figures(model: Flow | Variational | Autoregressive, examples: TrainingExamples) -> dict[str, tuple[float, bool]]:
    return {name: (value, exact) for name, value, exact in evaluation.measure_figures(model, examples)}


def test_a_flow_with_a_logit_has_its_figures() -> None:
    # p = 0.05 + 0.9 · 0.25 = 0.275, h = ln(0.275 / 0.725) = -0.969401, ln N(h) = -0.969401² / 2 - 0.918939 = -1.388808
    # dh/dx = 0.9 / (0.275 · 0.725) / 65536, its logarithm 1.507209 - 11.090355 = -9.583146
    assert figures(flow(0.05), TrainingExamples(quarter())) == {
        "bits per dimension": (pytest.approx((1.388808 + 9.583146) / math.log(2), abs=TOLERANCE), False),
        "nats in logit space": (pytest.approx(-1.388808, abs=TOLERANCE), True),
    }


def test_a_flow_without_a_logit_has_its_figures() -> None:
    # h = 0.25 - 0.5, ln N(h) = -0.03125 - 0.918939 = -0.950189; dh/dx = 1 / 65536
    assert figures(flow(None), TrainingExamples(quarter())) == {
        "bits per dimension": (pytest.approx((0.950189 + 11.090355) / math.log(2), abs=TOLERANCE), False),
        "nats on [0, 1]": (pytest.approx(-0.950189, abs=TOLERANCE), True),
    }


def test_a_flow_of_two_classes_has_its_mixture_and_the_given_class() -> None:
    # Class 1: ln N(-1.969401) = -1.939270 - 0.918939 = -2.858209.
    # The mixture: ln ½ (e^-1.388808 + e^-2.858209) = -1.181730 - 0.693147 = -1.874877.
    assert figures(flow(0.05, 2), TrainingExamples(quarter(), torch.tensor([1]))) == {
        "bits per dimension": (pytest.approx((1.874877 + 9.583146) / math.log(2), abs=TOLERANCE), False),
        "bits per dimension given its kind": (
            pytest.approx((2.858209 + 9.583146) / math.log(2), abs=TOLERANCE),
            False,
        ),
        "nats in logit space": (pytest.approx(-1.874877, abs=TOLERANCE), True),
    }


def test_a_figure_is_the_mean_over_artworks_of_every_batch() -> None:
    x = torch.cat((quarter(2), quarter(1) * 2))  # at the middle h is 0: ln N = -0.918939
    steps = evaluation.measure_figures_in_steps(flow(0.05), TrainingExamples(x), batch=2)
    assert next(steps) == (2, 3)
    found = {name: value for name, value, _ in result_of(steps)}
    assert found["nats in logit space"] == pytest.approx(-(2 * 1.388808 + 0.918939) / 3, abs=TOLERANCE)


def vae(observation: DecoderLikelihood, numbers: Tensor) -> Variational:
    """Return a VAE whose posterior is its prior, so that both bounds are exact."""
    nothing = Constant(torch.zeros(4))
    says = Constant(numbers)
    return Variational((1, 1, 2), observation.levels, nothing, says, Posterior(2), observation).double().eval()


def test_a_vae_of_bits_has_figures_in_nats() -> None:
    # sigmoid(1.2) = 0.768525: white costs 0.263282 nats and black 1.463282; white and black stand side by side.
    model = vae(BernoulliLikelihood(256), torch.full((1, 1, 2), 1.2))
    x = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    assert figures(model, TrainingExamples(x)) == {
        "nats, ELBO": (pytest.approx(0.263282 + 1.463282, abs=TOLERANCE), False),
        "nats of 128 weighted draws": (pytest.approx(0.263282 + 1.463282, abs=TOLERANCE), False),
    }


def test_a_vae_of_levels_has_bits_per_dimension() -> None:
    # a = 1 and μ = 0: ln s = -7 · sigmoid(0) = -3.5, so that of two levels each is as likely.
    numbers = torch.tensor([0.0, 1.0]).view(2, 1, 1).expand(2, 1, 2)
    x = torch.tensor([0, 1], dtype=torch.uint8).view(1, 1, 1, 2)
    assert figures(vae(LogisticLikelihood(2), numbers), TrainingExamples(x)) == {
        "bits per dimension, ELBO": (pytest.approx(1.0, abs=TOLERANCE), False),
        "bits per dimension of 128 weighted draws": (pytest.approx(1.0, abs=TOLERANCE), False),
    }


def test_the_latent_of_a_vae_counts_in_its_bits() -> None:
    # The posterior N(1, 1) of each of two entries: KL = ½ each, in the ELBO on average over the fixed draws.
    moved = Constant(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    says = Constant(torch.zeros(1, 1, 2))
    model = Variational((1, 1, 2), 256, moved, says, Posterior(2), BernoulliLikelihood(256)).double().eval()
    x = torch.randint(0, 256, (4000, 1, 1, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    bound, tighter = (value for value, _ in figures(model, TrainingExamples(x)).values())
    assert bound == pytest.approx(2 * math.log(2) + 1, abs=0.3)
    assert tighter == pytest.approx(2 * math.log(2), abs=0.25)


def test_a_model_of_bits_has_figures_in_nats() -> None:
    model = Autoregressive((1, 1, 2), 2, Constant(torch.full((1, 1, 2), 1.2)), Bits(1)).double().eval()
    x = torch.tensor([0, 1], dtype=torch.uint8).view(1, 1, 1, 2)
    assert figures(model, TrainingExamples(x)) == {"nats": (pytest.approx(1.463282 + 0.263282, abs=TOLERANCE), True)}


@pytest.mark.parametrize("most", [evaluation.MAX_CLASS_PRICES, 1])
def test_a_model_of_levels_and_two_classes_has_a_mixture_figure(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Level 0 has p = ½ in class 0 and ⅛ in class 1, and the mixture 5/16: 1.678072 bits. If every class would take too
    # long, the bound p ≥ p(x | class 1) / 2 = 1/16 stands for it: 4 bits.
    monkeypatch.setattr(evaluation, "MAX_CLASS_PRICES", most)
    logits = [torch.tensor([p, 1 - p, 1e-9, 1e-9]).log().view(4, 1, 1) for p in (1 / 2, 1 / 8)]
    model = Autoregressive((1, 1, 1), 4, Constant(*logits), Categorical(1, 4), classes=2).double().eval()
    x = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    price, exact = (1.678072, True) if most > 1 else (4.0, False)
    assert figures(model, TrainingExamples(x, torch.tensor([1]))) == {
        "bits per dimension": (pytest.approx(price, abs=TOLERANCE), exact),
        "bits per dimension given its kind": (pytest.approx(3.0, abs=TOLERANCE), True),
    }


def test_a_flow_of_too_many_classes_has_a_bound_instead_of_the_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    model = MAF(layers=1, hidden=(8,), classes=4).build((1, 2, 2))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.eval()
    known = TrainingExamples(torch.randint(0, 256, (6, 1, 2, 2), dtype=torch.uint8), torch.arange(6) % 4)
    (_, whole), (_, given), (_, (_, exact)) = figures(model, known).items()
    assert exact
    monkeypatch.setattr(evaluation, "MAX_FLOW_CLASS_PRICES", 95)  # they are 6 artworks, 4 classes and 4 draws
    (_, bound), (_, same), (_, (_, exact)) = figures(model, known).items()
    assert not exact
    assert same == given
    assert bound[0] == pytest.approx(given[0] + 2 / 4)
    assert bound[0] > whole[0]


def test_the_figure_of_artworks_unlike_the_training_data_is_last() -> None:
    x = torch.cat((quarter(2), quarter(1) * 2))
    unlike = torch.tensor([False, True, True])
    *_, (name, value, exact) = result_of(
        evaluation.measure_figures_in_steps(flow(0.05), TrainingExamples(x), batch=2, unlike=unlike)
    )
    assert (name, exact) == ("bits per dimension, 2 of 3 unlike what it learned from", False)
    # At the middle dh/dx = 0.9 / (0.5 · 0.5) / 65536, its logarithm 1.280934 - 11.090355.
    whole = (1.388808 + 9.583146 + 0.918939 + 9.809421) / 2 / math.log(2)
    assert value == pytest.approx(whole, abs=TOLERANCE)
    same = result_of(
        evaluation.measure_figures_in_steps(flow(0.05), TrainingExamples(x), unlike=torch.zeros(3, dtype=torch.bool))
    )
    assert [name for name, _, _ in same] == ["bits per dimension", "nats in logit space"]


def test_the_spread_of_recordings_uses_all_their_samples() -> None:
    model = WaveNet(cycles=1, layers=2, channels=8, skip=8).build((40,)).eval()
    sounds = TrainingRecordings(tuple(torch.full((size,), 100 + size, dtype=torch.uint8) for size in (30, 50, 80)))
    unlike = torch.tensor([True, False, True])
    *_, (name, value, exact) = result_of(evaluation.measure_figures_in_steps(model, sounds, unlike=unlike))
    assert (name, exact) == ("bits per sample, 2 of 3 unlike what it learned from", True)
    bits = [bits_per_sample(model, sounds.select(slice(i, i + 1))) for i in (0, 2)]
    assert value == pytest.approx((30 * bits[0] + 80 * bits[1]) / 110)
    pieces = sounds.cut_into_pieces(40)
    assert [len(x) for x in pieces.x] == [30, 40, 40, 40]
    spread = result_of(evaluation.measure_spread(model, sounds))
    assert spread[-1] == pytest.approx(
        max(bits_per_sample(model, pieces.select(slice(i, i + 1))) for i in range(4)), abs=1e-4
    )


def test_a_spread_scores_artworks_as_they_are_opened() -> None:
    model = Autoregressive((1, 1, 2), 2, Constant(torch.full((1, 1, 2), 1.2)), Bits(1)).double().eval()
    drawn = torch.zeros(5, 1, 1, 2, dtype=torch.uint8)
    white = TrainingExamples(drawn, None, torch.ones_like(drawn)).select(slice(1, None)).to(torch.device("cpu"))
    steps = evaluation.measure_spread(model, white)
    assert next(steps) == (4, 4)
    found = result_of(steps)
    assert len(found) == evaluation.QUANTILE_COUNT
    assert found == pytest.approx([0.263282 / math.log(2)] * evaluation.QUANTILE_COUNT, abs=TOLERANCE)


def test_a_spread_uses_so_many_artworks_at_equal_distances() -> None:
    model = Autoregressive((1, 1, 1), 4, Constant(torch.tensor([8, 4, 2, 2]).log().view(4, 1, 1)), Categorical(1, 4))
    x = torch.tensor([0, 3, 1, 3, 2], dtype=torch.uint8).view(5, 1, 1, 1)
    found = result_of(evaluation.measure_spread(model.double().eval(), TrainingExamples(x), most=3))
    assert [found[0], found[50], found[100]] == [1, 2, 3]  # of 0, 1 and 2


class Normed(nn.Module):
    """Shows `update_batch_norm` batch norms of both sorts."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = BatchNorm(1)
        self.torchs = nn.BatchNorm2d(1)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        self.ours(x.float())
        self.torchs(x.float())
        return torch.zeros(len(x))


def test_updated_batch_norms_forget_earlier_statistics() -> None:
    model = Normed().train()
    for _ in range(50):
        model.log_prob(torch.full((4, 1, 2, 2), 1000.0))
    x = torch.tensor([0, 8] * 32).view(64, 1, 1, 1).expand(64, 1, 2, 2)
    evaluation.update_batch_norm(model, TrainingExamples(x), batch=16)  # type: ignore[arg-type]
    assert float(model.ours.mean) == pytest.approx(4)
    assert float(model.ours.var) == pytest.approx(16)
    assert float(model.torchs.running_mean or 0) == pytest.approx(4)
    assert float(model.torchs.running_var or 0) == pytest.approx(16, rel=0.02)  # torch's is divided by n - 1
    assert not model.training
    assert (model.ours.momentum, model.torchs.momentum) == (0.05, 0.1), "training goes on as before"
