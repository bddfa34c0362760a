"""Holds the panel Complete, which draws a part of a picture again."""
