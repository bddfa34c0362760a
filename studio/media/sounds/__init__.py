"""Sound files to arrays, and sound to the sound card."""
