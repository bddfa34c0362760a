"""Define conditionals: the probabilities of one sub-pixel of a picture, given those before it.

    x = min {x : Φ(z) < F(x)}                      the level that noise z ~ N(0, 1) draws
    z = Φ⁻¹(F(x - 1) + u p(x)),  u ~ U(0, 1)       noise that draws a level again
    p(x) = (1 - ε) q(x) + ε / levels               q comes from the network, ε = levels · MIN_PROBABILITY

with F the sum of p up to x. If x follows p, z follows N(0, 1) (Rüschendorf, On the distributional transform, Sklar's
theorem, and the empirical copula process, 2009). With u = ½ it would not: z would be near 0 wherever the network is
sure, and the latents of test digits had a standard deviation of 0.23. The floor ε / levels leaves no level impossible,
so every picture has a finite log p(x) and a latent.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid, softplus

MIN_PROBABILITY = 2.0**-21
"""The smallest probability of a level.

Storing z in float32 moves Φ(z) by 2⁻²⁶ at most, so an interval of this width is still hit. The floor costs 0.0002 bits
for an entry of 256 levels, and 0.000002 bits for one of two levels.
"""

EDGE_DISTANCE = 2.0**-13
"""The least distance of Φ(z) from the edges of its level, or two fifths of the level if that is less.

So noise that was computed on another device, where F is rounded in another way, still draws the level.
"""

Elementwise = Callable[[Tensor], Tensor]

MIN_TEMPERATURE = 1e-3
"""The lowest temperature that is used in a division. Lower ones give the same result."""

MAX_SCALAR_OUTPUT = 64.0
"""If an output of the network is larger than this, the level is found with tensors."""

SCALAR_EDGE_MARGIN = 1e-5
"""The least distance between the noise and the edges of a level that is found without tensors.

