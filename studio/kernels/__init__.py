"""Sequential loops, compiled for the processor: numpy and numba only."""
