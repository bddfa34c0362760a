"""What is learned from, and what a run is watched by meanwhile."""

import torch

from studio.engine.artworks import Examples
from studio.engine.learning import split


def test_what_a_run_is_watched_by_is_never_learned_from() -> None:
    x = Examples(torch.arange(1000).view(-1, 1, 1, 1), torch.arange(1000))
    learn, watch = split(x)
    assert len(watch) == 50
    assert sorted(torch.cat((learn.x, watch.x)).flatten().tolist()) == list(range(1000))
    assert torch.equal(learn.x.flatten(), learn.c)
    assert torch.equal(split(x)[1].x, watch.x)
