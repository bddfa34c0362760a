"""What the artist sees: each view shows a state and never holds the truth."""