With no output above MAX_SCALAR_OUTPUT and s of at least e⁻⁷ · MIN_TEMPERATURE, no argument of σ is above 8e7. Then a
few roundings by 1e-16 of it move F by less than 1e-6.
"""


def place_in_interval(below: Tensor, above: Tensor, u: Tensor) -> Tensor:
    """Return the places at shares u of the intervals from `below` to `above`, `EDGE_DISTANCE` from their edges."""
    room = (0.4 * (above - below)).clamp(max=EDGE_DISTANCE)
    return below + room + u * (above - below - 2 * room)


class Conditional:
    """Computes p(x | before) of sub-pixels, from the numbers that a network returns for their pixel.

    Attributes
        numbers: how many numbers a pixel needs in all
        colours_by_net: whether the network has seen the sub-pixels before a sub-pixel in the same pixel. Otherwise it
            has seen only other pixels, and the conditional itself passes from red to green to blue
        min_probability: the smallest probability of a level
        max_levels: the largest number of levels
        inputs_per_channel: how many inputs of the network each channel of a picture has
        element_name: the name of an element in messages for the user: pixel or sample
    """

    numbers: int
    colours_by_net: bool
    min_probability: float = MIN_PROBABILITY
    max_levels = 256
    inputs_per_channel = 1
    element_name = "pixel"

    def __init__(self, channels: int, levels: int) -> None:
        if not 2 <= levels <= self.max_levels:
            raise ValueError(
                f"one {self.element_name} at a time takes 2 to {self.max_levels} levels, and {levels} were asked for"
            )
        self.channels = channels
        self.levels = levels

    def network_input(self, x: Tensor) -> Tensor:
        """Return the network's input `(B, C · inputs_per_channel, …)` for levels x `(B, C, …)`, given as floats.

        It is one value from -1 to 1 for each level.
        """
        return 2 * x / (self.levels - 1) - 1

    def log_prob(self, x: Tensor, numbers: Tensor, *, floor: bool = True) -> Tensor:
        """Return ln p in nats of every sub-pixel of levels x, both `(B, C, H, W)`, from numbers `(B, numbers, H, W)`.

        Without the floor it is ln q, which training uses: with the floor, a level that the network nearly excludes
        would have no gradient.
        """
        log_q = self._log_prob(x, numbers)
        if not floor:
            return log_q
        share = math.log1p(-self.levels * self.min_probability)
        return torch.logaddexp(log_q + share, log_q.new_tensor(math.log(self.min_probability)))

    def probabilities(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        """Return p of every level of one sub-pixel, `(B, levels)`, in float64.

        Arguments
            numbers: the numbers of its pixel, `(B, numbers)`
            before: the levels of the k sub-pixels before it in its pixel, `(B, k)`
            temperature: `(B,)`; at 0 only the likeliest level is left
        """
        edges = self._edges(numbers, before, temperature)
        return torch.diff(edges, prepend=torch.zeros_like(edges[:, :1]))

    def draw_level(self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        """Return the level `(B,)` that noise z `(B,)` draws. The other arguments are those of `probabilities`."""
        return self._level_on_edges(self._edges(numbers, before, temperature), z, temperature)

    def draw_level_with_entropy(
        self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the level that `draw_level` draws, and its entropy -Σ p log2 p in bits, `(B,)` in float64.

        p is taken at the temperature. At temperature 0 the entropy is 0.
        """
        edges = self._edges(numbers, before, temperature)
        p = torch.diff(edges, prepend=torch.zeros_like(edges[:, :1]))
        doubt = torch.special.entr(p.clamp(min=0)).sum(1) / math.log(2) * to_float64(temperature > 0)
        return self._level_on_edges(edges, z, temperature), doubt

    def _level_on_edges(self, edges: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        # At temperature 0 two levels may be equally likely; then the noise must not choose between them.
        u = torch.special.ndtr(to_float64(z) * to_float64(temperature > 0))
        x = torch.searchsorted(edges, u[:, None], right=True)[:, 0]
        return x.clamp(max=self.levels - 1).to(z.device)

    def noise_of_level(self, numbers: Tensor, before: Tensor, x: Tensor, u: Tensor) -> Tensor:
        """Return the noise z `(B,)` that draws level x `(B,)` at temperature 1.

        It lies at the share u `(B,)` of the level's interval.
        """
        edges = self._edges(numbers, before, torch.ones_like(numbers[:, 0]))
        at = x.long().to(edges.device)[:, None]
        below = edges.gather(1, (at - 1).clamp(min=0)) * (at > 0)
        z: Tensor = torch.special.ndtri(place_in_interval(below, edges.gather(1, at), u.to(edges)[:, None]))[:, 0]
        return z.to(numbers.device, numbers.dtype)

    def _edges(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        """Return F, the sum of p up to each level, `(B, levels)`, in float64."""
        temperature = to_float64(temperature)[:, None]
        cdf = self._cdf(to_float64(numbers), to_float64(before), temperature.clamp(min=MIN_TEMPERATURE))
        floor = self.min_probability * temperature.clamp(max=1)
        evenly = torch.arange(1, self.levels + 1, device=cdf.device, dtype=cdf.dtype)
        return torch.addcmul((1 - self.levels * floor) * cdf, floor, evenly)

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Return ln q, `(B, C, H, W)`."""
        raise NotImplementedError

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        """Return the sum of q up to each level, `(B, levels)`. All is float64; temperature `(B, 1)` is above 0."""
        raise NotImplementedError


class Categorical(Conditional):
    """Is a softmax over levels, q(x) ∝ exp(numbers[x] / T) (van den Oord et al., 2016, arXiv:1601.06759, section 2.2).

    The numbers are `(B, C, levels, H, W)`, flattened: all levels of red, then of green, then of blue.
    """

    colours_by_net = True

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__(channels, levels)
        self.numbers = channels * levels

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        logits = numbers.reshape(len(x), self.channels, self.levels, *x.shape[2:]).movedim(2, -1)
        return -cross_entropy(logits.flatten(0, -2), x.long().flatten(), reduction="none").view(x.shape)

    def draw_level(self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        if len(numbers) == 1 and numbers.device.type == "cpu":
            first = before.shape[1] * self.levels
            found = self._level_of_one(numbers[0, first : first + self.levels].tolist(), float(z), float(temperature))
            if found is not None:
                return torch.tensor([found])
        return super().draw_level(numbers, before, z, temperature)

    def _level_of_one(self, numbers: list[float], z: float, temperature: float) -> int | None:
        """Return the level of one picture as `draw_level` does, but without tensors, which take longer.

        None if rounding might decide between two levels.
        """
        most = max(numbers)
        if not -MAX_SCALAR_OUTPUT < min(numbers) <= most < MAX_SCALAR_OUTPUT:
            return None
        per_temperature = 1 / max(temperature, MIN_TEMPERATURE)
        q = [math.exp((number - most) * per_temperature) for number in numbers]
        floor = self.min_probability * min(temperature, 1)
        scale = (1 - self.levels * floor) / sum(q)
        u = 0.5 * math.erfc(-z * math.sqrt(0.5)) if temperature > 0 else 0.5
        cdf = [scale * total + floor * (level + 1) for level, total in enumerate(accumulate(q))]
        level = min(bisect_right(cdf, u), self.levels - 1)
        below = cdf[level - 1] if level > 0 else -1.0
        above = cdf[level] if level < self.levels - 1 else 2.0
        return level if below + SCALAR_EDGE_MARGIN < u < above - SCALAR_EDGE_MARGIN else None

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        first = before.shape[1] * self.levels
        log_p = numbers[:, first : first + self.levels] / temperature
        up_to = _exp(log_p - log_p.amax(1, keepdim=True)).cumsum(1)
        return up_to / up_to[:, -1:]


class IndexedCategorical(Categorical):
    """Is a softmax over the colours of a palette, whose order means nothing.

    So the network sees a colour as a one-hot vector instead of as a number. The mean square of its inputs is 1. After
    400 steps on materials in 48 colours, a Gated PixelCNN had 2.02 bits a pixel held out: with vectors of 0 and 1
    alone 2.10, and with one number for each level 3.43.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__(channels, levels)
        self.inputs_per_channel = levels

    def network_input(self, x: Tensor) -> Tensor:
        hot = x.unsqueeze(2) == torch.arange(self.levels, device=x.device).view(-1, *[1] * (x.dim() - 2))
        return hot.flatten(1, 2).to(x.dtype) * math.sqrt(self.levels)


class BernoulliLevels(Conditional):
    """Has two levels with q(1) = sigmoid(number / T), and one number for each channel."""

    colours_by_net = True

    def __init__(self, channels: int, levels: int = 2) -> None:
        super().__init__(channels, levels)
        if levels != 2:
            raise ValueError(f"a Bernoulli has 2 levels, and {levels} were asked for")
        self.numbers = channels

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        return -binary_cross_entropy_with_logits(numbers, x.to(numbers.dtype), reduction="none")

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        black = torch.sigmoid(-numbers[:, before.shape[1], None] / temperature)
        return torch.cat((black, torch.ones_like(black)), 1)


def softmax_over(channels: int, levels: int, *, indexed: bool) -> Conditional:
    """Return a softmax over levels, in its smallest form for two, or over the `indexed` colours of a palette."""
    if indexed:
        return IndexedCategorical(channels, levels)
    return BernoulliLevels(channels) if levels == 2 else Categorical(channels, levels)


class LogisticMixture(Conditional):
    """Is a mixture of discretised logistics that share their component over a pixel's colours.

    (Salimans, Karpathy, Chen and Kingma, PixelCNN++, 2017, arXiv:1701.05517, sections 2.1 and 2.2.)

        q(r, g, b) = Σ_k π_k q_k(r) q_k(g | r) q_k(b | r, g)
        q_k(v) = σ((v + h - μ_k) / s_k) - σ((v - h - μ_k) / s_k),  h = 1 / (levels - 1),  v in [-1, 1]
        μ(g) = μ_g + tanh(α) r,  μ(b) = μ_b + tanh(β) r + tanh(γ) g

    Black reaches to -∞ and white to +∞, so that all levels sum to 1. By the chain rule, green has the probabilities of
    a mixture whose weights know red, w_k ∝ π_k q_k(r), and the weights for blue know both. The sum of their ln q is the
    paper's loss. At a temperature T the weights are those of π_k^(1/T), and s_k becomes T · s_k.

    The numbers are the K logits of π, then for each channel K means, K values of ln s and, for RGB, K coefficients:
    α with red, β with green, γ with blue, as in the authors' code.
    """

    colours_by_net = False
    NARROW, WIDE = -7.0, 7.0
    """The bounds of ln s. The lower one is the authors'. Without the upper one, ln q could become infinite."""

    def __init__(self, channels: int, levels: int, mixture: int = 10) -> None:
        super().__init__(channels, levels)
        if channels not in (1, 3):
            raise ValueError(f"a mixture of logistics takes grey or RGB, and {channels} channels were asked for")
        self.mixture = mixture
        self.half = 1 / (levels - 1)
        self.each = 2 if channels == 1 else 3
        self.numbers = mixture * (1 + channels * self.each)

    def _log_prob(self, x: Tensor, numbers: Tensor) -> Tensor:
        log_w = torch.log_softmax(numbers[:, : self.mixture], 1)  # (B, K, H, W)
        means, log_s, coefficients = self._components(numbers)
        values = self.network_input(x.to(numbers.dtype))
        prices = []
        for k in range(self.channels):
            mean = self._mean(means, coefficients, values[:, :k])
            joint = log_w + self._of_components(values[:, k, None], mean, log_s[:, k])
            prices.append(torch.logsumexp(joint, 1))
            log_w = joint - prices[-1][:, None]
        return torch.stack(prices, 1)

    def _cdf(self, numbers: Tensor, before: Tensor, temperature: Tensor) -> Tensor:
        log_w = _shares(numbers[:, : self.mixture] / temperature)  # (B, K)
        means, log_s, coefficients = self._components(numbers, _tanh)
        log_s = log_s + temperature[:, None].log()
        values = self.network_input(before)
        k = before.shape[1]
        for i in range(k):
            mean = self._mean(means, coefficients, values[:, :i])
            log_w = _shares(log_w + self._of_components(values[:, i, None], mean, log_s[:, i], _log_sigmoid))
        mean = self._mean(means, coefficients, values)[..., None]  # (B, K, 1)
        edges = self.network_input(torch.arange(1, self.levels, device=mean.device, dtype=mean.dtype)) - self.half
        up_to = torch.sigmoid((edges - mean) * _exp(-log_s[:, k, :, None]))  # (B, K, levels - 1)
        cdf = (_exp(log_w)[..., None] * up_to).sum(1)
        return torch.cat((cdf, torch.ones_like(cdf[:, :1])), 1)

    def draw_level(self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        if len(numbers) == 1 and numbers.device.type == "cpu":
            found = self._level_of_one(numbers[0].tolist(), before[0].tolist(), float(z), float(temperature))
            if found is not None:
                return torch.tensor([found])
        return super().draw_level(numbers, before, z, temperature)

    def _level_of_one(self, numbers: list[float], before: list[int], z: float, temperature: float) -> int | None:
        """Return the level of one picture as `draw_level` does, but without tensors.

        For so few numbers, tensors take seven times as long. None if rounding might decide between two levels, because
        torch rounds exp, tanh and log in another way.
        """
        if not -MAX_SCALAR_OUTPUT < min(numbers) <= max(numbers) < MAX_SCALAR_OUTPUT:
            return None
        safe_temperature = max(temperature, MIN_TEMPERATURE)
        parts = [numbers[at : at + self.mixture] for at in range(0, len(numbers), self.mixture)]
        values = [2 * x / (self.levels - 1) - 1 for x in before]
        log_w = [number / safe_temperature for number in parts[0]]
        for i, x in enumerate(before):
            joint = zip(log_w, *self._logistics(parts, values[:i], safe_temperature), strict=True)
            log_w = [w + self._log_q(x, values[i], mean, per_s) for w, mean, per_s in joint]
        most = max(log_w)
        w = [math.exp(each - most) for each in log_w]
        logistics = list(zip(w, *self._logistics(parts, values, safe_temperature), strict=True))
        floor = self.min_probability * min(temperature, 1)
        whole = sum(w)

        def up_to(x: int) -> float:
            """Return F, by σ(a) = ½ + ½ tanh(½ a)."""
            edge = (2 * x + 1) / (self.levels - 1) - 1
            cdf = 0.5 + 0.5 * sum([w * math.tanh(0.5 * (edge - mean) * per_s) for w, mean, per_s in logistics]) / whole
            return (1 - self.levels * floor) * cdf + floor * (x + 1)

        u = 0.5 * math.erfc(-z * math.sqrt(0.5)) if temperature > 0 else 0.5
        low = -1
        level = self.levels - 1
        below, above = -1.0, 2.0
        while level - low > 1:
            middle = (low + level) // 2
            found = up_to(middle)
            if found > u:
                level, above = middle, found
            else:
                low, below = middle, found
        return level if below + SCALAR_EDGE_MARGIN < u < above - SCALAR_EDGE_MARGIN else None

    def _logistics(
        self, parts: list[list[float]], before: list[float], temperature: float
    ) -> tuple[list[float], list[float]]:
        """Return μ and 1 / s of each logistic of a sub-pixel, given the values before it; `parts` of K numbers each."""
        k = len(before)
        means, log_s = parts[1 + k * self.each], parts[2 + k * self.each]
        for i, value in enumerate(before):
            coefficients = parts[3 + (k * (k - 1) // 2 + i) * self.each]
            means = [mean + math.tanh(c) * value for mean, c in zip(means, coefficients, strict=True)]
        return means, [math.exp(-min(max(s, self.NARROW), self.WIDE)) / temperature for s in log_s]

    def _log_q(self, x: int, v: float, mean: float, per_s: float) -> float:
        """Return ln q_k of level x, whose value is v, as `_of_components` does."""
        off = (v - mean) * per_s
        half = self.half * per_s
        up_to, over = -_softplus(-off - half), -_softplus(off - half)
        if x == 0:
            return up_to
        if x == self.levels - 1:
            return over
        return up_to + over + math.log(-math.expm1(-2 * half))

    def _components(self, numbers: Tensor, tanh: Elementwise = torch.tanh) -> tuple[Tensor, Tensor, Tensor]:
        """Return means, ln s and coefficients, each `(B, C, K, …)`. One channel has no coefficients."""
        sizes = (len(numbers), self.channels, self.each, self.mixture, *numbers.shape[2:])
        parts = numbers[:, self.mixture :].reshape(sizes)
        return parts[:, :, 0], parts[:, :, 1].clamp(self.NARROW, self.WIDE), tanh(parts[:, :, 2:])

    def _mean(self, means: Tensor, coefficients: Tensor, before: Tensor) -> Tensor:
        """Return μ of sub-pixel k, `(B, K, …)`, from the k values `(B, k, …)` before it in its pixel."""
        k = before.shape[1]
        mean = means[:, k]
        for i in range(k):
            mean = mean + coefficients[:, k * (k - 1) // 2 + i, 0] * before[:, i, None]
        return mean

    def _of_components(self, v: Tensor, mean: Tensor, log_s: Tensor, log_sigmoid: Elementwise = logsigmoid) -> Tensor:
        """Return ln q_k `(B, K, …)` of values v `(B, 1, …)`."""
        per_s = (-log_s).exp()
        above = (v + self.half - mean) * per_s
        below = (v - self.half - mean) * per_s
        # ln (σ(above) - σ(below)) without a difference of numbers that may both be near 0 or near 1.
        up_to, over = log_sigmoid(above), log_sigmoid(-below)
        inside = up_to + over + torch.log(-torch.expm1(-2 * self.half * per_s))
        return torch.where(v < self.half - 1, up_to, torch.where(v > 1 - self.half, over, inside))


# torch runs softmax and logsigmoid of any size, and exp and tanh from 128 float64 numbers on, in all of its threads.
# For the few numbers of a pixel these threads only wait for each other: on a busy computer drawing took four times as
# long and seven times the processor time (tests/benchmarks/pixels.py). The functions below use one thread.


def _exp(x: Tensor) -> Tensor:
    return torch.exp2(x * (1 / math.log(2)))


def _tanh(x: Tensor) -> Tensor:
    return 2 * torch.sigmoid(2 * x) - 1


def _log_sigmoid(x: Tensor) -> Tensor:
    return -softplus(-x, threshold=40)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _shares(log_w: Tensor) -> Tensor:
    """Return log-weights `(B, K)`, normalised so that the weights sum to 1."""
    above = log_w - log_w.amax(1, keepdim=True)
    return above - _exp(above).cumsum(1)[:, -1:].log()


def to_float64(t: Tensor) -> Tensor:
    """Return the tensor in float64, on the processor if it is on Apple's graphics, which lack float64."""
    return t.to("cpu" if t.device.type == "mps" else t.device, torch.float64)


MIN_SAMPLE_PROBABILITY = 2.0**-40
"""The smallest probability of a level of a sample.

With the 2⁻²¹ of pictures, a sound would click twice a second. An unlikely level between two likely ones may then have
no latent in float32, but it has one in float64.
"""


class CategoricalSample(Categorical):
    """Is a softmax over up to 256 levels of a sample. The μ-law of section 2.2 is applied before, to the sound."""

    min_probability = MIN_SAMPLE_PROBABILITY
    element_name = "sample"


class LogisticMixtureSample(LogisticMixture):
    """Is a mixture of discretised logistics over up to 65,536 levels of a sample.

    (van den Oord et al., Parallel WaveNet, 2017, arXiv:1711.10433, section 2.1.) ln s may be as low as -16, a hundredth
    of a level. F is never computed for all levels: a level is found by bisection.
    """

    min_probability = MIN_SAMPLE_PROBABILITY
    max_levels = 65_536
    element_name = "sample"
    NARROW = -16.0

    def __init__(self, levels: int, mixture: int = 10) -> None:
        super().__init__(1, levels, mixture)

    def draw_level(self, numbers: Tensor, before: Tensor, z: Tensor, temperature: Tensor) -> Tensor:
        up_to = self._up_to(numbers, temperature)
        u = torch.special.ndtr(to_float64(z) * to_float64(temperature > 0))
        low = torch.full_like(u, -1)
        high = torch.full_like(u, self.levels - 1)
        for _ in range((self.levels - 1).bit_length()):
            middle = ((low + high) / 2).floor().clamp(min=0)
            above = up_to(middle) > u
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return high.long().to(z.device)

    def noise_of_level(self, numbers: Tensor, before: Tensor, x: Tensor, u: Tensor) -> Tensor:
        up_to = self._up_to(numbers, torch.ones_like(numbers[:, 0]))
        at = to_float64(x)
        z: Tensor = torch.special.ndtri(place_in_interval(up_to(at - 1), up_to(at), u.to(at)))
        return z.to(numbers.device, numbers.dtype)

    def _up_to(self, numbers: Tensor, temperature: Tensor) -> Callable[[Tensor], Tensor]:
        """Return F as a function of levels `(B,)`, in float64."""
        temperature = to_float64(temperature)[:, None].clamp(min=1e-3)
        means, log_s, _ = self._components(to_float64(numbers))
        share = torch.softmax(to_float64(numbers)[:, : self.mixture] / temperature, 1)
        mean = means[:, 0]
        s = log_s[:, 0].exp() * temperature
        least = self.min_probability * temperature[:, 0].clamp(max=1)

        def up_to(x: Tensor) -> Tensor:
            below = (share * torch.sigmoid((self.network_input(x)[:, None] + self.half - mean) / s)).sum(1)
            whole = torch.where(x < self.levels - 1, below * (x >= 0), torch.ones_like(below))
            return (1 - self.levels * least) * whole + least * (x + 1)

        return up_to
