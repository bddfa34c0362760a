"""Sharpen what a loaded model draws, by class guidance and top-p."""

from dataclasses import replace

from studio.density.autoregressive import Autoregressive
from studio.density.pyramid import Pyramid
from studio.density.sharpening import sharpen_model
from studio.engine.generation.sampling import LoadedModel
from studio.engine.levels import DoesNotFit


def sharpen_loaded(loaded: LoadedModel, guidance: float, top_p: float) -> LoadedModel:
    """Return a model that draws with guidance and top-p. It computes no bits. Of a pyramid, the base is sharpened.

    Raises DoesNotFit if the model does not draw pixel by pixel, or has no guidance.
    """
    if not guidance and top_p == 1:
        return loaded
    model = loaded.model
    base = model.base if isinstance(model, Pyramid) else model
    title = loaded.card.title
    if not isinstance(base, Autoregressive):
        what = "guidance" if guidance else "top-p"
        raise DoesNotFit(f'"{title}" does not draw pixel by pixel, so it has no {what}. Choose a model that does')
    if guidance and loaded.parts is not None:
        raise DoesNotFit("a mixture of two models has no guidance. Set the guidance to 0, or choose one model")
    if guidance and not base.class_dropout:
        raise DoesNotFit(f'"{title}" never learned without a class, so it has no guidance. Set the guidance to 0')
    sharpened = sharpen_model(base, guidance, top_p)
    bytes_each = loaded.bytes_each * (2 if guidance else 1)  # the networks run twice
    if isinstance(model, Pyramid):
        pyramid = Pyramid(sharpened, model.upsampler).to(model.scale_of.device).eval()
        return replace(loaded, model=pyramid, bytes_each=bytes_each)
    return replace(loaded, model=sharpened, bytes_each=bytes_each)
