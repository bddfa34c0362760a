"""Training jobs: data, the loop, checkpoints, held-out figures, the finished model."""
