"""Find the streams in a file of sound, and their places."""
