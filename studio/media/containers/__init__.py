"""Containers of sound: what a file holds, and where."""
