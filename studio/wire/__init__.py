"""Messages between the window, the terminal and the engine."""
