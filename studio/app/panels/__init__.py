"""Holds the panels of the window and what all of them share."""
