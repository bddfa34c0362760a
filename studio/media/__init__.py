"""Convert pictures and sounds between files and arrays."""
