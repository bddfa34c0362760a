"""The lanes of the panel Sound: what is drawn along time."""
