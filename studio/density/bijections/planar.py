"""Define planar and radial maps. Their parameters are passed in, one set for each row of the batch.

    planar  f(z) = z + û tanh(w·z + b),  û = u + (m(w·u) - w·u) w / |w|²,  m(a) = softplus(a) - 1
    radial  f(z) = z + β h (z - z₀),     h = 1 / (α + r),  r = |z - z₀|

Rezende and Mohamed, Variational inference with normalizing flows, 2015, arXiv:1505.05770, section 4.1 and
appendix A. Neither has an inverse in closed form, so a density is known only for a z that was drawn by the map.
"""

import torch
from torch import Tensor, nn

MIN_LENGTH = -60.0
"""The least w·u; smaller ones are raised to it. So softplus(w·u), the least slope of the map, is above 0 in float32."""


def planar_flow(z: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Apply K planar maps, one after another, and return the result and ladj `(B,)`.

    The slope of a map along w is 1 + (1 - t²) w·û with t = tanh(w·z + b). As w·û = softplus(w·u) - 1, that is
    t² + (1 - t²) softplus(w·u): positive for any numbers, and without a difference of numbers near 1.

    Arguments
        z: `(B, D)`
        u, w: `(B, K, D)`
        b: `(B, K)`
    """
    wu = (w * u).sum(-1)  # (B, K)
    slope = nn.functional.softplus(wu.clamp(min=MIN_LENGTH))
    square = w.square().sum(-1).clamp(min=1e-30)
    u = u + ((slope - 1 - wu) / square)[..., None] * w
    tanhs = []
    for u_k, w_k, b_k in zip(u.unbind(1), w.unbind(1), b.unbind(1), strict=True):
        t = torch.tanh((w_k * z).sum(-1) + b_k)  # (B,)
        z = z + u_k * t[:, None]
        tanhs.append(t)
    square_of_t = torch.stack(tanhs, 1).square()
    return z, torch.log(square_of_t + (1 - square_of_t) * slope).sum(1)


def radial_flow(z: Tensor, center: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Apply K radial maps, one after another, and return the result and ladj `(B,)`.

        ladj = (D - 1) log(1 + β h) + log(1 + α β h²)

    Arguments
        z: `(B, D)`
        center: z₀, `(B, K, D)`
        alpha, beta: `(B, K)`, any numbers. α = softplus(alpha) and β = softplus(beta) - α ≥ -α
    """
    alpha, least = nn.functional.softplus(alpha), nn.functional.softplus(beta)
    beta = least - alpha
    total = z.new_zeros(len(z))
    for center_k, alpha_k, beta_k in zip(center.unbind(1), alpha.unbind(1), beta.unbind(1), strict=True):
        away = z - center_k
        h = 1 / (alpha_k + torch.linalg.vector_norm(away, dim=1))  # (B,)
        z = z + (beta_k * h)[:, None] * away
        total = total + (z.shape[1] - 1) * torch.log1p(beta_k * h) + torch.log1p(alpha_k * beta_k * h.square())
    return z, total
