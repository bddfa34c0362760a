"""Compute held-out figures as the papers count them."""

import math
from collections.abc import Generator, Iterator

import torch
from torch import Tensor

from studio.density.autoregressive import Autoregressive
from studio.density.bijections.linear import BatchNorm
from studio.density.decoder_likelihood import BernoulliLikelihood
from studio.density.flow import Flow
from studio.density.model import Model
from studio.density.upsampler import Upsampler
from studio.density.variational import Variational
from studio.engine.events import result_of
from studio.engine.levels import TrainingExamples
from studio.engine.training.recordings import TrainingRecordings, bits_of_sounds, bits_per_sample
from studio.media.sounds import flac_baseline

MAX_CLASS_PRICES = 20_000
"""The largest number of evaluations, of one artwork under one class, for one figure."""
MAX_FLOW_CLASS_PRICES = 1_000_000
"""The same for a flow, which is faster: the test letters of all 62 classes would take a Glow two hours of one core."""
SPREAD_ARTWORKS = 1000
"""Held-out artworks that are scored for the spread of a model's bits."""
SPREAD_PIECES = 200
"""Pieces of recordings that are scored for it. Each takes a second."""
QUANTILE_COUNT = 101
Spread = tuple[float, ...]
Figure = tuple[str, float, bool]
"""A figure: its name, its mean over the artworks, and whether it is exact or a bound."""


