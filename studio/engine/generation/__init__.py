"""Jobs that generate artworks, change them and compute their bits."""
