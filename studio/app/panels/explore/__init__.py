"""Holds the panel Explore, which shows one picture under the sliders of its latent."""
