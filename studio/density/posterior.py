"""Define posteriors q(z | x) of a VAE: a diagonal Gaussian, which a flow may transform.

    z₀ = μ + σ ε,  ε ~ N(0, I);   z = f_K ∘ … ∘ f_1 (z₀);   log q(z | x) = log N(ε) - Σ log σ - Σ log |det f_k|

The encoder returns `numbers` numbers for each artwork: μ, log σ and the parameters of the flow (amortised: Rezende and
Mohamed, 2015, arXiv:1505.05770; Kingma et al., 2016, arXiv:1606.04934).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from studio.density.bijections.planar import planar_flow, radial_flow

MAX_LOG_SIGMA = 5.0
"""The largest |log σ|. So no output of the encoder makes z or log q infinite."""
GATE_START = 1.5
"""The number that is added to s, so that an untrained gate keeps most of z (arXiv:1606.04934, section 4: +1 to +2)."""


class Posterior(nn.Module):
    """Is the diagonal Gaussian. Its subclasses replace `transform` by a flow.

    Attributes
        latent: how many entries z has
        numbers: how many numbers the encoder returns for each artwork
    """

    def __init__(self, latent: int, numbers: int = 0) -> None:
        super().__init__()
        self.latent = latent
        self.numbers = 2 * latent + numbers

    def forward(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and log q(z | x) by entries, both `(B, latent)`, from the encoder's h `(B, numbers)` and noise ε.

        A log-determinant that belongs to no single entry is shared equally. The sum is log q.
        """
        mu, log_sigma, rest = torch.split(h, [self.latent, self.latent, self.numbers - 2 * self.latent], 1)
        log_sigma = MAX_LOG_SIGMA * torch.tanh(log_sigma / MAX_LOG_SIGMA)
        z, ladj = self.transform(mu + log_sigma.exp() * eps, rest)
        return z, -0.5 * (eps.square() + math.log(2 * math.pi)) - log_sigma - ladj

    def transform(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the flow: return z and the log-determinant by entries, both `(B, latent)`."""
        return z, torch.zeros_like(z)


class PlanarPosterior(Posterior):
    """Applies K planar flows, each with its own u, w and b for every artwork: 2 · latent + 1 numbers.

    The numbers are added to start values with |w| = 1 and û = 0, so zeros mean the identity. Without these start values
    w could be near zero, where û has no bound: 40 flows then let z grow without limit within 200 steps of training.
    """

    start: Tensor

    def __init__(self, latent: int, flows: int) -> None:
        super().__init__(latent, flows * (2 * latent + 1))
        self.flows = flows
        w = torch.randn(flows, latent, generator=torch.Generator().manual_seed(0))
        w = nn.functional.normalize(w, dim=1)
        u = math.log(math.e - 1) * w  # m(w·u) = 0
        self.register_buffer("start", torch.cat((u, w, torch.zeros(flows, 1)), 1), persistent=False)

    def transform(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        each = self.start.to(z.dtype) + h.view(len(h), self.flows, -1)
        u, w, b = torch.split(each, [self.latent, self.latent, 1], 2)
        z, ladj = planar_flow(z, u, w, b[..., 0])
        return z, (ladj / self.latent)[:, None].expand_as(z)


class RadialPosterior(Posterior):
    """Applies K radial flows, each with its own centre, α and β for every artwork: latent + 2 numbers."""

    def __init__(self, latent: int, flows: int) -> None:
        super().__init__(latent, flows * (latent + 2))
        self.flows = flows

    def transform(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        each = h.view(len(h), self.flows, -1)
        center, alpha, beta = torch.split(each, [self.latent, 1, 1], 2)
        z, ladj = radial_flow(z, center, alpha[..., 0], beta[..., 0])
        return z, (ladj / self.latent)[:, None].expand_as(z)


class InverseAutoregressivePosterior(Posterior):
    """Applies gated inverse autoregressive flows, z ← σ z + (1 - σ) m with σ = sigmoid(s + 1.5).

    m and s of entry i depend on the entries before it and on the context (arXiv:1606.04934, section 4).

    Arguments
        nets: one for each step, from z `(B, latent)` and the context to m and s `(B, latent, 2)`. The order of entries
            should be reversed from step to step
        context: how many numbers of context the encoder returns
    """

    def __init__(self, latent: int, nets: Sequence[nn.Module], context: int) -> None:
        super().__init__(latent, context)
        self.nets = nn.ModuleList(nets)

    def transform(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(z)
        for net in self.nets:
            m, s = net(z, h).to(z.dtype).unbind(-1)
            s = s + GATE_START
            z = torch.lerp(m, z, torch.sigmoid(s))
            total = total + nn.functional.logsigmoid(s)
        return z, total
