"""Connect models to the compiled loops that draw from them."""
