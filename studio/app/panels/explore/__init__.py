"""The panel Explore: one picture under sliders of its latent."""
