"""Connects models to the compiled loops that draw from them."""
