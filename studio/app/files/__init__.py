"""Opens, imports and exports the user's files."""
