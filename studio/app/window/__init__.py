"""Holds the main window and its parts around the panels."""
