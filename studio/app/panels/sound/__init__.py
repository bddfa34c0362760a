"""The panel Sound: recordings that are generated while they play."""
