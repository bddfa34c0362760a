"""Results that were kept: their files, their tree, their strip."""
