"""What the window knows and can do, without a window: QtCore only."""
