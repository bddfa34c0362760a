"""Holds the keys and the command palette."""
