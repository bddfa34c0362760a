"""Train models: data, the loop, checkpoints, held-out figures, the finished model."""
