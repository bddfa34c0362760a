"""Read sound files to arrays, and play sound on the sound card."""
