"""Holds the lanes of the panel Sound, which draw along time."""
