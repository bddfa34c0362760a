"""The window: states that hold the truth, views that show it."""
