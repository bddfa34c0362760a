"""Read picture files to arrays."""
