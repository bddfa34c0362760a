"""Draws maps over a picture: the surprisal of each pixel, and the model's uncertainty."""
