"""Holds what every feature of the window builds on. Imports QtCore at most."""
