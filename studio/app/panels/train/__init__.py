"""Trains a model on the user's folder: what it learns from, how, and how it goes."""
