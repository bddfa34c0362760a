"""Build neural networks from blocks."""
