"""Define the messages between the window, the terminal and the engine."""
