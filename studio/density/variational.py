"""Model artworks by a small latent (a VAE), trained with a posterior that a flow may transform.

    p(x) = ∫ p(x | z) N(z; 0, I) dz
    ln p(x) ≥ E_q [ln p(x | z) + ln N(z; 0, I) - ln q(z | x)]                      the lower bound (ELBO)
    ln p(x) ≥ E_q [ln 1/k Σ p(x | z_i) N(z_i; 0, I) / q(z_i | x)]                  importance weighted, tighter

Kingma and Welling, Auto-encoding variational Bayes, 2013, arXiv:1312.6114; the second bound: Burda, Grosse and
Salakhutdinov, Importance weighted autoencoders, 2015, arXiv:1509.00519.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from studio.density.decoder_likelihood import DecoderLikelihood
from studio.density.model import DecodingStep, Model
from studio.density.posterior import Posterior

FIXED_DRAWS = 61
"""The number of fixed draws of noise outside training. The levels of an artwork select the one that is used."""
LATENTS_AT_ONCE = 1024
"""The number of latents that `importance_log_prob` decodes at a time."""
ROWS_AT_ONCE = 8
"""The number of latents that `decode_steps` decodes at a time."""


class Variational(Model):
    """Is a VAE. Its latent has `posterior.latent` numbers, and it decodes to the mean artwork, rounded.

    Outside training, the noise for log p(x) is one of a few fixed draws, and the artwork's own levels select it. So
    log p(x) depends on the artwork alone, but the mean over many artworks has no common error.

    Arguments
        encoder: from artworks `(B, *shape)` in [-1, 1] to `(B, posterior.numbers)`
        decoder: from latents `(B, latent)` to `(B, observation.numbers · channels, height, width)`
        anneal: number of training steps in which β rises to 1; 0: β is 1 from the start
        free_bits: λ in nats; a divergence below it does not lower the loss further, for each entry of the latent
    """

    invertible = False
    steps: Tensor
    eps: Tensor
    pattern: Tensor
    pool_mean: Callable[[Tensor], Tensor] | None = None
    """If several processes share a batch: returns the mean over the whole batch from that over this part."""

    def __init__(
        self,
        shape: Sequence[int],
        levels: int,
        encoder: nn.Module,
        decoder: nn.Module,
        posterior: Posterior,
        observation: DecoderLikelihood,
        anneal: int = 0,
        free_bits: float = 0.0,
    ) -> None:
        super().__init__(shape, levels, (posterior.latent,), exact=False)
        self.encoder = encoder
        self.decoder = decoder
        self.posterior = posterior
        self.observation = observation
        self.anneal = anneal
        self.free_bits = free_bits
        self.register_buffer("steps", torch.tensor(0))
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("eps", torch.randn(FIXED_DRAWS, *self.latent_shape, generator=generator), persistent=False)
        self.register_buffer("pattern", torch.rand(FIXED_DRAWS, *self.shape, generator=generator), persistent=False)

    def _noise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ε `(B, latent)` and u `(B, *shape)`: new ones in training, else those of the artworks."""
        if self.training:
            eps = torch.randn(len(x), *self.latent_shape, device=x.device, dtype=self.dtype)
            return eps, torch.rand(x.shape, device=x.device, dtype=self.dtype)
        place = torch.arange(math.prod(self.shape), device=x.device) + 1
        which = (x.flatten(1).long() * place).sum(1) % FIXED_DRAWS
        return self.eps[which].to(self.dtype), self.pattern[which].to(self.dtype)

    def _posterior(self, x: Tensor) -> Tensor:
        """Return the encoder's output for artworks in levels, `(B, posterior.numbers)`."""
        h: Tensor = self.encoder(self.observation.network_input(x))
        return h.to(self.dtype)

    def _terms(self, x: Tensor, eps: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ln p(x | z) by entries `(B, *shape)`, and ln q(z | x) and ln p(z) by entries `(B, latent)`."""
        x = self.observation.draw_artwork(x.to(self.dtype), u)
        z, log_q = self.posterior(self._posterior(x), eps)
        return self._reconstruction(x, z), log_q, _log_normal(z)

    def _reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        price: Tensor = self.observation.log_prob(x, self.decoder(z).to(self.dtype))
        return price

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the lower bound of ln p(x) in nats, `(B,)`, from one draw of the posterior."""
        reconstruction, log_q, log_p = self._terms(x, *self._noise(x))
        return reconstruction.flatten(1).sum(1) + (log_p - log_q).sum(1)

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return bits `(B, *shape)`, of which only the sum is meaningful.

        Each entry has its own bits given the latent, and an equal share of the latent's bits.
        """
        reconstruction, log_q, log_p = self._terms(x, *self._noise(x))
        share = (log_q - log_p).sum(1) / math.prod(self.shape)
        return (share.view(-1, *[1] * len(self.shape)) - reconstruction) / math.log(2)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the bits per dimension. In training they are those of the annealed bound with free bits,

            E_q [Σ_j max(λ, ln q(z_j | x) - β ln p(z_j)) - β ln p(x | z)],  β = min(1, 0.01 + steps / anneal)

        (β: arXiv:1505.05770; λ: arXiv:1606.04934, with the mean over the batch taken before the maximum), which is
        no bound on ln p(x) itself. Outside training they are those of the lower bound.
        """
        if not self.training:
            return super().loss(x, c)
        beta = min(1.0, 0.01 + int(self.steps) / self.anneal) if self.anneal else 1.0
        self.steps += 1
        reconstruction, log_q, log_p = self._terms(x, *self._noise(x))
        divergence = (log_q - beta * log_p).mean(0)
        if self.pool_mean is not None:
            divergence = self.pool_mean(divergence)
        if self.free_bits:
            divergence = divergence.clamp(min=self.free_bits)
        nats = divergence.sum() - beta * reconstruction.sum() / len(x)
        return nats / (math.prod(self.shape) * math.log(2))

    @torch.no_grad()
    def importance_log_prob(self, x: Tensor, draws: int, generator: torch.Generator | None = None) -> Tensor:
        """Return the importance-weighted bound of ln p(x) in nats, `(B,)`, from `draws` of the posterior.

        With a generator (on the processor) all noise is new, also that of black and white. Without one, black and white
        are those of `log_prob`, and the latents' noise is the same for every artwork.
        """
        if generator is None:
            u = self._noise(x)[1]
            eps = torch.randn(draws, 1, *self.latent_shape, generator=torch.Generator().manual_seed(1))
        else:
            u = torch.rand(x.shape, generator=generator).to(x.device, self.dtype)
            eps = torch.randn(draws, len(x), *self.latent_shape, generator=generator)
        x = self.observation.draw_artwork(x.to(self.dtype), u)
        h = self._posterior(x)
        weights = []
        for part in torch.split(eps.to(x.device, self.dtype), max(LATENTS_AT_ONCE // len(x), 1)):
            many = part.expand(-1, len(x), -1).flatten(0, 1)  # (draws · B, latent)
            z, log_q = self.posterior(h.repeat(len(part), 1), many)
            reconstruction = self._reconstruction(x.repeat(len(part), *[1] * (x.dim() - 1)), z)
            found = reconstruction.flatten(1).sum(1) + (_log_normal(z) - log_q).sum(1)
            weights.append(found.view(len(part), len(x)))
        return torch.logsumexp(torch.cat(weights), 0) - math.log(draws)

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the posterior's centre: the flow's result for ε = 0.

        It is nearer to 0 than standard noise, because it lacks the posterior's own width. With the shipped models its
        standard deviation is 0.57 to 0.63 on test pictures.
        """
        h = self._posterior(x.to(self.dtype))
        z: Tensor = self.posterior(h, h.new_zeros(len(h), *self.latent_shape))[0]
        return z

    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        if keep is not None:
            raise ValueError("a VAE draws at once and cannot keep part of an artwork")
        mean = self.observation.mean_artwork(self._decoded(z * temperature))
        yield DecodingStep(mean.round().to(torch.uint8 if self.levels <= 256 else torch.int32), 1, 1)

    def _decoded(self, z: Tensor) -> Tensor:
        """Return the decoder's numbers, computed in blocks of exactly `ROWS_AT_ONCE` rows, the last filled with zeros.

        Convolutions and matrix products round a single row differently from many (measured with torch 2.13 in
        float32). In blocks of one size, a row is the same bit for bit in any batch. One picture of 28 × 28 takes as
        long as 8.
        """
        missing = -len(z) % ROWS_AT_ONCE
        filled = torch.cat((z, z.new_zeros(missing, *z.shape[1:]))) if missing else z
        return torch.cat([self.decoder(block) for block in torch.split(filled, ROWS_AT_ONCE)])[: len(z)].to(self.dtype)


def _log_normal(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi))
