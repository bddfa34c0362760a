"""Find in a file of sound what it holds, and where."""
