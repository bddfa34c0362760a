"""Trained models, works and the files that hold them."""
