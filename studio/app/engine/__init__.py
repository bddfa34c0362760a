"""The window's end of the engine: starts it, sends commands, receives events."""
