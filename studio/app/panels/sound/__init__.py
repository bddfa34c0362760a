"""Holds the panel Sound, which generates recordings while they play."""
