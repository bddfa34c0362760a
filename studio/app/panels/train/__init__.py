"""Trains a model on the user's folder: examines the folder, plans a training, runs it."""
