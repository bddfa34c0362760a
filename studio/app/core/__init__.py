"""Holds what every feature of the window builds on. It imports QtCore at most."""
