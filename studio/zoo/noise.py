"""Define the hyperparameter of noise, which all flows share.

(Zhai et al., Normalizing Flows are Capable Generative Models, 2024, arXiv:2412.06329, section 2.4.)
"""

from typing import Annotated

from msgspec import Meta

Noise = Annotated[
    float,
    Meta(
        ge=0,
        le=1,
        title="Noise",
        description="Deviation of the noise added to pixels from 0 to 1, instead of a margin; 0: none",
    ),
]
"""σ of `Flow`."""
