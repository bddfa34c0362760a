"""Latent Studio: pictures and sound from generative models that you own, understand and can steer."""

__version__ = "0.1.0"
