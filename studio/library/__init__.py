"""Trained models, works and the files that keep them."""