@torch.no_grad()
def bits_of_each(model: Model, examples: TrainingExamples, *, batch: int = 32, draws: int = 1, seed: int = 0) -> Tensor:
    """Return the bits of each artwork given its class, `(n,)`. A flow's are the mean over `draws` of its noise."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for part in examples.batches(batch):
        total = torch.zeros(len(part), device=part.x.device)
        for _ in range(draws):
            if isinstance(model, Flow):
                u = model.draw_points(part.x.shape, generator).to(part.x.device, model.dtype)
                total += model.log_prob(part.x, part.c, u)
            else:
                total += model.log_prob(part.x, part.c)
        batches.append(-total / draws / math.log(2))
    return torch.cat(batches)


def bits_per_dimension(
    model: Model, examples: TrainingExamples | TrainingRecordings, *, batch: int = 32, draws: int = 1
) -> float:
    """Return the mean bits per entry of artworks given their classes; of recordings per sample."""
    if isinstance(examples, TrainingRecordings):
        return bits_per_sample(model, examples)
    return float(bits_of_each(model, examples, batch=batch, draws=draws).cpu().double().mean()) / math.prod(model.shape)


@torch.no_grad()
def measure_spread(
    model: Model, examples: TrainingExamples | TrainingRecordings, *, most: int | None = None
) -> Generator[tuple[int, int], None, Spread]:
    """Return `QUANTILE_COUNT` quantiles of the artworks' bits per dimension, from the lowest to the highest.

    Artworks are scored as a user's own are: as they are opened (see `TrainingExamples.opened`), with a flow's usual
    noise, and with classes under their even mixture. Recordings have bits per sample. They are cut into pieces as long
    as those of the model, and scored given their class; the mixture would add at most log2(classes) bits to a piece. If
    there are more than `most`, that many at equal distances are scored. Yields (artworks done, in all).
    """
    if isinstance(examples, TrainingRecordings):
        examples = examples.cut_into_pieces(model.shape[0])
        usual = SPREAD_PIECES
        batch = 1
    else:
        usual = SPREAD_ARTWORKS
        batch = 16
    count = min(len(examples), most or usual)
    chosen = examples.select(torch.linspace(0, len(examples) - 1, count).long())
    batches: list[Tensor] = []
    for x, c in _as_opened(chosen, batch):
        batches.append(-model.log_prob(x, c).cpu().double() / (x[0].numel() * math.log(2)))
        yield sum(map(len, batches)), count
    found = torch.cat(batches).quantile(torch.linspace(0, 1, QUANTILE_COUNT, dtype=torch.float64))
    return tuple(round(bits, 4) for bits in found.tolist())


def _as_opened(examples: TrainingExamples | TrainingRecordings, batch: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    if isinstance(examples, TrainingRecordings):
        return ((part.x, part.c) for part in examples.one_by_one())
    return ((part.as_opened, None) for part in examples.batches(batch))


def measure_figures_in_steps(
    model: Model,
    examples: TrainingExamples | TrainingRecordings,
    *,
    batch: int = 50,
    draws: int = 4,
    importance: int = 128,
    unlike: Tensor | None = None,
) -> Generator[tuple[int, int], None, tuple[Figure, ...]]:
    """Return every figure that papers give for such a model. The first is on its card.

    Yields (artworks done, in all). A flow gives

        bits per dimension              -log2 p(x) / D, a bound; with classes p(x) = Σ p(x | c) / classes
        … given its kind                -log2 p(x | c) / D
        nats in logit space             ln p(h) of h = logit(α + (1 - 2α) y), exact for dequantised y
        nats on [0, 1]                  ln p(y) without the logit, exact for dequantised y

    with the mean over `draws` of the dequantising noise. With so many classes that computing all takes too long,
    p(x) is bounded by p(x | c) / classes. A VAE gives the bound that it is trained with (ELBO) and the tighter one
    of `importance` weighted draws (Burda, Grosse and Salakhutdinov, 2015, arXiv:1509.00519): in nats,
    -ln p(x), for black and white pictures, else in bits per dimension. A model that draws entry by entry gives exact
    figures in the same units. With classes they are given the class, and for the mixture of all classes if computing
    every class does not take too long, otherwise the bound p(x) ≥ p(x | c) / classes. Recordings give the bits of every
    sample, from the first to the last, given the class if there are classes. Two more figures are the bits of the same
    levels as FLAC and by a linear prediction.

    unlike: which artworks resemble no learned one, `(n,)`. If given, the first figure of these alone is the last.
    """
    if isinstance(examples, TrainingRecordings):
        return (yield from _figures_of_recordings(model, examples, unlike))
    sums: dict[tuple[str, bool], float] = {}
    first = list[Tensor]()
    generator = torch.Generator().manual_seed(0)
    done = 0
    for part in examples.batches(batch):
        with torch.no_grad():
            match model:
                case Flow():
                    found = _figures_of_flow(model, part, draws, generator, len(examples))
                case Variational():
                    found = _figures_of_vae(model, part, importance)
                case Autoregressive():
                    found = _figures_of_autoregressive(model, part, len(examples))
                case _:
                    found = _figures_of_any(model, part)
        first.append(found[0][2].cpu().double())
        for name, exact, values in found:
            key = (name, exact)
            sums[key] = sums.get(key, 0.0) + float(values.cpu().double().sum())
        done += len(part)
        yield done, len(examples)
    known = [(name, total / len(examples), exact) for (name, exact), total in sums.items()]
    return (*known, *_figure_of_unlike(known[0], torch.cat(first), torch.ones(len(examples)), unlike))


def _figure_of_unlike(whole: Figure, values: Tensor, sizes: Tensor, unlike: Tensor | None) -> tuple[Figure, ...]:
    """Return a figure of the artworks that resemble no learned one; empty without any."""
    if unlike is None or not bool(unlike.any()):
        return ()
    name = f"{whole[0]}, {int(unlike.sum()):,} of {len(unlike):,} unlike what it learned from"
    return ((name, float(values[unlike].sum() / sizes[unlike].sum()), whole[2]),)


def _figures_of_recordings(
    model: Model, sounds: TrainingRecordings, unlike: Tensor | None
) -> Generator[tuple[int, int], None, tuple[Figure, ...]]:
    name = "bits per sample" if sounds.c is None else "bits per sample given its kind"
    each = list[float]()
    for bits in bits_of_sounds(model, sounds):
        each.append(bits)
        yield len(each), len(sounds)
    plain = [x.cpu().numpy() for x in sounds.x]
    without = (
        ("bits per sample as FLAC", flac_baseline.flac_bits(plain, model.levels) / sounds.sample_count, True),
        (
            "bits per sample by a linear prediction of order 2",
            flac_baseline.predicted_bits(plain) / sounds.sample_count,
            True,
        ),
    )
    whole = (name, sum(each) / sounds.sample_count, True)
    sizes = torch.tensor([len(x) for x in sounds.x], dtype=torch.float64)
    return (whole, *without, *_figure_of_unlike(whole, torch.tensor(each, dtype=torch.float64), sizes, unlike))


def measure_figures(model: Model, examples: TrainingExamples | TrainingRecordings) -> tuple[Figure, ...]:
    """Return what `measure_figures_in_steps` yields last."""
    return result_of(measure_figures_in_steps(model, examples))


def _figures_of_flow(
    model: Flow, part: TrainingExamples, draws: int, generator: torch.Generator, total: int
) -> list[tuple[str, bool, Tensor]]:
    """Return the figures of some of `total` artworks. That number decides whether every class is priced."""
    dimensions = math.prod(model.shape)
    logit = "nats in logit space" if model.alpha is not None else "nats on [0, 1]"
    every_class = total * model.classes * draws <= MAX_FLOW_CLASS_PRICES or part.c is None
    names = [("bits per dimension", False), ("bits per dimension given its kind", False), (logit, every_class)]
    sums = [torch.zeros(len(part), device=part.x.device) for _ in names]
    for _ in range(draws):
        u = model.draw_points(part.x.shape, generator).to(part.x.device, model.dtype)
        if model.classes and every_class:
            given = model.log_prob_of_classes(part.x, u)
            log_prob = torch.logsumexp(given, 1) - math.log(model.classes)
        elif model.classes:
            given = model.log_prob(part.x, part.c, u)[:, None]
            log_prob = given[:, 0] - math.log(model.classes)
        else:
            log_prob = model.log_prob(part.x, None, u)
            given = log_prob[:, None]
        stretch = model.dequantise(part.x, u)[1] if model.alpha is not None else -dimensions * math.log(model.levels)
        label = given.new_zeros(len(part), dtype=torch.long) if part.c is None or given.shape[1] == 1 else part.c
        sums[0] -= log_prob / (dimensions * math.log(2))
        sums[1] -= given.gather(1, label[:, None])[:, 0] / (dimensions * math.log(2))
        sums[2] += log_prob - stretch
    keep = (0, 1, 2) if model.classes and part.c is not None else (0, 2)
    return [(*names[i], sums[i] / draws) for i in keep]


def _figures_of_vae(model: Variational, part: TrainingExamples, draws: int) -> list[tuple[str, bool, Tensor]]:
    binary = isinstance(model.observation, BernoulliLikelihood)
    unit, scale = ("nats", 1.0) if binary else ("bits per dimension", math.prod(model.shape) * math.log(2))
    elbo = model.log_prob(part.x)
    weighted = model.importance_log_prob(part.x, draws)
    return [(f"{unit}, ELBO", False, -elbo / scale), (f"{unit} of {draws} weighted draws", False, -weighted / scale)]


def _figures_of_autoregressive(
    model: Autoregressive, part: TrainingExamples, total: int
) -> list[tuple[str, bool, Tensor]]:
    """Return the figures of some of `total` artworks. That number decides whether every class is priced."""
    unit, scale = ("nats", 1.0) if model.levels == 2 else ("bits per dimension", math.prod(model.shape) * math.log(2))
    if not model.classes or part.c is None:
        return [(unit, True, -model.log_prob(part.x) / scale)]
    if total * model.classes > MAX_CLASS_PRICES:
        given = model.log_prob(part.x, part.c)
        log_prob = given - math.log(model.classes)
        exact = False
    else:
        every = model.log_prob_of_classes(part.x)
        given = every.gather(1, part.c[:, None])[:, 0]
        log_prob = torch.logsumexp(every, 1) - math.log(model.classes)
        exact = True
    return [(unit, exact, -log_prob / scale), (f"{unit} given its kind", True, -given / scale)]


def _figures_of_any(model: Model, part: TrainingExamples) -> list[tuple[str, bool, Tensor]]:
    log_prob = model.log_prob(part.x, part.c)
    name = "bits per dimension, details alone" if isinstance(model, Upsampler) else "bits per dimension"
    return [(name, model.exact, -log_prob / (math.prod(model.shape) * math.log(2)))]


@torch.no_grad()
def update_batch_norm(model: Model, examples: TrainingExamples, *, batch: int = 64) -> None:
    """Give averaged weights their own batch-norm statistics, from training data.

    Averages of statistics are not the statistics of averaged weights (Izmailov et al., 2018,
    arXiv:1803.05407, section 3.2), and a flow's likelihood depends on them directly.
    """
    norms = [m for m in model.modules() if isinstance(m, BatchNorm | torch.nn.BatchNorm2d | torch.nn.BatchNorm1d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
        if isinstance(norm, BatchNorm):
            norm.batches.zero_()
        else:
            norm.reset_running_stats()
    model.train()
    for part in examples.batches(batch):
        if len(part) > 1:
            model.log_prob(part.x, part.c)
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
