"""The panels of the window: what all of them share."""
