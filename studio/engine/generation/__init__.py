"""Jobs that generate artworks, change them and price them."""
